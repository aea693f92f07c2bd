// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake.h"
#include "uapi.h"

#define FIRST_FD	3

int fake_error(int error)
{
	if (!error)
		return 0;
	errno = -error;
	return -1;
}

void fake_broken(struct fake *fake, const char *what)
{
	if (!fake->broken[0])
		snprintf(fake->broken, sizeof(fake->broken), "%s", what);
}

long fake_say(struct fake *fake, long error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!fake->reason[0])
		vsnprintf(fake->reason, sizeof(fake->reason), format, args);
	va_end(args);
	return error;
}

/* ---- files ---- */

struct content *content_get(struct content *content)
{
	content->refs++;
	return content;
}

void content_put(struct content *content)
{
	if (--content->refs)
		return;
	free(content->bytes);
	free(content);
}

struct file *file_new(enum file_kind kind)
{
	struct file *file = calloc(1, sizeof(*file));

	file->kind = kind;
	file->refs = 1;
	return file;
}

struct file *file_get(struct file *file)
{
	file->refs++;
	return file;
}

void file_put(struct fake *fake, struct file *file)
{
	if (--file->refs)
		return;
	switch (file->kind) {
	case FILE_SESSION:
		session_release(fake, file);
		break;
	case FILE_MEMFD:
		content_put(file->content);
		break;
	case FILE_IOMMUFD:
		iommufd_release(fake, file);
		break;
	case FILE_DEVICE:
		device_release(fake, file);
		break;
	default:
		break;
	}
	free(file);
}

/* Takes over the reference. */
int fd_install(struct fake *fake, struct file *file)
{
	for (int fd = FIRST_FD; fd < FAKE_FDS; fd++)
		if (!fake->fds[fd]) {
			fake->fds[fd] = file;
			return fd;
		}
	abort();
}

struct file *fd_file(struct fake *fake, int fd, enum file_kind kind)
{
	if (fd < 0 || fd >= FAKE_FDS || !fake->fds[fd] || fake->fds[fd]->kind != kind)
		return NULL;
	return fake->fds[fd];
}

static struct file *any_file(struct fake *fake, int fd)
{
	return fd < 0 || fd >= FAKE_FDS ? NULL : fake->fds[fd];
}

/* ---- what is planned ---- */

/* Is this the call that fails? */
static bool planned(struct fake *fake, const char *name)
{
	if (fake->jumped)
		fake_broken(fake, "a call after the kexec");
	if (++fake->points == fake->die_at)
		longjmp(*fake->death, 1);
	if (++fake->calls != fake->fail_at)
		return false;
	fake->failed = name;
	errno = fake->fail_errno;
	return true;
}

/* What cannot fail, or nobody could do anything about */
static void passed(struct fake *fake)
{
	if (fake->jumped)
		fake_broken(fake, "a call after the kexec");
	if (++fake->points == fake->die_at)
		longjmp(*fake->death, 1);
}

/* Those of the machine that was made last; there is no argument that says so. */
static struct fake *newest;

static bool allocation_planned(void)
{
	if (!newest || ++newest->allocations != newest->allocation_fails_at)
		return false;
	newest->failed = "calloc";
	errno = ENOMEM;
	return true;
}

void *fake_calloc(size_t number, size_t size)
{
	return allocation_planned() ? NULL : calloc(number, size);
}

void *fake_malloc(size_t size)
{
	return allocation_planned() ? NULL : malloc(size);
}

/* ---- calls ---- */

static int open_device(struct fake *fake, const char *name)
{
	for (int i = 0; i < FAKE_CARDS; i++) {
		struct card *card = &fake->cards[i];

		if (strcmp(card->name, name))
			continue;
		if (card->file || card->incoming)
			return -EBUSY;
		card->file = file_new(FILE_DEVICE);
		card->file->card = card;
		return fd_install(fake, card->file);
	}
	return -ENOENT;
}

static int open_liveupdate(struct fake *fake)
{
	if (fake->time < fake->liveupdate_late)
		return -EBUSY;
	for (int fd = 0; fd < FAKE_FDS; fd++)
		if (fake->fds[fd] && fake->fds[fd]->kind == FILE_LIVEUPDATE)
			return -EBUSY;
	fake->opens++;
	return fd_install(fake, file_new(FILE_LIVEUPDATE));
}

static int open_path(struct fake *fake, const char *path)
{
	static const char devices[] = "/dev/vfio/devices/";
	struct file *file;

	if (!strcmp(path, "/dev/liveupdate"))
		return open_liveupdate(fake);
	if (!strncmp(path, devices, strlen(devices)))
		return open_device(fake, path + strlen(devices));
	if (strcmp(path, "/dev/iommu"))
		return -ENOENT;
	file = file_new(FILE_IOMMUFD);
	file->objects = calloc(FAKE_OBJECTS, sizeof(*file->objects));
	return fd_install(fake, file);
}

static int op_open(void *arg, const char *path, int flags)
{
	int fd;

	if (planned(arg, "open"))
		return -1;
	if (!(flags & O_CLOEXEC))
		fake_broken(arg, "opened without O_CLOEXEC");
	fd = open_path(arg, path);
	return fd < 0 ? fake_error(fd) : fd;
}

void fake_close(struct fake *fake, int fd)
{
	struct file *file = any_file(fake, fd);

	if (!file) {
		fake_broken(fake, "closed what is not open");
		return;
	}
	fake->fds[fd] = NULL;
	file_put(fake, file);
}

static int op_close(void *arg, int fd)
{
	passed(arg);
	fake_close(arg, fd);
	return 0;
}

static long file_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data)
{
	/* One that is held for longer is in the way of everybody else. */
	if (file->kind != FILE_LIVEUPDATE)
		for (int fd = 0; fd < FAKE_FDS; fd++)
			if (fake->fds[fd] && fake->fds[fd]->kind == FILE_LIVEUPDATE)
				fake_broken(fake, "/dev/liveupdate is held");
	switch (file->kind) {
	case FILE_LIVEUPDATE:
		return liveupdate_ioctl(fake, file, request, data);
	case FILE_SESSION:
		return session_ioctl(fake, file, request, data);
	case FILE_IOMMUFD:
		return iommufd_ioctl(fake, file, request, data);
	case FILE_DEVICE:
		return device_ioctl(fake, file, request, data);
	default:
		return -ENOTTY;
	}
}

static const char *request_name(unsigned long request)
{
	static const struct {
		unsigned long request;
		const char *name;
	} names[] = {
#define NAME(request)	{ request, #request }
		NAME(LIVEUPDATE_IOCTL_CREATE_SESSION), NAME(LIVEUPDATE_IOCTL_RETRIEVE_SESSION),
		NAME(LIVEUPDATE_SESSION_PRESERVE_FD), NAME(LIVEUPDATE_SESSION_RETRIEVE_FD),
		NAME(LIVEUPDATE_SESSION_FINISH), NAME(LIVEUPDATE_SESSION_GET_NAME),
		NAME(LIVEUPDATE_SESSION_TEST), NAME(LIVEUPDATE_SESSION_GET_REASON),
		NAME(LIVEUPDATE_IOCTL_LIST_SESSIONS), NAME(LIVEUPDATE_IOCTL_TEST_KEXEC),
		NAME(IOMMU_DESTROY), NAME(IOMMU_IOAS_ALLOC), NAME(IOMMU_IOAS_MAP_FILE),
		NAME(IOMMU_IOAS_UNMAP), NAME(IOMMU_HWPT_ALLOC),
		NAME(IOMMU_IOAS_LIST_AREAS),
		NAME(IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE), NAME(VFIO_DEVICE_BIND_IOMMUFD),
		NAME(VFIO_DEVICE_ATTACH_IOMMUFD_PT), NAME(VFIO_DEVICE_GET_REGION_INFO),
		NAME(VFIO_DEVICE_SET_IRQS), NAME(VFIO_DEVICE_RESET),
#undef NAME
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].request == request)
			return names[i].name;
	return "an unknown ioctl";
}

static int op_ioctl(void *arg, int fd, unsigned long request, void *data)
{
	struct fake *fake = arg;
	struct file *file;
	long result;

	if (planned(fake, request_name(request)))
		return -1;
	fake->ioctls++;
	file = any_file(fake, fd);
	if (!file)
		return fake_error(-EBADF);
	result = file_ioctl(fake, file, request, data);
	return result < 0 ? fake_error(result) : (int)result;
}

static void *op_mmap(void *arg, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct fake *fake = arg;
	struct mapping *mapping;
	struct file *file;
	void *address = NULL;

	(void)prot;
	if (planned(fake, "mmap"))
		return MAP_FAILED;
	file = any_file(fake, fd);
	if (!(flags & MAP_SHARED))
		fake_broken(fake, "mapped, but not shared");
	if (file && file->kind == FILE_MEMFD && !offset && length == file->content->length)
		address = file->content->bytes;
	if (file && file->kind == FILE_DEVICE && file->card->iommufd && offset == FAKE_PAGE)
		address = file->card->bar;
	if (!address) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	mapping = calloc(1, sizeof(*mapping));
	*mapping = (struct mapping) { fake->mappings, address, length, file_get(file) };
	fake->mappings = mapping;
	return address;
}

static void unmap(struct fake *fake, struct mapping **at)
{
	struct mapping *mapping = *at;

	*at = mapping->next;
	file_put(fake, mapping->file);
	free(mapping);
}

static int op_munmap(void *arg, void *address, size_t length)
{
	struct fake *fake = arg;

	passed(fake);
	for (struct mapping **at = &fake->mappings; *at; at = &(*at)->next)
		if ((*at)->address == address && (*at)->length == length) {
			unmap(fake, at);
			return 0;
		}
	fake_broken(fake, "unmapped what is not mapped");
	return fake_error(-EINVAL);
}

/* The config space is at 0 of a device file. */
static unsigned char *bytes_at(struct fake *fake, int fd, size_t *length, off_t offset)
{
	struct file *file = any_file(fake, fd);
	unsigned char *bytes;
	uint64_t all;

	if (file && file->kind == FILE_MEMFD) {
		bytes = file->content->bytes;
		all = file->content->length;
	} else if (file && file->kind == FILE_DEVICE && file->card->iommufd) {
		bytes = file->card->config;
		all = file->card->config_length;
	} else {
		return NULL;
	}
	if ((uint64_t)offset >= all)
		*length = 0;
	else if (*length > all - offset)
		*length = all - offset;
	return bytes + offset;
}

static ssize_t op_pread(void *arg, int fd, void *data, size_t length, off_t offset)
{
	unsigned char *bytes;

	if (planned(arg, "pread"))
		return -1;
	bytes = bytes_at(arg, fd, &length, offset);
	if (!bytes)
		return fake_error(-EBADF);
	if (length)
		memcpy(data, bytes, length);
	return length;
}

static ssize_t op_pwrite(void *arg, int fd, const void *data, size_t length, off_t offset)
{
	unsigned char *bytes;

	if (planned(arg, "pwrite"))
		return -1;
	bytes = bytes_at(arg, fd, &length, offset);
	if (!bytes)
		return fake_error(-EBADF);
	if (length)
		memcpy(bytes, data, length);
	return length;
}

int fake_memfd(struct fake *fake, uint64_t length, bool sealable)
{
	struct file *file = file_new(FILE_MEMFD);

	file->content = calloc(1, sizeof(*file->content));
	file->content->refs = 1;
	file->content->bytes = calloc(1, length + 1);
	file->content->length = length;
	file->content->ino = ++fake->inodes;
	file->content->seals = sealable ? 0 : F_SEAL_SEAL;
	return fd_install(fake, file);
}

static int op_memfd_create(void *arg, const char *name, unsigned int flags)
{
	if (planned(arg, "memfd_create"))
		return -1;
	if (!name[0] || !(flags & 1))
		fake_broken(arg, "a memfd without name or close-on-exec");
	return fake_memfd(arg, 0, flags & 2);
}

static int op_ftruncate(void *arg, int fd, off_t length)
{
	struct file *file;

	if (planned(arg, "ftruncate"))
		return -1;
	file = fd_file(arg, fd, FILE_MEMFD);
	if (!file)
		return fake_error(-EBADF);
	if (length > 1 << 30)
		return fake_error(-EFBIG);
	if (file->content->frozen || file->content->seals & (F_SEAL_GROW | F_SEAL_SHRINK))
		return fake_error(-EPERM);
	free(file->content->bytes);
	file->content->bytes = calloc(1, length + 1);
	file->content->length = length;
	return 0;
}

static int op_fcntl(void *arg, int fd, int command, int value)
{
	struct file *file;

	if (planned(arg, "fcntl"))
		return -1;
	file = any_file(arg, fd);
	if (!file)
		return fake_error(-EBADF);
	if (command == F_SETFD)
		return 0;
	if (file->kind != FILE_MEMFD)
		return fake_error(-EINVAL);
	if (command == F_GET_SEALS)
		return file->content->seals;
	if (file->content->seals & F_SEAL_SEAL)
		return fake_error(-EPERM);
	file->content->seals |= value;
	return 0;
}

static int op_fstat_size(void *arg, int fd, uint64_t *length)
{
	struct file *file;

	if (planned(arg, "fstat"))
		return -1;
	file = any_file(arg, fd);
	if (!file)
		return fake_error(-EBADF);
	*length = file->kind == FILE_MEMFD ? file->content->length : 0;
	return 0;
}

static int op_fstat_inode(void *arg, int fd, uint64_t *ino, uint32_t *dev_major,
			  uint32_t *dev_minor)
{
	struct file *file;

	if (planned(arg, "fstat"))
		return -1;
	file = any_file(arg, fd);
	if (!file)
		return fake_error(-EBADF);
	*ino = file->kind == FILE_MEMFD ? file->content->ino : 1;
	*dev_major = 0;
	*dev_minor = file->kind == FILE_MEMFD ? FAKE_SHMEM : FAKE_SHMEM + 1;
	return 0;
}

static int op_dup(void *arg, int fd)
{
	struct file *file;

	if (planned(arg, "dup"))
		return -1;
	file = any_file(arg, fd);
	if (!file)
		return fake_error(-EBADF);
	return fd_install(arg, file_get(file));
}

static int op_kexec_file_load(void *arg, int kernel, int initrd, const char *command_line)
{
	struct fake *fake = arg;

	(void)command_line;
	if (planned(fake, "kexec_file_load"))
		return -1;
	if (!any_file(fake, kernel) || (initrd >= 0 && !any_file(fake, initrd)))
		return fake_error(-EBADF);
	fake->image = true;
	fake->image_kind = LIVEUPDATE_IMAGE_HANDOVER;
	return 0;
}

static int op_reboot_kexec(void *arg)
{
	struct fake *fake = arg;
	int error;

	if (planned(fake, "reboot"))
		return -1;
	error = fake->kexec_errno ? -fake->kexec_errno : machine_kexec(fake);
	return error ? fake_error(error) : 0;
}

static int op_device_name(void *arg, const char *bdf, char *name, size_t length)
{
	struct fake *fake = arg;

	if (planned(fake, "readdir"))
		return -1;
	for (int i = 0; i < FAKE_CARDS; i++)
		if (!strcmp(fake->cards[i].bdf, bdf)) {
			snprintf(name, length, "%s", fake->cards[i].name);
			return 0;
		}
	return fake_error(-ENOENT);
}

static int64_t op_now(void *arg)
{
	return ((struct fake *)arg)->time;
}

static void op_sleep(void *arg, int64_t milliseconds)
{
	struct fake *fake = arg;

	if (milliseconds <= 0)
		fake_broken(fake, "waits without waiting");
	fake->time += milliseconds;
}

const struct ilu_ops fake_ops = {
	.size = sizeof(fake_ops),
	.open = op_open,
	.close = op_close,
	.ioctl = op_ioctl,
	.mmap = op_mmap,
	.munmap = op_munmap,
	.pread = op_pread,
	.pwrite = op_pwrite,
	.memfd_create = op_memfd_create,
	.ftruncate = op_ftruncate,
	.fcntl = op_fcntl,
	.fstat_size = op_fstat_size,
	.dup = op_dup,
	.kexec_file_load = op_kexec_file_load,
	.reboot_kexec = op_reboot_kexec,
	.device_name = op_device_name,
	.now = op_now,
	.sleep = op_sleep,
	.fstat_inode = op_fstat_inode,
};

/* ---- the process ---- */

int fake_open(struct fake *fake, const char *path)
{
	return open_path(fake, path);
}

int fake_eventfd(struct fake *fake)
{
	return fd_install(fake, file_new(FILE_OTHER));
}

int fake_session(struct fake *fake, const char *name, bool retrieve)
{
	struct liveupdate_ioctl_create_session call = { .size = sizeof(call) };
	long error;

	snprintf((char *)call.name, sizeof(call.name), "%s", name);
	error = liveupdate_ioctl(fake, NULL, retrieve ? LIVEUPDATE_IOCTL_RETRIEVE_SESSION :
				 LIVEUPDATE_IOCTL_CREATE_SESSION, &call);
	return error ? (int)error : call.fd;
}

int fake_give(struct fake *fake, int fd)
{
	for (int other = FIRST_FD; other < FAKE_FDS; other++)
		if (!fake->others[other]) {
			fake->others[other] = file_get(fake->fds[fd]);
			return other;
		}
	abort();
}

int fake_take(struct fake *fake, int other)
{
	return fd_install(fake, file_get(fake->others[other]));
}

void fake_become_other(struct fake *fake)
{
	memcpy(fake->others, fake->fds, sizeof(fake->others));
	memset(fake->fds, 0, sizeof(fake->fds));
}

void fake_kill_other(struct fake *fake)
{
	for (int fd = 0; fd < FAKE_FDS; fd++) {
		struct file *file = fake->others[fd];

		fake->others[fd] = NULL;
		if (file)
			file_put(fake, file);
	}
}

void fake_kill(struct fake *fake)
{
	while (fake->mappings)
		unmap(fake, &fake->mappings);
	for (int fd = 0; fd < FAKE_FDS; fd++)
		if (fake->fds[fd])
			fake_close(fake, fd);
}

struct ilu *fake_context(struct fake *fake)
{
	const struct ilu_new_opts *opts = &ILU_OPTS(ilu_new_opts, .ops = &fake_ops, .ops_arg = fake);
	struct ilu *ilu = ilu_new(opts);

	/* It is made by one allocation, which may be the one that fails. */
	return ilu ? ilu : ilu_new(opts);
}

/* There is nothing that ilu_free() could close or unmap. */
void fake_lose(struct fake *fake, struct ilu *ilu)
{
	struct fake before = *fake;

	memset(fake, 0, sizeof(*fake));
	ilu_free(ilu);
	*fake = before;
}

/* ---- the machine ---- */

static void card_init(struct card *card, const char *bdf, const char *name, int kind,
		      uint16_t device, uint64_t serial)
{
	unsigned char *config = card->config;

	*card = (struct card) { .bdf = bdf, .name = name, .kind = kind };
	card->config_length = serial ? FAKE_CONFIG : 256;
	memcpy(config, &(uint16_t) { 0x8086 }, 2);
	memcpy(config + 2, &device, 2);
	memcpy(config + 0x2c, &(uint16_t) { 0x1af4 }, 2);
	memcpy(config + 0x2e, &(uint16_t) { 0x1100 }, 2);
	if (!serial)
		return;
	/* AER, then the serial number */
	memcpy(config + 0x100, &(uint32_t) { 0x14010001 }, 4);
	memcpy(config + 0x140, &(uint32_t) { 0x00010003 }, 4);
	memcpy(config + 0x144, &serial, 8);
}

struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	card_init(&fake->cards[0], "0000:01:00.0", "vfio0", 0, 0x10c9, 0x123456789abcdefull);
	card_init(&fake->cards[1], "0000:02:00.0", "vfio1", 0, 0x10c9, 0x123456789abcdf0ull);
	card_init(&fake->cards[2], "0000:03:00.0", "vfio2", 1, 0x10d3, 0);
	fake->time = 1;
	newest = fake;
	return fake;
}

void fake_free(struct fake *fake)
{
	fake_kill(fake);
	fake_kill_other(fake);
	machine_free(fake);
	newest = NULL;
	free(fake);
}

/* ---- in words ---- */

static void print_maps(FILE *out, const struct fake_map *maps)
{
	for (; maps; maps = maps->next)
		fprintf(out, " %llx+%llx:%llx@%llx", (unsigned long long)maps->iova,
			(unsigned long long)maps->length,
			(unsigned long long)(maps->content ? maps->content->ino : 0),
			(unsigned long long)maps->start);
}

static void print_iommufd(FILE *out, const struct file *file)
{
	for (uint32_t id = 1; id < FAKE_OBJECTS; id++) {
		const struct object *object = &file->objects[id];

		if (object->type == OBJECT_FREE)
			continue;
		fprintf(out, "  %u: type %d of %u", id, object->type, object->ioas);
		print_maps(out, object->maps);
		fprintf(out, "\n");
	}
}

static void print_card(FILE *out, const struct card *card)
{
	fprintf(out, "%s: %s hwpt %u%s%s%s irqs", card->bdf, card->file ? "open" : "closed",
		card->hwpt, card->iommufd ? " bound" : "", card->preserved ? " preserved" : "",
		card->on_old ? " incoming" : "");
	for (unsigned int i = 0; i < FAKE_IRQS; i++) {
		fprintf(out, " %u", card->irqs[i]);
		for (unsigned int j = 0; j < card->irqs[i] && j < FAKE_VECTORS; j++)
			fprintf(out, ",%p", (const void *)card->eventfds[i][j]);
	}
	fprintf(out, " command %x\n", card->config[PCI_COMMAND]);
}

static void print_fds(FILE *out, struct file *const *fds, const char *whose)
{
	for (int fd = 0; fd < FAKE_FDS; fd++) {
		const struct file *file = fds[fd];

		if (!file)
			continue;
		fprintf(out, "%s %d: kind %d refs %d\n", whose, fd, file->kind, file->refs);
		if (file->kind == FILE_IOMMUFD)
			print_iommufd(out, file);
	}
}

char *fake_text(const struct fake *fake)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	print_fds(out, fake->fds, "fd");
	print_fds(out, fake->others, "other fd");
	for (const struct mapping *mapping = fake->mappings; mapping; mapping = mapping->next)
		fprintf(out, "mapping of kind %d, %zu\n", mapping->file->kind, mapping->length);
	for (const struct session *session = fake->sessions; session; session = session->next) {
		fprintf(out, "session %s %d %d:", session->name, session->incoming, session->taken);
		for (const struct entry *entry = session->entries; entry; entry = entry->next)
			fprintf(out, " %llx", (unsigned long long)entry->token);
		fprintf(out, "\n");
	}
	for (int i = 0; i < FAKE_CARDS; i++)
		print_card(out, &fake->cards[i]);
	fclose(out);
	return text;
}

static unsigned int count(const struct file *file, enum object_type type)
{
	unsigned int nr = 0;

	for (uint32_t id = 1; file && file->objects && id < FAKE_OBJECTS; id++)
		nr += file->objects[id].type == type;
	return nr;
}

/* Over all iommufds that the process has */
unsigned int fake_count(const struct fake *fake, enum object_type type)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < FAKE_FDS; fd++)
		nr += count(fake->fds[fd], type);
	return nr;
}

unsigned int fake_count_other(const struct fake *fake, enum object_type type)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < FAKE_FDS; fd++)
		nr += count(fake->others[fd], type);
	return nr;
}

unsigned int fake_count_incoming(const struct fake *fake, enum object_type type)
{
	unsigned int nr = 0;

	for (const struct session *session = fake->sessions; session; session = session->next)
		for (const struct entry *entry = session->entries; entry; entry = entry->next)
			nr += session->incoming ? count(entry->file, type) : 0;
	return nr;
}

struct content *fake_manifest(struct fake *fake)
{
	for (struct session *session = fake->sessions; session; session = session->next)
		for (struct entry *entry = session->entries; entry; entry = entry->next)
			if (entry->token == 0x494c550000000000ull)
				return entry->content;
	return NULL;
}
