/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Both kernels and the initrd in memories of the library, which go from kernel to kernel
 * in a session of their own: what a host without a disk at hand would do.
 */
#ifndef TESTS_VM_GUEST_IMAGES_H
#define TESTS_VM_GUEST_IMAGES_H

struct images {
	struct ilu *ilu;
};

/* In the first kernel: from the files of its initramfs. */
void images_read(struct images *images);
/* In the next ones: from the session, which stays open and unfinished. */
void images_retrieve(struct images *images);
void images_finish(struct images *images);
void images_preserve(struct images *images);
/* The other kernel, and this one's command line with the next stage. */
int images_next(const struct images *images, char *command_line, unsigned int size);
int images_initrd(const struct images *images);
/* Loads the other kernel, with this one's command line and the next stage. */
void images_prepare_kexec(const struct images *images);

#endif
