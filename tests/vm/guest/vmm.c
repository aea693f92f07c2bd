// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "vmm.h"

#define RING	"ring"
#define SPACE	"dma"
#define CARD	"nic"

void must_ilu(const struct ilu *ilu, int failed, const char *what)
{
	const struct ilu_error *error = ilu_error(ilu);

	if (failed)
		give_up("%s: %s: %s: %s", what, error->object, error->call, error->text);
}

/* ---- pieces ---- */

void vmm_find_memory(struct ilu *ilu, const char *name, struct receiver *receiver)
{
	struct ilu_memory *memory = ilu_memory(ilu, name);

	must_ilu(ilu, !memory, "find the memory");
	receiver->ring.memory = ilu_memory_address(memory);
	must_ilu(ilu, !receiver->ring.memory, "map the memory");
}

struct ilu_device *vmm_find_card(struct ilu *ilu, const char *name, struct receiver *receiver)
{
	struct ilu_device *card = ilu_device(ilu, name);

	must_ilu(ilu, !card, "find the card");
	receiver->device.registers = ilu_device_bar(card, 0, NULL);
	must_ilu(ilu, !receiver->device.registers, "map the card's registers");
	return card;
}

/* The pattern is in memory before any device is. */
void vmm_make(struct ilu *ilu, struct receiver *receiver, const char *bdf)
{
	struct ilu_memory *memory = ilu_memory_create(ilu, RING, receiver->size, NULL);
	struct ilu_space *space;

	must_ilu(ilu, !memory, "memory");
	vmm_find_memory(ilu, RING, receiver);
	receiver_fill_pattern(receiver);
	space = ilu_space_create(ilu, SPACE);
	must_ilu(ilu, !space, "space");
	must_ilu(ilu, ilu_map(space, receiver->ring.iova, memory, 0, receiver->size, ILU_MAP_RW),
		 "map");
	must_ilu(ilu, !ilu_device_open(ilu, CARD, bdf, space), "open the card");
}

void vmm_start_card(const struct ilu *ilu, const struct ilu_device *card,
		    const struct receiver *receiver)
{
	must(nic_reset(receiver->model, receiver->device.registers), "reset network card");
	must_ilu(ilu, ilu_device_allow_dma(card), "allow DMA");
	nic_start_receive(receiver->model, receiver->device.registers, &receiver->ring);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		give_up("%s: %m", path);
	return fd;
}

void vmm_load_kernel(struct ilu *ilu)
{
	int kernel = open_file("/bzImage"), initrd = open_file("/initrd");
	char command_line[2048];

	read_file("/next-cmdline", command_line, sizeof(command_line));
	must_ilu(ilu, ilu_kexec_load(ilu, kernel, initrd, command_line), "load the next kernel");
	close(kernel);
	close(initrd);
}

/* ---- in either kernel ---- */

/* Of all that there is to do the last thing is the switch. */
static void note_progress(void *arg, unsigned int done, unsigned int of, const char *what)
{
	struct vmm *vmm = arg;

	(void)what;
	vmm->steps_left = of - done;
}

void vmm_begin(struct vmm *vmm)
{
	memset(vmm, 0, sizeof(*vmm));
	vmm->ilu = ilu_new(&ILU_OPTS(ilu_new_opts, .progress = note_progress, .progress_arg = vmm));
	if (!vmm->ilu)
		give_up("the library: %m");
	receiver_choose(&vmm->receiver);
}

static void open_session(struct vmm *vmm)
{
	must_ilu(vmm->ilu, ilu_session_open(vmm->ilu, SESSION_NAME), "open the session");
}

/* ---- the old kernel ---- */

void vmm_set_up(struct vmm *vmm)
{
	struct receiver *receiver = &vmm->receiver;

	open_session(vmm);
	receiver_find_device(receiver, 0, vmm->bdf);
	vmm_make(vmm->ilu, receiver, vmm->bdf);
	vmm_start_card(vmm->ilu, vmm_find_card(vmm->ilu, CARD, receiver), receiver);
	receiver_report_registers(receiver, vmm->bdf, "armed");
}

void vmm_start_receiving(struct vmm *vmm, int milliseconds)
{
	vmm_begin(vmm);
	vmm_load_kernel(vmm->ilu);
	vmm_set_up(vmm);
	vmm->receiver.rearm = true;
	traffic_start(&vmm->receiver);
	receiver_receive(&vmm->receiver, milliseconds);
}

void vmm_preserve(struct vmm *vmm)
{
	must_ilu(vmm->ilu, ilu_preserve(vmm->ilu), "preserve");
}

void vmm_jump(struct vmm *vmm)
{
	event_ask("kexec-call");
	must_ilu(vmm->ilu, ilu_kexec(vmm->ilu), "kexec");
}

/* ---- the next one ---- */

void vmm_begin_again(struct vmm *vmm)
{
	struct receiver *receiver = &vmm->receiver;

	vmm_begin(vmm);
	must(pci_find(receiver->model->vendor, receiver->model->device, 0, vmm->bdf),
	     "find the network card");
	receiver_report_registers(receiver, vmm->bdf, "after");
}

/* Whether there was one more; each has to work at once. */
static bool take_step(struct vmm *vmm)
{
	int more = ilu_restore_step(vmm->ilu);

	must_ilu(vmm->ilu, more < 0, "restore");
	return more > 0;
}

/* There is something to be found yet. */
static void must_take_step(struct vmm *vmm)
{
	if (!take_step(vmm))
		give_up("all is restored, and something is missing");
}

void vmm_take_memory(struct vmm *vmm)
{
	must(pci_bind_vfio(vmm->bdf), "bind vfio-pci");
	open_session(vmm);
	check(ilu_role(vmm->ilu) == ILU_ROLE_INCOMING, "the session came in");
	while (!ilu_memory(vmm->ilu, RING))
		must_take_step(vmm);
	vmm_find_memory(vmm->ilu, RING, &vmm->receiver);
	event("memory-retrieved");
}

void vmm_take_device(struct vmm *vmm)
{
	while (!ilu_device(vmm->ilu, CARD))
		must_take_step(vmm);
	event("reclaimed");
}

void vmm_take_card(struct vmm *vmm)
{
	vmm_take_device(vmm);
	vmm_find_card(vmm->ilu, CARD, &vmm->receiver);
	receiver_resume(&vmm->receiver);
}

void vmm_switch(struct vmm *vmm)
{
	while (vmm->steps_left > 1)
		must_take_step(vmm);
	event_ask("switching");
	while (take_step(vmm))
		;
	event_ask("switched");
}

void vmm_finish(struct vmm *vmm)
{
	must_ilu(vmm->ilu, ilu_finish(vmm->ilu), "finish");
	event_ask("finished");
}

void vmm_take_back(struct vmm *vmm)
{
	vmm_take_memory(vmm);
	vmm_take_card(vmm);
	vmm_switch(vmm);
	vmm_finish(vmm);
}

void vmm_end(struct vmm *vmm)
{
	struct receiver *receiver = &vmm->receiver;

	expect_growth(receiver);
	receiver_report_registers(receiver, vmm->bdf, "end");
	traffic_stop();
	receiver_report_landed(receiver);
	ilu_free(vmm->ilu);
}
