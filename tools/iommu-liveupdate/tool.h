/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the command have in common. */
#ifndef TOOL_H
#define TOOL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "internal.h"
#include "uapi.h"

#define TOOL_NAME	"iommu-liveupdate"
#define TEXT_SIZE	512
#define PATH_SIZE	512

enum exit_code {
	EXIT_FINE = 0,
	EXIT_WOULD_FAIL = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_KNOWN = 3,
	EXIT_NO_SUPPORT = 4,
	EXIT_IS_BUSY = 5,
};

/* What the command calls besides the library's ops; -1 with errno */
struct tool_ops {
	struct ilu_ops ilu;
	/* a duplicate of the descriptor of another process */
	int (*take_fd)(void *arg, pid_t pid, int fd);
	/* the kind of its file system, of statfs(2), its inode and device */
	int (*file_kind)(void *arg, int fd, long *magic, uint64_t *inode, dev_t *device);
};

enum option_kind {
	TAKES_NEXT = 1,		/* --kernel, --initrd, --cmdline */
	TAKES_YES = 2,
	TAKES_WAIT = 4,
};

/* Of the options behind OBJECT COMMAND */
struct options {
	const char *kernel, *initrd, *cmdline, *wait;
	bool yes, waits;
	bool help;
	unsigned int given;	/* which kinds, of enum option_kind */
};

struct tool {
	const struct tool_ops *ops;
	void *arg;		/* of the ops */
	struct ilu *ilu;
	const char *root;	/* before each path; "" but in tests */
	bool json, pretty, quiet;
	bool waited;		/* it was said that it is waited */
	int64_t waiting;

	struct json_object *document, *items;
	char command[64];
	unsigned int passed, warned, failed, unknown;
	bool no_support, busy;
};

struct command {
	const char *name;
	int (*run)(struct tool *tool, int argc, char **argv, const struct options *options);
	int least, most;	/* arguments */
	unsigned int takes;	/* kinds of options */
	const char *usage;
};

struct object {
	const char *name;
	const struct command *commands;	/* the first one stands for none given */
	const char *about;
};

extern const struct object objects[];

/* main.c */
int tool_main(const struct tool_ops *ops, void *arg, int argc, char **argv);
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* output.c */
void item(struct tool *tool, enum ilu_verdict verdict, enum ilu_id id, const char *object,
	  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What failed last in the library's context, about this object */
void item_error(struct tool *tool, const char *object);
void json_text(struct json_object *object, const char *key, const char *value);
void json_number(struct json_object *object, const char *key, int64_t value);
struct json_object *json_string(const char *text);
/* A line for people, when there is no JSON */
void line(struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To standard error, unless it is to be quiet */
void progress(const struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
int exit_code(const struct tool *tool);
void output_end(struct tool *tool, int code);
/* The code, or another one if not all could be written */
int output_written(int code);

/* files.c: below the root */
FILE *file_open(const struct tool *tool, const char *path);
bool file_exists(const struct tool *tool, const char *path);
/* The first line without its end, or up to the first NUL; -errno */
int file_text(const struct tool *tool, const char *path, char *text, size_t size);
int file_textf(const struct tool *tool, char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool file_existsf(const struct tool *tool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* All of it, to be freed; NULL */
unsigned char *file_bytes(const struct tool *tool, const char *path, size_t *length);
/* What a link leads to, or its last part */
int file_link(const struct tool *tool, char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int file_link_name(const struct tool *tool, char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Names of a directory in order, NULL at the end, to be freed by names_free(); NULL */
char **file_names(const struct tool *tool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void names_free(char **names);
unsigned int names_count(char **names);
/* Does a file of this directory have the text in a line that is no comment? */
bool file_mentions(const struct tool *tool, const char *directory, const char *text);
/* All of its files, to be freed; NULL: there is none */
char *directory_text(const struct tool *tool, const char *directory);
/* Bytes behind a text that is to be freed, and a newline. False: they are not added. */
bool text_append(char **text, size_t *length, const unsigned char *bytes, size_t nr);
/* Which of two words comes last in all NAME=WORD,WORD of a command line; "" */
const char *cmdline_last(const char *cmdline, const char *name, const char *one, const char *other);
/* The value of the last NAME= of a command line; false: it is not there */
bool cmdline_value(const char *cmdline, const char *name, char *value, size_t size);
bool cmdline_is_on(const char *cmdline, const char *name);

/* liveupdate.c: 0 or a negative errno, with the library's error */
int luo_test(struct tool *tool, struct liveupdate_ioctl_test_kexec *test);
/* Of each session; the callback returns 0 to go on */
int luo_each_session(struct tool *tool,
		     int (*each)(void *arg, const struct liveupdate_ioctl_list_sessions *session),
		     void *arg);

/* host.c */
void check_host(struct tool *tool);
/* Items about the image and what a kexec would be refused for */
void check_kexec(struct tool *tool);
int systemd_version(const struct tool *tool);

/* device.c */
void check_device(struct tool *tool, const char *bdf);
/* Those that are bound to vfio-pci, to be freed by names_free() */
char **vfio_devices(const struct tool *tool);
bool device_ids(const struct tool *tool, const char *bdf, unsigned int *vendor,
		unsigned int *device);

/* process.c */
void check_process(struct tool *tool, const char *pid);
/* Processes with a device file of VFIO */
char **vfio_processes(const struct tool *tool);
bool device_is_open(const struct tool *tool, const char *bdf);

/* kernel.c */
void check_kernel(struct tool *tool, const struct options *options);

/* image.c */
struct image {
	char version[128];
	uint64_t memory;	/* that it needs to start */
	char *config;		/* "" if it has none */
	char *notes;		/* the records that it and its modules know, each with a newline */
};

/* 0 or -1 with what is wrong */
int image_read(const struct tool *tool, const char *path, struct image *image, const char **wrong);
void image_free(struct image *image);
/* Likewise of this kernel: NULL if it does not say; to be freed */
char *own_records(const struct tool *tool);
/* All that the archive or stream is made of, when it is unpacked; to be freed, NULL */
unsigned char *unpack(const unsigned char *bytes, size_t length, size_t *unpacked);
/* All files of an initrd that have this in their names, to be freed; NULL: there is none */
char *initrd_text(const struct tool *tool, const char *path, const char *name);

/* Each of these is the list of commands of an object. */
extern const struct command check_commands[], device_commands[], session_commands[],
	kexec_commands[], status_commands[], timing_commands[], record_commands[],
	version_commands[];

#endif
