/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that owns an iommufd, spaces, devices and interrupts, and knows nothing of the
 * library: it makes them by plain calls, as a virtual machine does, and maps what the
 * program of program.h maps, and a memfd that cannot be sealed. It is the other process of
 * the fake. And a broker, with the library, that has copies of its descriptors, takes all
 * that to the next kernel, and gives it to another owner there.
 */
#ifndef TESTS_LIB_BROKER_H
#define TESTS_LIB_BROKER_H

#include "program.h"

#define BIOS_IOVA	0x30000000ull
#define NR_MSIX		3	/* the second one has no eventfd */

/* Descriptors are those of the other process. */
struct owner {
	int iommufd, ram, rom, bios, devices[FAKE_CARDS], eventfds[NR_MSIX + 1];
	uint32_t ioas[2], ids[FAKE_CARDS], hwpts[FAKE_CARDS];
};

/* All of it once and taken back, then once more, to the kexec; the first time and later */
extern const struct step broker_first_steps[], broker_later_steps[];
/* Likewise, without what can be gone without, and without the kexec. */
extern const struct step broker_adopt_steps[];
/* In the next kernel, until another owner has it, and nobody else. */
extern const struct step broker_back_steps[];

void owner_build(struct fake *fake, struct owner *owner);
/* What a broker that died may have left: interrupts off, something else for the BIOS. */
void owner_mend(struct fake *fake, const struct owner *owner);
long owner_ioctl(struct fake *fake, const struct owner *owner, unsigned long request, void *data);
/* Maps there; a descriptor of the other process */
void owner_map(struct fake *fake, const struct owner *owner, uint32_t ioas, int fd, uint64_t iova,
	       uint64_t start, uint64_t length, uint32_t flags);
/* Something that is of no file */
void owner_map_type(struct fake *fake, const struct owner *owner, uint32_t ioas, uint64_t iova,
		    uint32_t type);
void owner_unmap(struct fake *fake, const struct owner *owner, uint32_t ioas, uint64_t iova,
		 uint64_t length);
/* All of it works as when it was made. */
void owner_check(struct program *program);

/* A machine with an owner in it, and a broker that has nothing so far */
struct fake *broker_start(struct program *program, struct owner *owner);
void broker_end(struct program *program);
/* Kills the last owner as well; nothing is left. */
void broker_end_all(struct program *program);

#endif
