// SPDX-License-Identifier: GPL-2.0
/*
 * counters KERNEL MEMORY STORE [PLACE]
 *
 * Adds the counters of gcov that a kernel left in a machine's memory to the .gcda
 * files below STORE, which have the names of their sources: drivers/iommu/x.gcda.
 * KERNEL is the directory of a kernel that build-kernel.sh made; vmlinux and
 * System.map tell where the compiler has put things.  They are read there, so those
 * of a kernel that has handed over are found as well.  PLACE is where its code begins
 * there; without it the kernel is looked for.  In one that has panicked before its
 * constructors ran they are not in a list yet, and are looked for one by one.  All of
 * them are read before any file is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT	0x200000	/* of a kernel in memory */
#define IMAGE_SIZE	0x40000000ull	/* of what is mapped for it, and its alignment there */
#define BANNER		"Linux version "

/* gcov-io.h of gcc: a file is a header, then records of tag, length and that many bytes. */
#define MAGIC		0x67636461
#define TAG_FUNCTION	0x01000000
#define TAG_COUNTERS	0x01a10000
#define FUNCTION_WORDS	3
#define COUNTERS_MAX	10
#define FILES_MAX	65536		/* so that a list that bites its tail ends */
#define HEADER_WORDS	4
#define NAME_MAX_SIZE	512

/* kernel/gcov/gcc_4_7.c, as gcc 12 and later lay it out in a kernel of 64 bits. */
struct info_head {
	uint32_t version;
	uint64_t next;
	uint32_t stamp, checksum;
	uint64_t filename;
};

struct info_tail {
	uint32_t functions;
	uint64_t function_table;
};

struct function_head {
	uint64_t key;
	uint32_t ident, lineno_checksum, cfg_checksum;
};

struct counters {
	uint32_t number;
	uint64_t values;
};

struct words {
	uint32_t *at;
	size_t count, room;
};

struct file {
	struct file *next;
	char path[512];
	struct words words;
};

struct mapping {
	const char *at;
	size_t size;
};

struct image {
	const char *kernel, *path;
	struct mapping memory;
	uint64_t text, end, banner, head;	/* where System.map has them */
	int64_t offset;			/* in memory, of the address below */
	uint64_t base;
};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("coverage: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static void damaged(const struct image *image)
{
	fail("the counters of %s in %s are damaged", image->kernel, image->path);
}

static void *allocate(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (!memory)
		fail("out of memory");
	return memory;
}

static struct mapping map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct mapping mapping;
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		fail("%s: %s", path, strerror(errno));
	mapping.size = status.st_size;
	mapping.at = mmap(NULL, mapping.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapping.at == MAP_FAILED)
		fail("%s: %s", path, strerror(errno));
	close(fd);
	return mapping;
}

static void read_symbols(struct image *image)
{
	char path[512], line[512], name[256];
	unsigned long long address;
	FILE *file;

	snprintf(path, sizeof(path), "%s/System.map", image->kernel);
	file = fopen(path, "r");
	if (!file)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %*c %255s", &address, name) != 2)
			continue;
		if (!strcmp(name, "linux_banner"))
			image->banner = address;
		else if (!strcmp(name, "_text"))
			image->text = address;
		else if (!strcmp(name, "_end"))
			image->end = address;
		else if (!strcmp(name, "gcov_info_head"))
			image->head = address;
	}
	fclose(file);
	if (!image->head || !image->banner)
		fail("%s has no counters", image->kernel);
	image->base = image->banner & -IMAGE_SIZE;
}

/* NULL where the memory does not have it. */
static const char *look(const struct image *image, uint64_t address, size_t size)
{
	int64_t at = (int64_t)(address - image->base) + image->offset;

	if (address < image->base || address - image->base >= IMAGE_SIZE || at < 0 ||
	    size > image->memory.size || (uint64_t)at > image->memory.size - size)
		return NULL;
	return image->memory.at + at;
}

static void take(const struct image *image, uint64_t address, void *data, size_t size)
{
	const char *at = look(image, address, size);

	if (!at)
		damaged(image);
	memcpy(data, at, size);
}

static uint64_t take_pointer(const struct image *image, uint64_t address)
{
	uint64_t pointer;

	take(image, address, &pointer, sizeof(pointer));
	return pointer;
}

static const char *take_text(const struct image *image, uint64_t address)
{
	const char *text = look(image, address, 1);

	if (!text || !memchr(text, '\0', image->memory.at + image->memory.size - text))
		damaged(image);
	return text;
}

static bool is_list(const struct image *image)
{
	const char *head = look(image, image->head, sizeof(uint64_t));
	uint64_t first = 0;

	if (head)
		memcpy(&first, head, sizeof(first));
	return first > image->base;
}

/* The banner is in the log as well; the image is where the list begins, if there is one. */
static void find_image(struct image *image)
{
	char path[512];
	struct mapping file, rest = image->memory;
	const char *banner, *at;
	int64_t without = 0;
	bool found = false;
	size_t length;

	snprintf(path, sizeof(path), "%s/vmlinux", image->kernel);
	file = map_file(path);
	banner = memmem(file.at, file.size, BANNER, strlen(BANNER));
	if (!banner)
		fail("%s is not a kernel", path);
	length = strnlen(banner, file.at + file.size - banner);
	while ((at = memmem(rest.at, rest.size, banner, length))) {
		image->offset = at - image->memory.at - (int64_t)(image->banner - image->base);
		if (!(image->offset % ALIGNMENT)) {
			if (is_list(image))
				return;
			without = image->offset;
			found = true;
		}
		rest.size -= at + 1 - rest.at;
		rest.at = at + 1;
	}
	image->offset = without;
	if (found)
		return;
	fail("no kernel of %s in %s", image->kernel, image->path);
}

static void find_place(struct image *image, const char *place)
{
	if (!*place) {
		find_image(image);
		return;
	}
	image->offset = strtoll(place, NULL, 0) - (int64_t)(image->text - image->base);
	if (!image->text || !is_list(image))
		fail("no kernel of %s at %s in %s", image->kernel, place, image->path);
}

static void add_word(struct words *words, uint32_t word)
{
	if (words->count == words->room) {
		words->room = words->room ? 2 * words->room : 1024;
		words->at = allocate(words->at, words->room * sizeof(*words->at));
	}
	words->at[words->count++] = word;
}

static void add_counters(const struct image *image, uint64_t address, unsigned int kind,
			 struct words *words)
{
	struct counters counters;
	const char *values;
	uint32_t word;

	take(image, address, &counters, sizeof(counters));
	values = look(image, counters.values, (size_t)counters.number * sizeof(uint64_t));
	if (!values && counters.number)
		damaged(image);
	add_word(words, TAG_COUNTERS + (kind << 17));
	add_word(words, counters.number * sizeof(uint64_t));
	for (uint32_t i = 0; i < 2 * counters.number; i++) {
		memcpy(&word, values + i * sizeof(word), sizeof(word));
		add_word(words, word);
	}
}

static void add_function(const struct image *image, uint64_t address, const uint64_t *merge,
			 struct words *words)
{
	struct function_head head;

	take(image, address, &head, sizeof(head));
	address += sizeof(head);
	add_word(words, TAG_FUNCTION);
	add_word(words, FUNCTION_WORDS * sizeof(uint32_t));
	add_word(words, head.ident);
	add_word(words, head.lineno_checksum);
	add_word(words, head.cfg_checksum);
	for (unsigned int kind = 0; kind < COUNTERS_MAX; kind++) {
		if (!merge[kind])
			continue;
		add_counters(image, address, kind, words);
		address += sizeof(struct counters);
	}
}

/* The version is one letter for tens of gcc's, and a digit: "B22*" is gcc 12.2. */
static unsigned int count_kinds(const struct image *image, uint32_t version)
{
	int gcc = ((version >> 24) - 'A') * 10 + (version >> 16 & 0xff) - '0';

	if (gcc < 12 || gcc > 15)
		fail("the counters of %s are those of a gcc that is not known", image->kernel);
	return gcc == 15 ? 10 : gcc == 14 ? 9 : 8;
}

/* drivers/iommu/replace of /.../build-coverage-old/drivers/iommu/replace.gcda */
static void name_file(const struct image *image, const char *name, struct file *file)
{
	const char *tree = strstr(name, "/build-coverage");

	tree = tree ? strchr(tree + 1, '/') : NULL;
	if (!tree || strstr(tree, "/../"))
		damaged(image);
	snprintf(file->path, sizeof(file->path), "%s", tree + 1);
}

static struct file *read_file(const struct image *image, uint64_t address, uint64_t *next)
{
	struct file *file = allocate(NULL, sizeof(*file));
	uint64_t merge[COUNTERS_MAX] = { 0 };
	unsigned int kinds;
	struct info_head head;
	struct info_tail tail;

	take(image, address, &head, sizeof(head));
	kinds = count_kinds(image, head.version);
	take(image, address + sizeof(head), merge, kinds * sizeof(*merge));
	take(image, address + sizeof(head) + kinds * sizeof(*merge), &tail, sizeof(tail));
	*next = head.next;

	memset(file, 0, sizeof(*file));
	name_file(image, take_text(image, head.filename), file);
	add_word(&file->words, MAGIC);
	add_word(&file->words, head.version);
	add_word(&file->words, head.stamp);
	add_word(&file->words, head.checksum);
	for (uint32_t i = 0; i < tail.functions; i++)
		add_function(image, take_pointer(image, tail.function_table + 8ull * i), merge,
			     &file->words);
	return file;
}

/* Does one of a file lie there?  Names are where read-only data are, and look like one. */
static bool is_info(const struct image *image, uint64_t address)
{
	const char *at = look(image, address, sizeof(struct info_head)), *name;
	struct info_head head;

	if (!at)
		return false;
	memcpy(&head, at, sizeof(head));
	if ((head.version & 0xff) != '*' || head.version >> 24 < 'A' || head.version >> 24 > 'Z')
		return false;
	name = look(image, head.filename, NAME_MAX_SIZE);
	return name && memchr(name, '\0', NAME_MAX_SIZE) && strstr(name, "/build-coverage");
}

static struct file *search_files(const struct image *image)
{
	struct file *files = NULL, *file;
	uint64_t next;

	for (uint64_t address = image->text & -8ull; address < image->end; address += 8) {
		if (!is_info(image, address))
			continue;
		file = read_file(image, address, &next);
		file->next = files;
		files = file;
	}
	if (!files)
		fail("no counters of %s in %s", image->kernel, image->path);
	return files;
}

static struct file *read_files(const struct image *image)
{
	uint64_t next = take_pointer(image, image->head);
	struct file *files = NULL, *file;

	if (!next)
		return search_files(image);
	for (int count = 0; next; count++) {
		if (count == FILES_MAX)
			damaged(image);
		file = read_file(image, next, &next);
		file->next = files;
		files = file;
	}
	return files;
}

static void add_values(uint32_t *to, const uint32_t *values)
{
	uint64_t a, b;

	memcpy(&a, to, sizeof(a));
	memcpy(&b, values, sizeof(b));
	a += b;
	memcpy(to, &a, sizeof(a));
}

/* Files of one object differ in their counters only. */
static bool merge(struct words *words, const uint32_t *old)
{
	uint32_t *at = words->at;

	if (memcmp(at, old, HEADER_WORDS * sizeof(*at)))
		return false;
	for (size_t i = HEADER_WORDS; i < words->count; ) {
		size_t length = at[i + 1] / sizeof(*at);

		if (at[i] != old[i] || at[i + 1] != old[i + 1])
			return false;
		if (at[i] == TAG_FUNCTION && memcmp(&at[i + 2], &old[i + 2], at[i + 1]))
			return false;
		for (size_t value = 0; at[i] != TAG_FUNCTION && value < length; value += 2)
			add_values(&at[i + 2 + value], &old[i + 2 + value]);
		i += 2 + length;
	}
	return true;
}

static void merge_with(const char *path, struct words *words)
{
	struct mapping old;

	if (access(path, F_OK))
		return;
	old = map_file(path);
	if (old.size != words->count * sizeof(*words->at) || !merge(words, (const void *)old.at))
		fail("%s is of another kernel", path);
	munmap((void *)old.at, old.size);
}

static void make_directories(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			fail("%s: %s", path, strerror(errno));
		*at = '/';
	}
}

static void write_file(const char *store, struct file *file)
{
	char path[1024], fresh[1040];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", store, file->path);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	make_directories(path);
	merge_with(path, &file->words);
	out = fopen(fresh, "w");
	if (!out)
		fail("%s: %s", fresh, strerror(errno));
	if (fwrite(file->words.at, sizeof(*file->words.at), file->words.count, out) !=
	    file->words.count || fclose(out) || rename(fresh, path))
		fail("%s: %s", fresh, strerror(errno));
}

int main(int count, char **words)
{
	struct image image = { 0 };

	if (count < 4 || count > 5) {
		fprintf(stderr, "usage: %s KERNEL MEMORY STORE [PLACE]\n", words[0]);
		return 2;
	}
	image.kernel = words[1];
	image.path = words[2];
	read_symbols(&image);
	image.memory = map_file(image.path);
	find_place(&image, count == 5 ? words[4] : "");
	for (struct file *file = read_files(&image); file; file = file->next)
		write_file(words[3], file);
	return 0;
}
