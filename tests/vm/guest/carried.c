// SPDX-License-Identifier: GPL-2.0
/*
 * What another program owns. It has made all of it by plain ioctls and knows nothing of the
 * library: a card that receives into a memfd, a ROM in a memfd that cannot be sealed, and
 * interrupts, which are its only reason to look at the ring. A broker on the library takes
 * its descriptors while it stands still. The first kexec is refused, and the owner goes on
 * with all that it had; the second one is not. In the next kernel another owner has the
 * descriptors before it is finished, and the broker lets go of them.
 *
 * The kernels of the rig have no sockets, so descriptors are fetched by pidfd_getfd(2) in the
 * old kernel, and inherited in the next one.
 */
#include <errno.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "old_image.h"
#include "pages.h"
#include "plain.h"
#include "scenarios.h"
#include "vmm.h"

/* Of the ring, and one that the card never raises */
enum { RECEIVE, OTHER, VECTORS };

#define WORK_MS		500
#define ROM_IOVA	0x40000000ull
#define ROM_BYTE	0x5a

/* What an owner tells whoever carries it, and how often it was asked to work, and has. */
struct owner {
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int rom, events[VECTORS];
	volatile unsigned int asked, worked;
};

static struct owner *owner_new(void)
{
	struct owner *owner = mmap(NULL, sizeof(*owner), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (owner == MAP_FAILED)
		give_up("memory of the owner: %m");
	return owner;
}

/* ---- the owner ---- */

/* For the device alone, as a ROM is, and made without MFD_ALLOW_SEALING. */
static void make_rom(struct owner *owner)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = owner->receiver.ioas_id,
		.length = PAGE,
		.iova = ROM_IOVA,
	};
	char page[PAGE];

	memset(page, ROM_BYTE, sizeof(page));
	map.fd = owner->rom = must(memfd_create("rom", MFD_CLOEXEC), "create ROM");
	if (write(owner->rom, page, sizeof(page)) != sizeof(page))
		give_up("write ROM: %m");
	if (ioctl(owner->receiver.device.iommufd, IOMMU_IOAS_MAP_FILE, &map))
		give_up("map ROM: %m");
}

static void map_part(const struct receiver *receiver, __u64 start, __u64 end)
{
	must(ioas_map_file(receiver->device.iommufd, receiver->ioas_id, receiver->memfd, start,
			   end - start, receiver->ring.iova + start), "map memfd");
}

/* The second map does not begin where its file does, and the frames soon come to it. */
static void map_ring(const struct receiver *receiver)
{
	__u64 end_of_first = receiver->size / 32;

	map_part(receiver, 0, end_of_first);
	map_part(receiver, end_of_first, receiver->size);
}

static void make_tables(struct receiver *receiver)
{
	struct device *device = &receiver->device;

	must(ioas_create(device->iommufd, false, &receiver->ioas_id), "create IOAS");
	map_ring(receiver);
	must(hwpt_create(device, receiver->ioas_id, &receiver->hwpt_id), "create HWPT");
	must(device_attach(device, receiver->hwpt_id), "attach");
}

static void arm(struct owner *owner)
{
	for (int i = 0; i < VECTORS; i++)
		owner->events[i] = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	must(device_set_interrupts(&owner->receiver.device, VFIO_PCI_MSIX_IRQ_INDEX, VECTORS,
				   owner->events), "arm interrupts");
}

static void set_up(struct owner *owner)
{
	struct receiver *receiver = &owner->receiver;

	receiver_choose(receiver);
	receiver_find_device(receiver, 0, owner->bdf);
	receiver_create_memory(receiver);
	receiver_open_device(receiver, owner->bdf);
	make_tables(receiver);
	make_rom(owner);
	arm(owner);
	receiver_start(receiver);
	nic_start_interrupts(receiver->device.registers, RECEIVE);
	receiver->rearm = true;
	receiver_report_registers(receiver, owner->bdf, "armed");
	report_pages("base");
	traffic_start(receiver);
}

/* In this order: what lands after the look raises the vector again. */
static void serve(struct owner *owner)
{
	eventfd_t count;

	eventfd_read(owner->events[RECEIVE], &count);
	nic_acknowledge(owner->receiver.device.registers, RECEIVE);
	receiver_take(&owner->receiver);
}

/* Nothing but an interrupt makes it look. */
static void work(struct owner *owner, const char *when)
{
	long long end = monotonic_ns() + WORK_MS * 1000000LL;
	__u32 before = owner->receiver.taken.landed;
	unsigned int wake_ups = 0;

	for (long long left; (left = end - monotonic_ns()) > 0; wake_ups++) {
		struct pollfd event = { .fd = owner->events[RECEIVE], .events = POLLIN };

		if (poll(&event, 1, left / 1000000 + 1) != 1)
			break;
		serve(owner);
	}
	check(wake_ups > 1 && owner->receiver.taken.landed > before,
	      "frames come by interrupts alone %s: %u wake-ups, %u frames", when, wake_ups,
	      owner->receiver.taken.landed - before);
}

static void wait_until_asked(const struct owner *owner, unsigned int times)
{
	while (owner->asked < times)
		sleep_ms(1);
}

/* Stands still in between, as a virtual machine that has been stopped. */
static void run_owner(struct owner *owner)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_up(owner);
	for (;;) {
		wait_until_asked(owner, owner->worked + 1);
		work(owner, "in the old kernel");
		owner->worked++;
	}
}

static pid_t start_owner(struct owner *owner)
{
	pid_t child = fork();

	if (child < 0)
		give_up("fork: %m");
	if (!child)
		run_owner(owner);
	return child;
}

/* Returns when it stands still again. */
static void let_work(struct owner *owner)
{
	owner->asked++;
	while (owner->worked < owner->asked)
		sleep_ms(1);
}

/* ---- the broker ---- */

struct broker {
	struct ilu *ilu;
	struct owner *owner;
	int pidfd;
};

/* A descriptor of the owner's; the library makes a copy. */
static int fetch(const struct broker *broker, int fd)
{
	return must(syscall(SYS_pidfd_getfd, broker->pidfd, fd, 0), "fetch a descriptor");
}

static void add_ring(const struct broker *broker)
{
	int fd = fetch(broker, broker->owner->receiver.memfd);

	must_ilu(broker->ilu, !ilu_memory_add(broker->ilu, "ring", fd), "add the ring");
	close(fd);
}

static struct ilu_space *adopt_space(const struct broker *broker)
{
	const struct receiver *receiver = &broker->owner->receiver;
	int fd = fetch(broker, receiver->device.iommufd);
	struct ilu_space *space;

	must_ilu(broker->ilu, ilu_iommufd_adopt(broker->ilu, fd), "adopt the iommufd");
	close(fd);
	space = ilu_space_adopt(broker->ilu, "dma", receiver->ioas_id);
	must_ilu(broker->ilu, !space, "adopt the space");
	return space;
}

static int is_rom(void *arg, const struct ilu_area *area)
{
	(void)arg;
	check(area->iova == ROM_IOVA && area->length == PAGE && area->flags == ILU_MAP_READ &&
	      area->id == ILU_ID_MEM_NOT_PRESERVED, "the stranger is the ROM");
	return 0;
}

static void replace_rom(const struct broker *broker, struct ilu_space *space)
{
	struct ilu_memory *copy = ilu_memory_create(broker->ilu, "rom", PAGE, NULL);
	int fd = fetch(broker, broker->owner->rom);

	check(ilu_space_strangers(space, is_rom, NULL) == 1, "one thing cannot go along");
	check_errno(ilu_preserve(broker->ilu), ENOENT, "preserve with the ROM");
	must_ilu(broker->ilu, !copy, "copy of the ROM");
	if (pread(fd, ilu_memory_address(copy), PAGE, 0) != PAGE)
		give_up("read ROM: %m");
	must_ilu(broker->ilu, ilu_map_instead(space, ROM_IOVA, copy, 0, fd), "replace the ROM");
	check(!ilu_space_strangers(space, NULL, NULL), "all can go along");
	close(fd);
}

static void adopt_card(const struct broker *broker, struct ilu_space *space)
{
	const struct receiver *receiver = &broker->owner->receiver;
	const struct ilu_device_adopt_opts opts = {
		.size = sizeof(opts),
		.fd = fetch(broker, receiver->device.fd),
		.id = receiver->device.id,
		.hwpt = receiver->hwpt_id,
		.bdf = broker->owner->bdf,
	};
	struct ilu_device *card = ilu_device_adopt(broker->ilu, "nic", &opts, space);
	int events[VECTORS];

	must_ilu(broker->ilu, !card, "adopt the card");
	close(opts.fd);
	for (int i = 0; i < VECTORS; i++)
		events[i] = fetch(broker, broker->owner->events[i]);
	must_ilu(broker->ilu, ilu_device_irqs_adopt(card, VFIO_PCI_MSIX_IRQ_INDEX, VECTORS, events),
		 "adopt the interrupts");
	for (int i = 0; i < VECTORS; i++)
		close(events[i]);
}

static void adopt_all(const struct broker *broker)
{
	struct ilu_space *space;

	add_ring(broker);
	must_ilu(broker->ilu, ilu_preserve_memory(broker->ilu), "preserve the ring early");
	space = adopt_space(broker);
	replace_rom(broker, space);
	adopt_card(broker, space);
	must_ilu(broker->ilu, ilu_preserve(broker->ilu), "preserve");
}

/* The owner has all that it had: the file that is mapped is the ROM again. */
static void expect_original(const struct broker *broker)
{
	struct ilu_space *space = adopt_space(broker);

	add_ring(broker);
	check(ilu_space_strangers(space, is_rom, NULL) == 1, "the ROM is mapped again");
	must_ilu(broker->ilu, ilu_release(broker->ilu), "let go of it again");
}

static void expect_refused_kexec(const struct broker *broker)
{
	must(load_image_without_data(), "load an image without KHO data");
	adopt_all(broker);
	check_errno(ilu_kexec(broker->ilu), EINVAL, "kexec into an image without KHO data");
	must_ilu(broker->ilu, ilu_release(broker->ilu), "let go of it");
	expect_original(broker);
}

void carried_old_kernel(void)
{
	struct broker broker = { .ilu = ilu_new(NULL), .owner = owner_new() };
	pid_t child = start_owner(broker.owner);

	broker.pidfd = must(syscall(SYS_pidfd_open, child, 0), "pidfd of the owner");
	must_ilu(broker.ilu, ilu_session_open(broker.ilu, SESSION_NAME), "open the session");
	let_work(broker.owner);
	expect_refused_kexec(&broker);
	vmm_load_kernel(broker.ilu);
	let_work(broker.owner);
	adopt_all(&broker);
	event_ask("kexec-call");
	must_ilu(broker.ilu, ilu_kexec(broker.ilu), "kexec");
}

/* ---- in the next kernel ---- */

static void restore(const struct broker *broker)
{
	must(pci_bind_vfio(broker->owner->bdf), "bind vfio-pci");
	must_ilu(broker->ilu, ilu_session_open(broker->ilu, SESSION_NAME), "open the session");
	check(ilu_role(broker->ilu) == ILU_ROLE_INCOMING, "the session came in");
	event_ask("switching");
	must_ilu(broker->ilu, ilu_restore(broker->ilu), "restore");
	event_ask("switched");
}

static void arm_again(const struct broker *broker, struct ilu_device *card)
{
	struct owner *owner = broker->owner;

	for (int i = 0; i < VECTORS; i++)
		owner->events[i] = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	must_ilu(broker->ilu, ilu_device_irqs(card, VFIO_PCI_MSIX_IRQ_INDEX, VECTORS,
					      owner->events, ILU_IRQ_INJECT), "arm interrupts");
}

/* What the owner goes on with: descriptors, ids, and where the registers are */
static void hand_over(const struct broker *broker)
{
	struct ilu *ilu = broker->ilu;
	struct receiver *receiver = &broker->owner->receiver;
	struct ilu_device *card = vmm_find_card(ilu, "nic", receiver);

	receiver->memfd = dup(ilu_memory_fd(ilu_memory(ilu, "ring")));
	broker->owner->rom = dup(ilu_memory_fd(ilu_memory(ilu, "rom")));
	receiver->device.iommufd = dup(ilu_iommufd(ilu));
	receiver->device.fd = dup(ilu_device_fd(card));
	receiver->ioas_id = ilu_space_id(ilu_space(ilu, "dma"));
	must_ilu(ilu, ilu_device_pt(card, &receiver->device.id, &receiver->hwpt_id), "ids");
	arm_again(broker, card);
}

/* It makes and destroys something of its own in there: all of it is its own. */
static void expect_ownership(const struct receiver *receiver)
{
	__u32 id;

	must(ioas_create(receiver->device.iommufd, false, &id), "create another IOAS");
	check_errno(iommufd_destroy(receiver->device.iommufd, id), 0, "destroy it");
	check_errno(iommufd_destroy(receiver->device.iommufd, receiver->hwpt_id), EBUSY,
		    "destroy the page table of the card");
	check_errno(device_attach(&receiver->device, receiver->hwpt_id), 0,
		    "attach the card to where it is");
}

/* The registers are mapped before, as they are inherited. */
static void run_next_owner(struct owner *owner)
{
	struct receiver *receiver = &owner->receiver;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	receiver_map_memory(receiver);
	receiver_resume(receiver);
	receiver->rearm = true;
	work(owner, "in the next kernel");
	wait_until_asked(owner, 1);
	expect_ownership(receiver);
	work(owner, "when the broker has let go");
	expect_growth(receiver);
	receiver_report_registers(receiver, owner->bdf, "end");
	traffic_stop();
	receiver_report_landed(receiver);
	_exit(0);
}

static void close_copies(const struct owner *owner)
{
	close(owner->receiver.memfd);
	close(owner->rom);
	close(owner->receiver.device.iommufd);
	close(owner->receiver.device.fd);
	for (int i = 0; i < VECTORS; i++)
		close(owner->events[i]);
}

static void let_go(struct broker *broker)
{
	must_ilu(broker->ilu, ilu_finish(broker->ilu), "finish");
	event_ask("finished");
	report_pages("finished");
	must_ilu(broker->ilu, ilu_release(broker->ilu), "let go of it");
	ilu_free(broker->ilu);
	close_copies(broker->owner);
}

void carried_new_kernel(void)
{
	struct broker broker = { .ilu = ilu_new(NULL), .owner = owner_new() };
	struct owner *owner = broker.owner;
	int status = -1;
	pid_t child;

	receiver_choose(&owner->receiver);
	must(pci_find(owner->receiver.model->vendor, owner->receiver.model->device, 0, owner->bdf),
	     "find the network card");
	receiver_report_registers(&owner->receiver, owner->bdf, "after");
	restore(&broker);
	hand_over(&broker);
	child = fork();
	if (child < 0)
		give_up("fork: %m");
	if (!child)
		run_next_owner(owner);
	let_go(&broker);
	owner->asked = 1;
	waitpid(child, &status, 0);
	check(!status, "the next owner has ended by itself: status 0x%x", status);
}
