// SPDX-License-Identifier: GPL-2.0
/*
 * A program on the library, with two cards, a memory for each, and one iommufd with all of
 * that, dies by SIGKILL before each of its ioctls in turn, in either kernel. Who comes to a
 * call before which nobody has died so far dies there. Calls are told by their request, and
 * by how often the same program has made such a one: so it does not matter that one has to
 * make more calls than another until it is there. Who meets no such call is the last.
 *
 * Before the kexec the machine has to be as if nothing had been, each time. After it the
 * cards receive all the time, and the next program goes on wherever that one was.
 */
#include <errno.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "machine.h"
#include "pages.h"
#include "preserve.h"
#include "scenarios.h"
#include "shown.h"
#include "two_cards.h"
#include "vmm.h"

#define CARDS		2
#define KINDS		32
/* In both kernels, without those calls that look for what others have left */
#define DEATHS_WANTED	60
/* More than a program here has; ids are the lowest ones that are free. */
#define IDS		1024

/* Calls with this request: before how many of those that a program makes one has died */
struct kind {
	unsigned long request;
	unsigned int deaths;
};

/* What goes along with the machine */
struct note {
	unsigned int deaths, searches;
	unsigned int ids;		/* of a program that has all it needs */
};

struct card {
	const char *name;
	struct receiver receiver;
	struct ilu_device *device;
	char bdf[BDF_LENGTH];
};

struct program {
	struct ilu *ilu;
	struct card cards[CARDS];
	int iommufd;
	bool jumps;
	struct kind *kinds;		/* shared by all; NULL: it does not die */
	unsigned int made[KINDS];
	struct note note;
};

/* ---- death ---- */

static struct kind *share_kinds(void)
{
	void *kinds = mmap(NULL, KINDS * sizeof(struct kind), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (kinds == MAP_FAILED)
		give_up("shared memory: %m");
	return kinds;
}

static unsigned int kind_of(const struct program *program, unsigned long request)
{
	unsigned int kind = 0;

	while (program->kinds[kind].request && program->kinds[kind].request != request)
		if (++kind == KINDS)
			give_up("there are more kinds of calls");
	program->kinds[kind].request = request;
	return kind;
}

static void die_if_nobody_has(struct program *program, unsigned long request)
{
	unsigned int kind = kind_of(program, request);

	if (++program->made[kind] <= program->kinds[kind].deaths)
		return;
	event("note dies before call 0x%lx of its kind %u", request, program->made[kind]);
	program->kinds[kind].deaths++;
	raise(SIGKILL);
}

static int ioctl_or_die(void *arg, int fd, unsigned long request, void *data)
{
	struct program *program = arg;

	if (program->kinds)
		die_if_nobody_has(program, request);
	if (request == VFIO_DEVICE_BIND_IOMMUFD)
		program->iommufd = ((struct vfio_device_bind_iommufd *)data)->iommufd;
	return ioctl(fd, request, data);
}

static int jump_or_end(void *arg)
{
	const struct program *program = arg;

	if (!program->jumps)
		_exit(0);
	errno = -announce_and_jump();
	return -1;
}

/* It dies, or it comes to its end. */
static bool dies(struct program *program, void (*live)(struct program *program))
{
	pid_t child = fork();
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child) {
		live(program);
		_exit(0);
	}
	/* Its files are closed when it can be waited for. */
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return false;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		give_up("the program ended with status 0x%x", status);
	return true;
}

static void count_deaths(struct program *program)
{
	for (const struct kind *kind = program->kinds; kind->request; kind++) {
		if (kind->request == IOMMU_DESTROY)
			program->note.searches += kind->deaths;
		else
			program->note.deaths += kind->deaths;
	}
}

/* ---- one program for both kernels ---- */

static void choose_cards(struct program *program)
{
	memset(program, 0, sizeof(*program));
	program->cards[0].name = "first";
	program->cards[1].name = "second";
	receiver_choose(&program->cards[0].receiver);
	program->cards[0].receiver.rearm = true;
	two_cards_choose_second(&program->cards[1].receiver);
}

static void begin(struct program *program)
{
	const struct ilu_ops ops = {
		.size = sizeof(ops),
		.ioctl = ioctl_or_die,
		.reboot_kexec = jump_or_end,
	};

	program->ilu = ilu_new(&ILU_OPTS(ilu_new_opts, .ops = &ops, .ops_arg = program));
	if (!program->ilu)
		give_up("the library: %m");
	must_ilu(program->ilu, ilu_session_open(program->ilu, SESSION_NAME), "open the session");
}

static void find_parts_of(const struct program *program, struct card *card)
{
	vmm_find_memory(program->ilu, card->name, &card->receiver);
	card->device = vmm_find_card(program->ilu, card->name, &card->receiver);
}

static void arm(const struct program *program, const struct card *card)
{
	int interrupt = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");

	must_ilu(program->ilu, ilu_device_irqs(card->device, VFIO_PCI_MSIX_IRQ_INDEX, 1, &interrupt,
					       ILU_IRQ_INJECT), "arm an interrupt");
	close(interrupt);
}

static void find_parts(struct program *program)
{
	for (int i = 0; i < CARDS; i++)
		find_parts_of(program, &program->cards[i]);
	for (int i = 0; i < CARDS; i++)
		arm(program, &program->cards[i]);
}

static void receive(struct program *program, int milliseconds)
{
	two_cards_receive(&program->cards[0].receiver, &program->cards[1].receiver, milliseconds);
}

/* All that there are; what is nobody's any more is destroyed by it. */
static void count_ids(const struct program *program, unsigned int *in_use, unsigned int *left)
{
	*in_use = *left = 0;
	for (__u32 id = 1; id <= IDS; id++) {
		int error = iommufd_destroy(program->iommufd, id);

		*in_use += error == -EBUSY;
		*left += !error;
	}
}

/* ---- the old kernel ---- */

static void set_up(const struct program *program)
{
	struct ilu_space *dma = ilu_space_create(program->ilu, "dma");

	must_ilu(program->ilu, !dma, "space");
	for (int i = 0; i < CARDS; i++) {
		const struct card *card = &program->cards[i];
		size_t size = card->receiver.size;
		struct ilu_memory *memory = ilu_memory_create(program->ilu, card->name, size, NULL);

		must_ilu(program->ilu, !memory, "memory");
		must_ilu(program->ilu, ilu_map(dma, card->receiver.ring.iova, memory, 0, size,
					       ILU_MAP_RW), "map");
	}
	for (int i = 0; i < CARDS; i++)
		must_ilu(program->ilu, !ilu_device_open(program->ilu, program->cards[i].name,
							program->cards[i].bdf, dma), "open a card");
}

static void start(const struct program *program, struct card *card)
{
	struct receiver *receiver = &card->receiver;

	/* The pattern is for who is judged. */
	if (program->jumps)
		receiver_fill_pattern(receiver);
	else
		rx_ring_fill_descriptors(&receiver->ring);
	vmm_start_card(program->ilu, card->device, receiver);
}

static void be_judged(struct program *program)
{
	struct note *note = &program->note;
	unsigned int left;

	receiver_report_registers(&program->cards[0].receiver, program->cards[0].bdf, "armed");
	traffic_start(&program->cards[0].receiver);
	receive(program, 500);
	count_ids(program, &note->ids, &left);
	check(note->ids && !left, "ids in the iommufd: %u, and %u are nobody's", note->ids, left);
	report_pages("base");
}

/* Comes back only when the kexec was refused. */
static void live(struct program *program)
{
	begin(program);
	set_up(program);
	find_parts(program);
	for (int i = 0; i < CARDS; i++)
		start(program, &program->cards[i]);
	if (program->jumps)
		be_judged(program);
	must_ilu(program->ilu, ilu_blob_set(program->ilu, "note", &program->note,
					    sizeof(program->note)), "note");
	must_ilu(program->ilu, ilu_preserve(program->ilu), "preserve");
	must_ilu(program->ilu, ilu_kexec(program->ilu), "kexec");
}

static void expect_stopped_card(const struct card *card)
{
	__u16 command = PCI_COMMAND_MASTER;

	must(pci_config_read(card->bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	check(!(command & PCI_COMMAND_MASTER), "bus mastering of the %s card is off: command 0x%x",
	      card->name, command);
}

static void expect_as_before(const struct program *program, const struct page_counts *before)
{
	struct page_counts now;

	count_pages(&now);
	check(now.iommu == before->iommu && now.secondary == before->secondary && !now.unclaimed,
	      "pages of the IOMMU are what they were: %lu and %lu, now %lu and %lu", before->iommu,
	      before->secondary, now.iommu, now.secondary);
	expect_none_shown("outgoing");
	for (int i = 0; i < CARDS; i++)
		expect_stopped_card(&program->cards[i]);
}

/* One that comes to its end first: what is there then is what there was before. */
static void die_before_the_kexec(struct program *program)
{
	struct page_counts before;

	if (dies(program, live))
		give_up("the program died before its time");
	count_pages(&before);
	program->kinds = share_kinds();
	while (dies(program, live))
		expect_as_before(program, &before);
	expect_as_before(program, &before);
	count_deaths(program);
	program->kinds = NULL;
}

void killed_calls_old_kernel(void)
{
	struct program program;

	prepare_kexec();
	choose_cards(&program);
	for (int i = 0; i < CARDS; i++)
		receiver_find_device(&program.cards[i].receiver, i, program.cards[i].bdf);
	die_before_the_kexec(&program);
	program.jumps = true;
	live(&program);
}

/* ---- the next one ---- */

static void find_cards(struct program *program)
{
	for (int i = 0; i < CARDS; i++) {
		struct card *card = &program->cards[i];

		must(pci_find(card->receiver.model->vendor, card->receiver.model->device, i,
			      card->bdf), "find a card");
		must(pci_bind_vfio(card->bdf), "bind vfio-pci");
	}
}

static void restore(struct program *program)
{
	check(ilu_role(program->ilu) == ILU_ROLE_INCOMING, "the session came in");
	event_ask("switching");
	must_ilu(program->ilu, ilu_restore(program->ilu), "restore");
	event_ask("switched");
	if (ilu_blob_get(program->ilu, "note", &program->note, sizeof(program->note)) !=
	    sizeof(program->note))
		give_up("the note is not there");
}

/* Who dies later has told the host of all that it has taken. */
static void resume(struct program *program)
{
	find_parts(program);
	for (int i = 0; i < CARDS; i++) {
		receiver_resume(&program->cards[i].receiver);
		receiver_take(&program->cards[i].receiver);
	}
}

static void finish(struct program *program)
{
	unsigned int in_use, left;

	must_ilu(program->ilu, ilu_finish(program->ilu), "finish");
	event_ask("finished");
	report_pages("finished");
	count_ids(program, &in_use, &left);
	check(in_use == program->note.ids && !left,
	      "ids in the iommufd: %u, as before %u, and %u are nobody's", in_use,
	      program->note.ids, left);
}

static void expect_growth_of_both(struct program *program)
{
	__u32 before[CARDS];

	for (int i = 0; i < CARDS; i++)
		before[i] = program->cards[i].receiver.taken.landed;
	receive(program, 1000);
	for (int i = 0; i < CARDS; i++)
		check(program->cards[i].receiver.taken.landed > before[i],
		      "the %s card goes on: %u, then %u", program->cards[i].name, before[i],
		      program->cards[i].receiver.taken.landed);
}

static void end(struct program *program)
{
	expect_growth_of_both(program);
	receiver_report_registers(&program->cards[0].receiver, program->cards[0].bdf, "end");
	traffic_stop();
	for (int i = 0; i < CARDS; i++)
		receiver_report_landed(&program->cards[i].receiver);
	ilu_free(program->ilu);
}

static void expect_deaths(struct program *program)
{
	const struct note *note = &program->note;
	unsigned int before = note->deaths + note->searches;

	count_deaths(program);
	program->kinds = NULL;
	check(note->deaths >= DEATHS_WANTED, "killed before each of %u ioctls, of %u before the kexec; "
	      "%u of all look for what others have left", note->deaths + note->searches, before,
	      note->searches);
}

static void take_over(struct program *program)
{
	begin(program);
	restore(program);
	resume(program);
	finish(program);
	expect_deaths(program);
	end(program);
}

void killed_calls_new_kernel(void)
{
	struct program program;

	choose_cards(&program);
	find_cards(&program);
	receiver_report_registers(&program.cards[0].receiver, program.cards[0].bdf, "after");
	event("reclaimed");
	program.kinds = share_kinds();
	while (dies(&program, take_over))
		;
}
