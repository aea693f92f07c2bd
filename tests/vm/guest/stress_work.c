// SPDX-License-Identifier: GPL-2.0
/*
 * The turns: each makes some calls and takes them back.  Any call may be refused
 * because others are at it, which is EBUSY; what else a call may say stands beside
 * it.  None ends the run: a worker that finds something strange tells it and goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "stress_work.h"
#include "tenant.h"

#define SMALL_SIZE	(64ul << 10)
#define HELD_MS		60
/*
 * Whoever maps memory that is none of a memfd's, or is in a call all the time, keeps
 * others from preserving: so those who map rest for a part of each second, all at the
 * same time.  What is preserved then lasts until they are back.
 */
#define PERIOD_MS	1000
#define REST_MS		500
#define PRESERVED_MS	600
#define WAITER_MS	500
#define TOKEN_OWN	0x1000ull	/* of HWPTs, plus the id */
#define NAME_LENGTH	32

/* Returns whether the call was successful; errors is a list that ends with 0. */
static bool tell_any(struct worker *worker, int result, const char *what, const int *errors)
{
	__atomic_fetch_add(&worker->calls, 1, __ATOMIC_RELAXED);
	if (result >= 0)
		return true;
	__atomic_fetch_add(&worker->refused, 1, __ATOMIC_RELAXED);
	for (; *errors; errors++)
		if (result == -*errors)
			return false;
	if (!worker->strange) {
		worker->strange = -result;
		snprintf(worker->what, sizeof(worker->what), "%s", what);
	}
	return false;
}

/* tell(worker, result, what, ERRNO...) */
#define tell(worker, result, what, ...)	\
	tell_any(worker, result, what, (const int []){ EBUSY, ##__VA_ARGS__, 0 })

static void *anonymous(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* A mapping that a killed one has left is in the way until it is unmapped. */
static void unmap_area(const struct stress *stress, struct worker *worker, int area)
{
	tell(worker, ioas_unmap(stress->receiver->device.iommufd, stress->receiver->ioas_id,
				AREA_IOVA(area), AREA_SIZE), "unmap", ENOENT);
}

static void rest(void)
{
	int time = monotonic_ns() / 1000000 % PERIOD_MS;

	if (time < REST_MS)
		sleep_ms(REST_MS - time);
}

static void map_memory(const struct stress *stress, struct worker *worker)
{
	int area = worker->number * THREADS_MAX;
	void *memory = anonymous(AREA_SIZE);

	rest();
	tell(worker, ioas_map_memory(stress->receiver->device.iommufd, stress->receiver->ioas_id,
				     memory, AREA_SIZE, AREA_IOVA(area)), "map", EEXIST);
	munmap(memory, AREA_SIZE);
	unmap_area(stress, worker, area);
}

static void map_ring(const struct stress *stress, struct worker *worker)
{
	const struct receiver *receiver = stress->receiver;
	int area = worker->number * THREADS_MAX + 1;

	rest();
	tell(worker, ioas_map_file(receiver->device.iommufd, receiver->ioas_id, receiver->memfd,
				   0, AREA_SIZE, AREA_IOVA(area)), "map the ring again", EEXIST);
	unmap_area(stress, worker, area);
}

struct held {
	const struct stress *stress;
	struct worker *worker;
	struct late_memory late;
};

static int map_held(void *argument)
{
	const struct held *held = argument;
	const struct receiver *receiver = held->stress->receiver;

	return ioas_map_memory(receiver->device.iommufd, receiver->ioas_id, held->late.memory,
			       held->late.size, AREA_IOVA(held->worker->number * THREADS_MAX));
}

/* To where it is. */
static int attach_held(void *argument)
{
	const struct held *held = argument;
	int result = ioctl(held->stress->receiver->device.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			   held->late.memory);

	return result ? -errno : 0;
}

/* A call that is refused does not come to the memory. */
static void let_it_wait(const struct late_memory *late, struct background_call *call)
{
	struct pollfd fault = { .fd = late->fd, .events = POLLIN };

	for (int waited = 0; waited < WAITER_MS; waited += 10) {
		if (poll(&fault, 1, 10) == 1) {
			sleep_ms(rand() % HELD_MS);
			return;
		}
		if (__atomic_load_n(&call->ended, __ATOMIC_ACQUIRE))
			return;
	}
}

static void hold(struct held *held, int (*function)(void *argument), const char *what)
{
	struct background_call call;

	call_in_background(&call, function, held);
	let_it_wait(&held->late, &call);
	late_memory_let_go(&held->late);
	tell(held->worker, call_result(&call), what, EEXIST);
	munmap(held->late.memory, held->late.size);
}

static void hold_a_map(const struct stress *stress, struct worker *worker)
{
	struct held held = { .stress = stress, .worker = worker };

	rest();
	late_memory_create(&held.late, AREA_SIZE, LATE_TOUCH);
	hold(&held, map_held, "map of late memory");
	unmap_area(stress, worker, worker->number * THREADS_MAX);
}

static void hold_an_attach(const struct stress *stress, struct worker *worker)
{
	struct vfio_device_attach_iommufd_pt *attach;
	struct held held = { .stress = stress, .worker = worker };

	rest();
	late_memory_create(&held.late, PAGE, LATE_WRITE);
	attach = held.late.memory;
	*attach = (struct vfio_device_attach_iommufd_pt) {
		.argsz = sizeof(*attach),
		.pt_id = stress->receiver->hwpt_id,
	};
	late_memory_protect(&held.late);
	hold(&held, attach_held, "attach with a late argument");
}

static void replace(const struct stress *stress, struct worker *worker)
{
	const struct receiver *receiver = stress->receiver;

	tell(worker, device_attach(&receiver->device, stress->other_hwpt), "attach to the other");
	tell(worker, device_attach(&receiver->device, receiver->hwpt_id), "attach back");
	sleep_ms(rand() % 5);
}

/* As long as a session has it, it cannot go. */
static void mark(const struct stress *stress, struct worker *worker)
{
	const struct device *device = &stress->receiver->device;
	__u32 hwpt;

	rest();
	if (!tell(worker, hwpt_create(device, stress->receiver->ioas_id, &hwpt), "create HWPT"))
		return;
	tell(worker, hwpt_mark_preserve(device->iommufd, hwpt, TOKEN_OWN + hwpt),
	     "mark HWPT");
	sleep_ms(rand() % 3);
	while (!tell(worker, iommufd_destroy(device->iommufd, hwpt), "destroy HWPT"))
		sleep_ms(1);
}

static int create_session(struct worker *worker, const char *kind, char name[NAME_LENGTH])
{
	int session;

	snprintf(name, NAME_LENGTH, "%s-%d", kind, worker->number);
	session = session_create(name);
	tell(worker, session, "create session");
	return session;
}

/* A memfd of its own, which the caller closes. */
static int preserve_memory(struct worker *worker, int session)
{
	int memfd = memory_create("small", SMALL_SIZE);

	if (tell(worker, memfd, "memfd") && tell(worker, memory_seal(memfd), "seal memfd"))
		tell(worker, session_preserve_fd(session, memfd, TOKEN_MEMORY), "preserve memfd");
	return memfd;
}

/* Nothing of this kernel's sessions can be had back in this kernel. */
static void retrieve(struct worker *worker, int session, const char *name)
{
	tell(worker, session_retrieve(name), "retrieve session", ENOENT, EINVAL);
	tell(worker, session_retrieve_fd(session, TOKEN_MEMORY), "retrieve file", EINVAL, ENOENT);
}

/*
 * ENOENT: a file that is mapped is not in the session, because it is in another one.
 * EOPNOTSUPP: something is mapped that is no memfd.
 */
static void preserve_card(const struct device *device, struct worker *worker, int session)
{
	if (tell(worker, session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD),
		 "preserve iommufd", ENOENT, EOPNOTSUPP) &&
	    tell(worker, session_preserve_fd(session, device->fd, TOKEN_DEVICE), "preserve device"))
		__atomic_fetch_add(&worker->preserved, 1, __ATOMIC_RELAXED);
}

static void preserve(const struct stress *stress, struct worker *worker)
{
	char name[NAME_LENGTH];
	int session = create_session(worker, "preserve", name);

	if (session < 0)
		return;
	tell(worker, session_preserve_fd(session, stress->receiver->memfd, TOKEN_MEMORY),
	     "preserve the ring");
	preserve_card(&stress->receiver->device, worker, session);
	retrieve(worker, session, name);
	sleep_ms(rand() % PRESERVED_MS);
	close(session);
	sleep_ms(rand() % REST_MS);
}

static void preserve_small(const struct stress *stress, struct worker *worker)
{
	char name[NAME_LENGTH];
	int session = create_session(worker, "small", name), memfd;

	(void)stress;
	if (session < 0)
		return;
	memfd = preserve_memory(worker, session);
	retrieve(worker, session, name);
	close(session);
	if (memfd >= 0)
		close(memfd);
	sleep_ms(rand() % 20);
}

/* Only one of several has it, and for the others it is not there. */
static void retrieve_kept(const struct stress *stress, struct worker *worker)
{
	int session = session_retrieve(STRESS_SESSION), memfd;

	(void)stress;
	sleep_ms(5);
	if (!tell(worker, session, "retrieve the session", EINVAL, ENOENT))
		return;
	memfd = session_retrieve_fd(session, TOKEN_MEMORY);
	if (tell(worker, memfd, "retrieve its memfd"))
		close(memfd);
	sleep_ms(rand() % 3);
	close(session);
}

struct spare {
	struct device device;
	int iommufd, session, memfd;
	__u32 ioas, hwpt, other;
};

static void set_up_spare(struct spare *spare, struct worker *worker)
{
	const struct device *device = &spare->device;

	spare->memfd = preserve_memory(worker, spare->session);
	tell(worker, ioas_create(spare->iommufd, 1, &spare->ioas), "create IOAS");
	tell(worker, hwpt_create(device, spare->ioas, &spare->hwpt), "create HWPT there");
	tell(worker, hwpt_create(device, spare->ioas, &spare->other), "create another there");
	tell(worker, device_attach(device, spare->hwpt), "attach the spare card");
	tell(worker, ioas_map_file(spare->iommufd, spare->ioas, spare->memfd, 0, SMALL_SIZE,
				   AREA_IOVA(0)), "map there");
}

static void use_spare(struct spare *spare, struct worker *worker)
{
	const struct device *device = &spare->device;

	tell(worker, device_attach(device, spare->other), "replace there");
	tell(worker, device_attach(device, spare->hwpt), "replace back there");
	if (rand() % 2)
		tell(worker, ioas_unmap(spare->iommufd, spare->ioas, AREA_IOVA(0), SMALL_SIZE),
		     "unmap there");
	tell(worker, hwpt_mark_preserve(spare->iommufd, spare->hwpt, TOKEN_HWPT),
	     "mark the spare HWPT");
	preserve_card(device, worker, spare->session);
	tell(worker, device_attach(device, spare->other), "replace what may be preserved");
	if (rand() % 2)
		tell(worker, device_detach(device), "detach the spare card");
}

/* In any order. */
static void close_spare(struct spare *spare)
{
	int files[] = { spare->device.fd, spare->iommufd, spare->session, spare->memfd };
	int first = rand() % 4;

	if (spare->device.registers)
		munmap((void *)spare->device.registers, spare->device.registers_size);
	for (int i = 0; i < 4; i++)
		if (files[(first + i) % 4] >= 0)
			close(files[(first + i) % 4]);
}

/*
 * Opened, it is nobody else's; whoever comes second is told EINVAL. VFIO says EAGAIN
 * when it cannot have the lock of the device at once to reset it.
 */
static void use_spare_card(const struct stress *stress, struct worker *worker)
{
	struct spare spare = { .session = -1, .memfd = -1 };
	char name[NAME_LENGTH];

	spare.iommufd = iommufd_open();
	if (!tell(worker, spare.iommufd, "open iommufd"))
		return;
	if (!tell(worker, device_open(&spare.device, stress->spare, spare.iommufd),
		  "open the spare card", EINVAL, ENODEV, EAGAIN)) {
		close(spare.iommufd);
		sleep_ms(5);
		return;
	}
	spare.session = create_session(worker, "spare", name);
	if (spare.session >= 0) {
		set_up_spare(&spare, worker);
		use_spare(&spare, worker);
	}
	close_spare(&spare);
}

static void read_attributes(const struct stress *stress, struct worker *worker)
{
	static const char *const names[] = {
		"sriov_numvfs", "reset_method", "config", "resource", "enable", "numa_node",
		"power_state", "driver_override", "iommu_group/type",
		"iommu_group/reserved_regions",
	};
	char path[128], value[256];

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int card = 0; card < 2; card++) {
			function_path(path, sizeof(path), card ? stress->spare : stress->bdf,
				      names[i]);
			read_file(path, value, sizeof(value));
			tell(worker, *value ? 0 : -ENODATA, names[i], ENODATA);
		}
	read_file("/sys/kernel/debug/iommu/liveupdate/outgoing", value, sizeof(value));
	read_file("/sys/kernel/debug/iommu/liveupdate/incoming", value, sizeof(value));
}

static void read_numvfs(const struct stress *stress, struct worker *worker)
{
	char path[128], value[32];

	function_path(path, sizeof(path), stress->bdf, "sriov_numvfs");
	read_file(path, value, sizeof(value));
	tell(worker, *value ? 0 : -ENODATA, "sriov_numvfs");
}

/* The methods stay as they are: nothing is reset. */
static void write_reset_method(const struct stress *stress, struct worker *worker)
{
	char path[128];

	function_path(path, sizeof(path), stress->bdf, "reset_method");
	tell(worker, write_file(path, "default"), "reset_method");
	sleep_ms(5);
}

/* There is always a session that its image does not know. */
static void ask_for_kexec(const struct stress *stress, struct worker *worker)
{
	(void)stress;
	tell(worker, kexec_jump(), "kexec without data", EINVAL);
	sleep_ms(100 + rand() % 200);
}

const struct work stress_works[] = {
	{ "map", { map_memory, map_ring }, 2, true, OLD_KERNEL, GRANTED },
	{ "hold-map", { hold_a_map }, 1, true, OLD_KERNEL, GRANTED },
	{ "hold-attach", { hold_an_attach }, 1, true, OLD_KERNEL, GRANTED },
	{ "replace", { replace }, 1, false, OLD_KERNEL, GRANTED },
	{ "mark", { mark, mark }, 1, false, OLD_KERNEL, GRANTED },
	{ "preserve", { preserve, preserve_small }, 2, true, OLD_KERNEL, GRANTED },
	{ "small", { preserve_small }, 1, true, BOTH_KERNELS, GRANTED },
	{ "retrieve", { retrieve_kept, retrieve_kept }, 2, true, NEXT_KERNEL, EITHER },
	{ "spare", { use_spare_card, use_spare_card }, 2, true, BOTH_KERNELS, GRANTED },
	{ "read", { read_attributes, read_numvfs }, 2, true, BOTH_KERNELS, GRANTED },
	{ "reset-method", { write_reset_method }, 1, true, BOTH_KERNELS, EITHER },
	{ "kexec", { ask_for_kexec }, 1, false, OLD_KERNEL, REFUSED },
};

const int stress_works_count = sizeof(stress_works) / sizeof(stress_works[0]);
