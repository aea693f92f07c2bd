// SPDX-License-Identifier: GPL-2.0
/*
 * What must not be preserved is refused with the errno that says why, and
 * frames go on arriving as if nothing had been asked for.
 */
#include <errno.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "situations.h"

#define TOKEN_OTHER	10

static int new_session(const char *name)
{
	return must(session_create(name), "create session");
}

static int preserve_memory(const struct receiver *receiver, int session)
{
	return session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY);
}

static int preserve_iommufd(const struct receiver *receiver, int session)
{
	return session_preserve_fd(session, receiver->device.iommufd, TOKEN_IOMMUFD);
}

static int preserve_device(const struct receiver *receiver, int session)
{
	return session_preserve_fd(session, receiver->device.fd, TOKEN_DEVICE);
}

/* Proof that a refusal left nothing behind: the right way still works. */
static void expect_right_order_works(const struct receiver *receiver, const char *after)
{
	int session = new_session("right-order");

	event("note the right order after: %s", after);
	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), 0, "iommufd");
	check_errno(preserve_device(receiver, session), 0, "device");
	close(session);
}

static void refuse_device_without_marked_hwpt(const struct receiver *receiver)
{
	const struct device *device = &receiver->device;
	int session = new_session("unmarked");
	__u32 other;

	must(hwpt_create(device, receiver->ioas_id, &other), "create another HWPT");
	check_errno(hwpt_mark_preserve(device->iommufd, other, TOKEN_OTHER), 0,
		    "mark another HWPT");
	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), 0, "iommufd with another HWPT marked");
	check_errno(preserve_device(receiver, session), ENOENT,
		    "device attached to an unmarked HWPT");
	close(session);
	check_errno(iommufd_destroy(device->iommufd, other), 0, "destroy the other HWPT");
}

static void refuse_wrong_marks(const struct receiver *receiver)
{
	const struct device *device = &receiver->device;
	__u32 other;

	check_errno(hwpt_mark_preserve(device->iommufd, 0x7fffffff, TOKEN_OTHER), ENOENT,
		    "mark of an unknown object");
	check_errno(hwpt_mark_preserve(device->iommufd, receiver->ioas_id, TOKEN_OTHER), ENOENT,
		    "mark of an IOAS");
	check_errno(hwpt_mark_preserve(device->iommufd, receiver->hwpt_id, TOKEN_HWPT), 0, "mark");
	check_errno(hwpt_mark_preserve(device->iommufd, receiver->hwpt_id, TOKEN_HWPT), EEXIST,
		    "mark again");
	check_errno(hwpt_mark_preserve(device->iommufd, receiver->hwpt_id, TOKEN_OTHER), EEXIST,
		    "mark again with another token");
	must(hwpt_create(device, receiver->ioas_id, &other), "create another HWPT");
	check_errno(hwpt_mark_preserve(device->iommufd, other, TOKEN_HWPT), EADDRINUSE,
		    "mark with a token in use");
	check_errno(iommufd_destroy(device->iommufd, other), 0, "destroy the other HWPT");
}

static int create_fault_queue(int iommufd, __u32 *id)
{
	struct iommu_fault_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &alloc))
		return -errno;
	*id = alloc.out_fault_id;
	return alloc.out_fault_fd;
}

static void refuse_fault_capable_hwpt(const struct receiver *receiver)
{
	const struct device *device = &receiver->device;
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = device->id,
		.pt_id = receiver->ioas_id,
	};
	int queue = must(create_fault_queue(device->iommufd, &alloc.fault_id),
			 "create fault queue");

	if (!check(!ioctl(device->iommufd, IOMMU_HWPT_ALLOC, &alloc),
		   "create a fault-capable HWPT: %m"))
		return;
	check_errno(hwpt_mark_preserve(device->iommufd, alloc.out_hwpt_id, TOKEN_OTHER),
		    EOPNOTSUPP, "mark of a fault-capable HWPT");
	iommufd_destroy(device->iommufd, alloc.out_hwpt_id);
	close(queue);
	iommufd_destroy(device->iommufd, alloc.fault_id);
}

static void refuse_device_before_iommufd(const struct receiver *receiver)
{
	int session = new_session("device-first");

	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_device(receiver, session), ENOENT, "device before iommufd");
	close(session);
}

static void refuse_iommufd_before_memory(const struct receiver *receiver)
{
	int session = new_session("iommufd-first");

	check_errno(preserve_iommufd(receiver, session), ENOENT, "iommufd before memfd");
	close(session);
}

static void refuse_memory_of_another_session(const struct receiver *receiver)
{
	int other = new_session("other"), session = new_session("this");

	check_errno(preserve_memory(receiver, other), 0, "memfd in another session");
	check_errno(preserve_iommufd(receiver, session), ENOENT,
		    "iommufd with its memfd in another session");
	close(session);
	close(other);
}

/* Who maps much needs to know which mapping it was, and of what kind. */
static void expect_said_of_extra(const char *what)
{
	char wanted[128];

	snprintf(wanted, sizeof(wanted), "the mapping at IOVA 0x%llx %s", EXTRA_IOVA, what);
	check(log_says(wanted), "the log says: %s", wanted);
}

static void refuse_anonymous_memory(const struct receiver *receiver)
{
	void *memory = extra_anonymous(receiver);
	int session = new_session("anonymous");

	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), EOPNOTSUPP,
		    "iommufd with anonymous memory mapped");
	expect_said_of_extra("is not of a file, but of memory of a process");
	close(session);
	extra_anonymous_end(receiver, memory);
}

enum flaw { FLAW_UNSEALED, FLAW_SEALED_LATE, FLAW_HOLE };

static const char *const flaw_texts[] = {
	[FLAW_UNSEALED] = "iommufd with an unsealed memfd mapped",
	[FLAW_SEALED_LATE] = "iommufd with a memfd mapped that was sealed later",
	[FLAW_HOLE] = "iommufd with a memfd mapped that has got a hole",
};

static int create_touched_memory(void)
{
	int memfd = must(memory_create("extra", EXTRA_SIZE), "create memfd");
	void *memory = mmap(NULL, EXTRA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	memset(memory, 0x5a, EXTRA_SIZE);
	munmap(memory, EXTRA_SIZE);
	return memfd;
}

static void refuse_flawed_memory(const struct receiver *receiver, enum flaw flaw)
{
	int memfd = create_touched_memory(), session = new_session("flawed");

	if (flaw == FLAW_HOLE)
		must(memory_seal(memfd), "seal");
	extra_map(receiver, memfd);
	if (flaw == FLAW_SEALED_LATE)
		must(memory_seal(memfd), "seal");
	if (flaw == FLAW_HOLE)
		extra_punch_hole(memfd);

	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(session_preserve_fd(session, memfd, TOKEN_EXTRA), 0, "extra memfd");
	check_errno(preserve_iommufd(receiver, session), EINVAL, flaw_texts[flaw]);
	close(session);
	extra_unmap(receiver);
	close(memfd);
}

/* It is no file of shmem, so nobody hands it over, nor what it is mapped for. */
static void refuse_memory_of_huge_page_pool(const struct receiver *receiver)
{
	int memfd = extra_huge_pages(receiver), session;

	if (memfd < 0)
		return;
	session = new_session("pool");
	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(session_preserve_fd(session, memfd, TOKEN_EXTRA), ENOENT, "memfd of huge pages");
	check_errno(preserve_iommufd(receiver, session), ENOENT, "iommufd with such a memfd mapped");
	close(session);
	extra_unmap(receiver);
	close(memfd);
}

/* The same card, opened once more: this file is not bound to any iommufd. */
static void refuse_unbound_file(const struct receiver *receiver)
{
	int file = must(device_open_file(receiver->device.bdf), "open the card again");
	int session = new_session("unbound");

	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), 0, "iommufd");
	check_errno(session_preserve_fd(session, file, TOKEN_DEVICE), EINVAL,
		    "file that is not bound");
	close(session);
	close(file);
}

/*
 * Of MSI-X the driver of the IOMMU finds an entry; INTx comes from the I/O APIC, and
 * only vfio-pci knows of it.
 */
static void refuse_kexec_with_interrupts_on(const struct receiver *receiver, unsigned int index)
{
	const struct device *device = &receiver->device;
	int vector = eventfd(0, EFD_CLOEXEC), session;

	must(device_set_interrupts(device, index, 1, &vector), "switch interrupts on");
	session = new_session("interrupts");
	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), 0, "iommufd");
	check_errno(preserve_device(receiver, session), 0, "device with interrupts on");
	prepare_kexec();
	/* Should it not be refused, this kernel tells no more. */
	event("note kexec with interrupts on, index %u", index);
	/* Twice: a refusal must not be used up. */
	check_errno(kexec_jump(), EINVAL, "kexec with interrupts on");
	check_errno(kexec_jump(), EINVAL, "kexec with interrupts on, again");
	check_errno(device_set_interrupts(device, index, 0, NULL), 0, "switch interrupts off");
	close(session);
	close(vector);
}

#define FREEZE_FAILS	"/sys/module/iommu_liveupdate_test/parameters/freeze_fails"

/* The last one who may say no is the driver of the IOMMU. */
static void refuse_kexec_at_freeze(const struct receiver *receiver)
{
	int session;

	if (write_file(FREEZE_FAILS, "1")) {
		event("note this kernel has no test options");
		return;
	}
	session = new_session("freeze");
	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), 0, "iommufd");
	check_errno(preserve_device(receiver, session), 0, "device");
	check_errno(kexec_jump(), EINVAL, "kexec while a live entry differs");
	check_errno(kexec_jump(), EINVAL, "kexec while a live entry differs, again");
	close(session);
	must(write_file(FREEZE_FAILS, "0"), "end of the test option");
}

static void refuse_image_without_data(const struct receiver *receiver)
{
	int error = load_image_without_data(), session;

	if (error == -ENOSYS) {
		event("note this kernel has no kexec_load");
		return;
	}
	must(error, "kexec_load");
	session = new_session("no-data");
	check_errno(preserve_memory(receiver, session), 0, "memfd");
	check_errno(preserve_iommufd(receiver, session), 0, "iommufd");
	check_errno(preserve_device(receiver, session), 0, "device");
	event("note kexec of an image without live update data");
	check_errno(kexec_jump(), EINVAL, "kexec of an image without live update data");
	close(session);
}

/* Each function leaves everything as it was; marks cannot be taken back. */
void refusals_old_kernel(void)
{
	struct receiver receiver;

	receiver_set_up(&receiver);
	traffic_start(&receiver);
	refuse_fault_capable_hwpt(&receiver);
	refuse_device_without_marked_hwpt(&receiver);
	refuse_wrong_marks(&receiver);
	refuse_device_before_iommufd(&receiver);
	refuse_unbound_file(&receiver);
	refuse_iommufd_before_memory(&receiver);
	refuse_memory_of_another_session(&receiver);
	refuse_anonymous_memory(&receiver);
	refuse_flawed_memory(&receiver, FLAW_UNSEALED);
	refuse_flawed_memory(&receiver, FLAW_SEALED_LATE);
	refuse_flawed_memory(&receiver, FLAW_HOLE);
	refuse_memory_of_huge_page_pool(&receiver);
	expect_right_order_works(&receiver, "refusals of preserve");
	refuse_kexec_with_interrupts_on(&receiver, VFIO_PCI_MSIX_IRQ_INDEX);
	refuse_kexec_with_interrupts_on(&receiver, VFIO_PCI_INTX_IRQ_INDEX);
	refuse_kexec_at_freeze(&receiver);
	refuse_image_without_data(&receiver);
	expect_right_order_works(&receiver, "refused kexecs");
	sleep_ms(500);
	traffic_stop();
	receiver_report_landed(&receiver);
}

/* Behind a switch port without ACS the group is shared with the ports. */
void shared_group_old_kernel(void)
{
	struct receiver receiver;
	int session;

	receiver_set_up(&receiver);
	traffic_start(&receiver);
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	session = preserve_memory_only(&receiver);
	check_errno(preserve_iommufd(&receiver, session), 0, "iommufd");
	check_errno(preserve_device(&receiver, session), EOPNOTSUPP, "device in a shared group");
	close(session);
	sleep_ms(500);
	traffic_stop();
	receiver_report_landed(&receiver);
}

static void refuse_ats_device(void)
{
	struct receiver other;
	int session;

	ats_card_set_up(&other);
	session = preserve_memory_only(&other);
	check_errno(preserve_iommufd(&other, session), 0, "iommufd");
	check_errno(preserve_device(&other, session), EOPNOTSUPP, "device with ATS");
	close(session);
}

void ats_old_kernel(void)
{
	struct receiver receiver;

	receiver_set_up(&receiver);
	traffic_start(&receiver);
	refuse_ats_device();
	sleep_ms(500);
	traffic_stop();
	receiver_report_landed(&receiver);
}
