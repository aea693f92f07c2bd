// SPDX-License-Identifier: GPL-2.0
/*
 * Situations in which something would be refused, each really made: the operator's command
 * names the reason, and ends as it should, before it is tried; then it is tried, and the
 * kernel does refuse it. What it calls fine is not refused. Frames go on arriving.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "situations.h"
#include "spare.h"

#define NOBODY		65534
#define FREEZE_FAILS	"/sys/module/iommu_liveupdate_test/parameters/freeze_fails"

void check_program(struct operator *operator, int code, const char *items)
{
	operator_types(operator, "check pid %d", (int)getpid());
	operator_expects(operator, code, items);
}

void check_kexec(struct operator *operator, int code, const char *items)
{
	operator_types(operator, "kexec test");
	operator_expects(operator, code, items);
}

void check_device(struct operator *operator, const char *bdf, int code, const char *items)
{
	operator_types(operator, "check device %s", bdf);
	operator_expects(operator, code, items);
}

/* ---- the driver ---- */

static void bind_to(const char *bdf, const char *driver)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", bdf);
	must(write_file(path, driver), "driver_override");
	must(write_file("/sys/bus/pci/drivers_probe", bdf), "drivers_probe");
}

static void unbind(const char *bdf)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", bdf);
	must(write_file(path, bdf), "unbind");
}

/* The port above the card has a driver, too. */
static void check_port(struct operator *operator)
{
	check_device(operator, "0000:00:04.0", 1,
		     "FAIL dev.driver, FAIL dev.bridge, WARN dev.no-reset");
	check_device(operator, "0000:7f:00.0", 1, "FAIL dev.none");
}

static void refuse_other_drivers(struct operator *operator)
{
	struct receiver spare;
	char bdf[BDF_LENGTH];

	receiver_choose(&spare);
	must(pci_find(spare.model->vendor, spare.model->device, 1, bdf), "find the second card");
	check_device(operator, bdf, 1, "FAIL dev.driver");
	operator_sees(operator, "its driver is none");
	check(device_open_file(bdf) < 0, "a card without a driver has no file");
	if (access("/sys/bus/pci/drivers/pci-stub", F_OK)) {
		event("note this kernel has no pci-stub");
		return;
	}
	bind_to(bdf, "pci-stub");
	check_device(operator, bdf, 1, "FAIL dev.driver");
	operator_sees(operator, "its driver is pci-stub");
	check(device_open_file(bdf) < 0, "a card of another driver has no file");
	unbind(bdf);
}

/* vfio-pci lets a card sleep that nobody has open, and wakes it up for who binds it. */
static void sleep_until_opened(struct operator *operator)
{
	struct receiver spare;
	char bdf[BDF_LENGTH], path[128], state[16];

	receiver_choose(&spare);
	receiver_find_device(&spare, 1, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power_state", bdf);
	for (int waited = 0; waited < 2000 && !strcmp(read_file(path, state, sizeof(state)), "D0");
	     waited += 50)
		sleep_ms(50);
	event("note the spare card is in %s", state);
	check_device(operator, bdf, 0, "");
}

/* ---- memory ---- */

int preserve_all(const struct receiver *receiver, int session)
{
	const struct device *device = &receiver->device;
	int error = session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY);

	if (!error)
		error = session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD);
	if (!error)
		error = session_preserve_fd(session, device->fd, TOKEN_DEVICE);
	return error;
}

/* A refused session is closed, as the library does, and leaves nothing behind. */
void try_to_preserve(const struct receiver *receiver, int memfd, int error, const char *what)
{
	int session = must(session_create("trial"), "create session");

	if (memfd >= 0)
		session_preserve_fd(session, memfd, TOKEN_EXTRA);
	check_errno(preserve_all(receiver, session), error, what);
	close(session);
}

static void pass_what_is_fine(struct operator *operator)
{
	check_program(operator, 0, "");
	check_device(operator, operator->receiver->device.bdf, 0, "");
	try_to_preserve(operator->receiver, -1, 0, "a program with which all is fine");
}

static void refuse_anonymous_memory(struct operator *operator)
{
	const struct receiver *receiver = operator->receiver;
	void *memory = extra_anonymous(receiver);

	check_program(operator, 1, "FAIL mem.not-file");
	operator_sees(operator, "0x30000000");
	try_to_preserve(receiver, -1, EOPNOTSUPP, "with anonymous memory mapped");
	extra_anonymous_end(receiver, memory);
}

enum flaw { FLAW_UNSEALED, FLAW_SEALED_LATE, FLAW_CLOSED };

static void refuse_flawed_memory(struct operator *operator, enum flaw flaw, const char *what)
{
	const struct receiver *receiver = operator->receiver;
	int memfd = must(memory_create("extra", EXTRA_SIZE), "create memfd");

	extra_map(receiver, memfd);
	if (flaw == FLAW_SEALED_LATE)
		must(memory_seal(memfd), "seal");
	if (flaw == FLAW_CLOSED) {
		close(memfd);
		memfd = -1;
	}
	check_program(operator, 1, "FAIL mem.unsealed");
	try_to_preserve(receiver, memfd, EINVAL, what);
	extra_unmap(receiver);
	if (memfd >= 0)
		close(memfd);
}

/* Sealed before it is mapped, but closed: who could preserve it is not to be seen. */
static void refuse_closed_memory(struct operator *operator)
{
	const struct receiver *receiver = operator->receiver;
	int memfd = must(memory_create("closed", EXTRA_SIZE), "create memfd");

	must(memory_seal(memfd), "seal");
	extra_map(receiver, memfd);
	check_program(operator, 0, "");
	close(memfd);
	check_program(operator, 3, "UNKNOWN mem.not-preserved");
	try_to_preserve(receiver, -1, ENOENT, "with memory mapped whose file is closed");
	extra_unmap(receiver);
}

static void refuse_memory_of_huge_page_pool(struct operator *operator)
{
	const struct receiver *receiver = operator->receiver;
	int memfd = extra_huge_pages(receiver);

	if (memfd < 0)
		return;
	check_program(operator, 1, "FAIL mem.hugetlb");
	try_to_preserve(receiver, memfd, ENOENT, "with memory of hugetlbfs mapped");
	extra_unmap(receiver);
	close(memfd);
}

/* ---- what was tried, and by whom: the session knows why it was refused ---- */

static void refuse_unmarked(struct operator *operator)
{
	const struct receiver *receiver = operator->receiver;
	int session = must(session_create("unmarked"), "create session");

	check_errno(preserve_all(receiver, session), ENOENT, "device on an unmarked HWPT");
	check_program(operator, 1, "FAIL hwpt.unmarked");
	operator_sees(operator, "unmarked");
	close(session);
	check_program(operator, 0, "");
	must(hwpt_mark_preserve(receiver->device.iommufd, receiver->hwpt_id, TOKEN_HWPT), "mark");
}

static void refuse_hole(struct operator *operator)
{
	const struct receiver *receiver = operator->receiver;
	int memfd = must(memory_create("extra", EXTRA_SIZE), "create memfd");
	int session = must(session_create("hole"), "create session");

	must(memory_seal(memfd), "seal");
	extra_map(receiver, memfd);
	extra_punch_hole(memfd);
	must(session_preserve_fd(session, memfd, TOKEN_EXTRA), "extra memfd");
	check_errno(preserve_all(receiver, session), EINVAL, "with a memfd mapped that has a hole");
	check_program(operator, 1, "FAIL mem.changed");
	close(session);
	extra_unmap(receiver);
	close(memfd);
}

/* ---- the kexec ---- */

static void refuse_without_image(struct operator *operator)
{
	must(syscall(SYS_kexec_file_load, -1, -1, 0ul, NULL, KEXEC_FILE_UNLOAD) ? -errno : 0,
	     "unload");
	check_kexec(operator, 1, "FAIL image.none");
	check_errno(kexec_jump(), EINVAL, "kexec without an image");
}

static void refuse_image_without_data(struct operator *operator)
{
	int error = load_image_without_data();

	if (error == -ENOSYS) {
		event("note this kernel has no kexec_load");
		return;
	}
	must(error, "kexec_load");
	check_kexec(operator, 1, "FAIL image.segments");
	check_errno(kexec_jump(), EINVAL, "kexec of an image without live update data");
}

static void refuse_interrupts(struct operator *operator, unsigned int index, const char *items)
{
	const struct device *device = &operator->receiver->device;
	int vector = eventfd(0, EFD_CLOEXEC);

	must(device_set_interrupts(device, index, 1, &vector), "switch interrupts on");
	check_device(operator, device->bdf, 0, "WARN dev.irqs");
	check_kexec(operator, 1, items);
	/* What would be refused it does not even try. */
	operator_types(operator, "kexec exec");
	operator_expects(operator, 1, items);
	event("note kexec with interrupts on, index %u", index);
	check_errno(kexec_jump(), EINVAL, "kexec with interrupts on");
	must(device_set_interrupts(device, index, 0, NULL), "switch interrupts off");
	check_device(operator, device->bdf, 0, "");
	check_kexec(operator, 0, "");
	close(vector);
}

/* The last one who may say no is the driver of the IOMMU. */
static void refuse_at_freeze(struct operator *operator)
{
	if (write_file(FREEZE_FAILS, "1")) {
		event("note this kernel has no test options");
		return;
	}
	check_kexec(operator, 1, "FAIL unit.refuses");
	check_errno(kexec_jump(), EINVAL, "kexec while a live entry differs");
	must(write_file(FREEZE_FAILS, "0"), "end of the test option");
}

static void refuse_endless_read(struct operator *operator, struct receiver *spare)
{
	int session = spare_preserve(spare);
	struct endless_read read;

	endless_read_begin(&read, &spare->device);
	check_kexec(operator, 1, "FAIL dev.hangs");
	operator_sees(operator, "second");
	check_errno(kexec_jump(), EBUSY, "kexec while a call on a device does not end");
	endless_read_end(&read);
	check_kexec(operator, 0, "");
	close(session);
}

static void refuse_kexecs(struct operator *operator, struct receiver *spare)
{
	int session = preserve_again(operator->receiver);

	refuse_without_image(operator);
	refuse_image_without_data(operator);
	prepare_kexec();
	check_kexec(operator, 0, "");
	refuse_interrupts(operator, VFIO_PCI_MSIX_IRQ_INDEX, "FAIL unit.interrupts");
	refuse_interrupts(operator, VFIO_PCI_INTX_IRQ_INDEX, "FAIL dev.irqs");
	refuse_at_freeze(operator);
	refuse_endless_read(operator, spare);
	check_kexec(operator, 0, "");
	close(session);
}

/* ---- the second card ---- */

static int device_feature(const struct device *device, __u32 feature)
{
	struct vfio_device_feature call = {
		.argsz = sizeof(call),
		.flags = VFIO_DEVICE_FEATURE_SET | feature,
	};

	return ioctl(device->fd, VFIO_DEVICE_FEATURE, &call) ? -errno : 0;
}

static void refuse_low_power(struct operator *operator, const struct receiver *spare)
{
	must(device_feature(&spare->device, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY), "low power");
	sleep_ms(500);
	check_program(operator, 1, "FAIL dev.power");
	check_device(operator, spare->device.bdf, 1, "FAIL dev.power");
	try_to_preserve(spare, -1, EINVAL, "a card in low power");
	must(device_feature(&spare->device, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), "wake up");
	check_program(operator, 0, "");
}

/* An attach to the IOAS itself makes a page table that nobody can mark. */
static void refuse_automatic_page_table(struct operator *operator, const struct receiver *spare)
{
	int session = must(session_create("automatic"), "create session");

	must(device_attach(&spare->device, spare->ioas_id), "attach to the IOAS");
	check_errno(preserve_all(spare, session), ENOENT, "device on an automatic page table");
	check_program(operator, 1, "FAIL hwpt.unmarked");
	close(session);
	must(device_attach(&spare->device, spare->hwpt_id), "attach to the HWPT");
	must(hwpt_mark_preserve(spare->device.iommufd, spare->hwpt_id, TOKEN_HWPT), "mark");
	check_program(operator, 0, "");
	try_to_preserve(spare, -1, 0, "the second card");
}

static void refuse_unbound_file(struct operator *operator, const struct receiver *spare)
{
	int file = must(device_open_file(spare->device.bdf), "open the card again");
	int session = must(session_create("unbound"), "create session");

	check_errno(session_preserve_fd(session, file, TOKEN_DEVICE), EINVAL,
		    "file that is not bound");
	check_program(operator, 1, "FAIL dev.not-bound");
	close(session);
	close(file);
}

/* ---- who asks ---- */

static void ask_as_nobody(struct operator *operator)
{
	operator->user = NOBODY;
	operator_types(operator, "check host");
	operator_expects(operator, 3, "UNKNOWN host.permission");
	check_device(operator, operator->receiver->device.bdf, 3, "UNKNOWN host.permission");
	check_program(operator, 3, "UNKNOWN host.permission");
	operator_types(operator, "session list");
	operator_expects(operator, 3, "UNKNOWN host.permission");
	operator_types(operator, "status");
	operator_expects(operator, 3, "UNKNOWN host.permission");
	operator_types(operator, "kexec load --kernel /bzImage --cmdline x");
	operator_expects(operator, 1, "FAIL image.not-allowed");
	operator->user = 0;
}

static void ask_while_held(struct operator *operator)
{
	int held = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

	if (held < 0)
		give_up("/dev/liveupdate: %m");
	operator_types(operator, "check host");
	operator_expects(operator, 5, "UNKNOWN host.busy");
	operator_types(operator, "status");
	operator_expects(operator, 5, "UNKNOWN host.busy");
	close(held);
	operator_types(operator, "status");
	operator_expects(operator, 0, "");
}

static void load_wrongly(struct operator *operator)
{
	operator_types(operator, "kexec load --kernel /init --cmdline x");
	operator_expects(operator, 1, "FAIL image.invalid");
	operator_types(operator, "kexec load --kernel /nothing --cmdline x");
	operator_expects(operator, 1, "FAIL next.image");
	must(write_file("/proc/sys/kernel/kexec_load_disabled", "1"), "no kexec any more");
	operator_types(operator, "kexec load --kernel /bzImage --cmdline x");
	operator_expects(operator, 1, "FAIL image.not-allowed");
}

void command_refused_old_kernel(void)
{
	struct operator *operator = operator_create();
	struct receiver receiver, spare;

	refuse_other_drivers(operator);
	check_port(operator);
	sleep_until_opened(operator);
	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	operator->receiver = &receiver;
	refuse_unmarked(operator);
	pass_what_is_fine(operator);
	refuse_anonymous_memory(operator);
	refuse_flawed_memory(operator, FLAW_UNSEALED, "with unsealed memory mapped");
	refuse_flawed_memory(operator, FLAW_SEALED_LATE, "with memory mapped that was sealed later");
	refuse_flawed_memory(operator, FLAW_CLOSED, "with unsealed memory mapped, and closed");
	refuse_closed_memory(operator);
	refuse_hole(operator);
	refuse_memory_of_huge_page_pool(operator);
	spare_set_up(&spare);
	refuse_low_power(operator, &spare);
	refuse_automatic_page_table(operator, &spare);
	refuse_unbound_file(operator, &spare);
	refuse_kexecs(operator, &spare);
	ask_as_nobody(operator);
	ask_while_held(operator);
	load_wrongly(operator);
	pass_what_is_fine(operator);
	device_close(&spare.device);
	traffic_stop();
	receiver_report_landed(&receiver);
}
