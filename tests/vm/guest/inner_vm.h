/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine inside the machine, run by an unmodified QEMU with cards that are passed
 * through to it; tests/vm/inner/init.c is all that runs in it, and says how it is.
 */
#ifndef TESTS_VM_GUEST_INNER_VM_H
#define TESTS_VM_GUEST_INNER_VM_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "device.h"

#define INNER_CARDS	2
#define INNER_STREAMS	2
#define INNER_CPUS	4

/* What it has told last of itself */
struct inner_tick {
	unsigned long number, backwards, rounds, wrong, again, counts[INNER_CPUS];
	long long leap_ms;
	int cpus;
	char came[INNER_STREAMS][320];	/* numbers of frames of each stream: "0-17,19-20" */
};

struct inner_vm {
	char name[16];
	char cards[INNER_CARDS][BDF_LENGTH];
	int card_count, cpus;
	pid_t qemu;		/* 0: somebody else's child */
	FILE *says;		/* its serial port, a file of this machine */
	char line[1024];
	size_t length;
	bool ready, trouble;
	struct inner_tick tick;
};

/* Its cards are vfio-pci's. */
void inner_vm_init(struct inner_vm *vm, int number);
void inner_vm_add_card(struct inner_vm *vm, const char *bdf);
/* QEMU as an administrator would start it */
void inner_vm_start(struct inner_vm *vm);
/* Reads what it has said by now, and passes on what the host has to know. */
void inner_vm_listen(struct inner_vm *vm);
/* All of them, for so long */
void inner_vms_listen(struct inner_vm *vms, int count, int milliseconds);
void inner_vms_wait_until_ready(struct inner_vm *vms, int count);
/* Its memory is what it was, its clocks go forward, its processors and it itself go on. */
void inner_vm_judge(struct inner_vm *vm, const struct inner_tick *before);
/* Tells the host which frames it had at its last tick. */
void inner_vm_tell_frames(const struct inner_vm *vm);
/* What its QEMU has complained of, which is not much */
void inner_vm_tell_complaints(struct inner_vm *vm);
void inner_vm_kill(struct inner_vm *vm);

/* ---- harms, for who wants to see that they are noticed ---- */

/* A word of the pattern that it has in its memory is another one from now on. */
void inner_vm_spoil_memory(const struct inner_vm *vm);

#endif
