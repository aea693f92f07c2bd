// SPDX-License-Identifier: GPL-2.0
/* Wrong arguments and the wrong moment, what is waited for, and what is told. */
#include <fcntl.h>
#include <linux/vfio.h>
#include <unistd.h>

#include "program.h"

#define PATIENCE	5000

static struct program *start(void **state)
{
	struct program *program = *state;

	program_start(program, fake_new());
	return program;
}

static void end(struct program *program)
{
	struct fake *fake = program->fake;

	program_end(program);
	assert_nothing(fake);
	fake_free(fake);
}

#define assert_null_error(program, call, error) \
	assert_refused(program, ((call) ? 0 : ilu_error((program)->ilu)->err), error)

/* ---- arguments ---- */

static const char *const bad_names[] = {
	NULL, "", "1234567890123456789012345678901234567890123456789012345678901234",
};

static void test_names(void **state)
{
	struct program *program = start(state);
	struct ilu *ilu = program->ilu;
	char longest[ILU_NAME_MAX + 1];

	for (size_t i = 0; i < NR(bad_names); i++) {
		const char *name = bad_names[i];

		assert_refused(program, ilu_session_open(ilu, name), EINVAL);
		assert_refused(program, ilu_session_create(ilu, name), EINVAL);
		assert_refused(program, ilu_session_retrieve(ilu, name), EINVAL);
		assert_refused(program, ilu_session_from_env(ilu, name), EINVAL);
		assert_null_error(program, ilu_memory_create(ilu, name, FAKE_PAGE, NULL), EINVAL);
		assert_null_error(program, ilu_space_create(ilu, name), EINVAL);
		assert_refused(program, ilu_blob_set(ilu, name, "x", 1), EINVAL);
		assert_refused(program, (int)ilu_blob_get(ilu, name, NULL, 0), EINVAL);
		assert_null_error(program, ilu_memory(ilu, name), ENOENT);
		assert_null_error(program, ilu_space(ilu, name), ENOENT);
		assert_null_error(program, ilu_device(ilu, name), ENOENT);
	}
	memset(longest, 'n', sizeof(longest));
	longest[ILU_NAME_MAX] = 0;
	assert_non_null(ilu_memory_create(ilu, longest, FAKE_PAGE, NULL));
	assert_null_error(program, ilu_memory_create(ilu, longest, FAKE_PAGE, NULL), EEXIST);
	assert_string_equal(ilu_error(ilu)->object, longest);
	assert_non_null(ilu_space_create(ilu, longest));
	assert_null_error(program, ilu_space_create(ilu, longest), EEXIST);
	end(program);
}

static void test_memory(void **state)
{
	struct program *program = start(state);
	struct ilu *ilu = program->ilu;
	int fd;

	assert_null_error(program, ilu_memory_create(ilu, "ram", 0, NULL), EINVAL);
	assert_null_error(program, ilu_memory_create(ilu, "ram", UINT64_MAX, NULL), EINVAL);
	assert_null_error(program, ilu_memory_create(ilu, "ram", 1ull << 40, NULL), EFBIG);
	assert_null_error(program, ilu_memory_add(ilu, "ram", -1), EBADF);
	/* sealed, but not so that it could be preserved */
	fd = fake_memfd(program->fake, FAKE_PAGE, false);
	assert_null_error(program, ilu_memory_add(ilu, "ram", fd), EINVAL);
	assert_string_not_equal(ilu_error(ilu)->hint, "");
	fake_close(program->fake, fd);
	/* without a byte, and no memfd at all */
	fd = fake_memfd(program->fake, 0, true);
	assert_null_error(program, ilu_memory_add(ilu, "ram", fd), EINVAL);
	fake_close(program->fake, fd);
	fd = fake_eventfd(program->fake);
	assert_null_error(program, ilu_memory_add(ilu, "ram", fd), EINVAL);
	assert_string_equal(ilu_error(ilu)->text, "this is no memfd");
	fake_close(program->fake, fd);
	/* sealed by the program as it has to be */
	fd = fake_memfd(program->fake, FAKE_PAGE, true);
	program->fake->fds[fd]->content->seals = F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK;
	assert_non_null(ilu_memory_add(ilu, "ram", fd));
	fake_close(program->fake, fd);
	assert_int_equal(ilu_memory_length(NULL), 0);
	assert_int_equal(ilu_memory_fd(NULL), -EBADF);
	assert_null(ilu_memory_address(NULL));
	end(program);
}

static void test_maps(void **state)
{
	struct program *program = start(state);
	struct ilu *ilu = program->ilu, *other = fake_context(program->fake);
	struct ilu_memory *ram, *theirs;
	struct ilu_space *dma;

	ram = ilu_memory_create(ilu, "ram", RAM_LENGTH, NULL);
	theirs = ilu_memory_create(other, "ram", RAM_LENGTH, NULL);
	dma = ilu_space_create(ilu, "dma");
	assert_int_equal(ilu_map(NULL, 0, ram, 0, FAKE_PAGE, ILU_MAP_RW), -EINVAL);
	assert_int_equal(ilu_unmap(NULL, 0), -EINVAL);
	assert_refused(program, ilu_map(dma, 0, NULL, 0, FAKE_PAGE, ILU_MAP_RW), EINVAL);
	assert_refused(program, ilu_map(dma, 0, theirs, 0, FAKE_PAGE, ILU_MAP_RW), EINVAL);
	assert_refused(program, ilu_map(dma, 0, ram, 0, 0, ILU_MAP_RW), EINVAL);
	assert_refused(program, ilu_map(dma, 0, ram, 0, RAM_LENGTH + FAKE_PAGE, ILU_MAP_RW), EINVAL);
	assert_string_equal(ilu_error(ilu)->call, "");
	assert_refused(program, ilu_map(dma, 0, ram, RAM_LENGTH, FAKE_PAGE, ILU_MAP_RW), EINVAL);
	assert_refused(program, ilu_map(dma, 0, ram, UINT64_MAX, 2, ILU_MAP_RW), EINVAL);
	/* The library says so, not the kernel. */
	assert_string_equal(ilu_error(ilu)->call, "");
	assert_refused(program, ilu_map(dma, UINT64_MAX - 1, ram, 0, FAKE_PAGE, ILU_MAP_RW), EINVAL);
	assert_refused(program, ilu_map(dma, 0, ram, 0, FAKE_PAGE, 0), EINVAL);
	assert_refused(program, ilu_map(dma, 0, ram, 0, FAKE_PAGE, 4), EINVAL);
	assert_refused(program, ilu_map(dma, 0, ram, 0, 100, ILU_MAP_RW), EINVAL);
	assert_string_equal(ilu_error(ilu)->call, "IOMMU_IOAS_MAP_FILE");
	assert_ok(program, ilu_map(dma, 0, ram, 0, 2 * FAKE_PAGE, ILU_MAP_RW));
	assert_refused(program, ilu_map(dma, FAKE_PAGE, ram, 0, FAKE_PAGE, ILU_MAP_RW), EEXIST);
	assert_refused(program, ilu_unmap(dma, FAKE_PAGE), ENOENT);
	assert_ok(program, ilu_unmap(dma, 0));
	assert_refused(program, ilu_unmap(dma, 0), ENOENT);
	ilu_free(other);
	end(program);
}

static void test_devices(void **state)
{
	static const char *const bad[] = { NULL, "", "../../etc", "0000:01:00.0/..", "01234567890123456" };
	struct program *program = start(state);
	struct ilu *ilu = program->ilu, *other = fake_context(program->fake);
	struct ilu_space *dma = ilu_space_create(ilu, "dma");
	struct ilu_space *theirs = ilu_space_create(other, "dma");
	struct ilu_device *nic;
	char byte;
	int fd;

	for (size_t i = 0; i < NR(bad); i++)
		assert_null_error(program, ilu_device_open(ilu, "nic", bad[i], dma), EINVAL);
	assert_null_error(program, ilu_device_open(ilu, "nic", "0000:01:00.0", NULL), EINVAL);
	assert_null_error(program, ilu_device_open(ilu, "nic", "0000:01:00.0", theirs), EINVAL);
	assert_null_error(program, ilu_device_open(ilu, "nic", "0000:09:00.0", dma), ENOENT);
	assert_string_not_equal(ilu_error(ilu)->hint, "");
	assert_null_error(program, ilu_device_add(ilu, "nic", -1, dma), EBADF);
	fd = fake_open(program->fake, "/dev/vfio/devices/vfio0");
	assert_null_error(program, ilu_device_open(ilu, "nic", "0000:01:00.0", dma), EBUSY);
	fake_close(program->fake, fd);
	nic = ilu_device_open(ilu, "nic", "0000:01:00.0", dma);
	assert_non_null(nic);
	assert_int_equal(program->fake->cards[0].config[4], 0);
	assert_int_equal(ilu_device_allow_dma(nic), 0);
	assert_int_equal(program->fake->cards[0].config[4], 6);
	assert_null_error(program, ilu_device_open(ilu, "nic", "0000:02:00.0", dma), EEXIST);
	assert_null_error(program, ilu_device_bar(nic, 1, NULL), EOPNOTSUPP);
	assert_null_error(program, ilu_device_bar(nic, 6, NULL), EINVAL);
	assert_refused(program, ilu_device_config_read(nic, FAKE_CONFIG, &byte, 1), EINVAL);
	assert_refused(program, ilu_device_config_read(nic, UINT32_MAX, &byte, 2), EINVAL);
	assert_refused(program, ilu_device_config_write(nic, 0, &byte, SIZE_MAX), EINVAL);
	assert_true(ilu_device_fd(nic) >= 0);
	assert_int_equal(ilu_device_fd(NULL), -EBADF);
	assert_int_equal(ilu_device_ids(NULL, NULL, NULL), -EINVAL);
	assert_int_equal(ilu_device_ids(nic, NULL, NULL), 0);
	assert_int_equal(ilu_device_reset(NULL), -EINVAL);
	assert_int_equal(ilu_device_allow_dma(NULL), -EINVAL);
	assert_int_equal(ilu_device_config_read(NULL, 0, &byte, 1), -EINVAL);
	assert_null(ilu_device_bar(NULL, 0, NULL));
	ilu_free(other);
	end(program);
}

static void test_irqs(void **state)
{
	struct program *program = start(state);
	struct ilu *ilu = program->ilu;
	struct ilu_space *dma = ilu_space_create(ilu, "dma");
	struct ilu_device *nic = ilu_device_open(ilu, "nic", "0000:01:00.0", dma);
	int none[3000], fd = fake_eventfd(program->fake);

	memset(none, 0xff, sizeof(none));
	assert_int_equal(ilu_device_irqs(NULL, 0, 0, NULL, 0), -EINVAL);
	assert_refused(program, ilu_device_irqs(nic, 5, 0, NULL, 0), EINVAL);
	assert_refused(program, ilu_device_irqs(nic, 2, 1, NULL, 0), EINVAL);
	assert_refused(program, ilu_device_irqs(nic, 2, 3000, none, 0), EINVAL);
	assert_refused(program, ilu_device_irqs(nic, 2, 1, none, 2), EINVAL);
	/* That would tell the program of an error that there is not. */
	assert_refused(program, ilu_device_irqs(nic, VFIO_PCI_ERR_IRQ_INDEX, 1, &fd, ILU_IRQ_INJECT),
		       EINVAL);
	assert_refused(program, ilu_device_irqs(nic, 2, 1, &(int) { 99 }, 0), EBADF);
	assert_ok(program, ilu_device_irqs(nic, VFIO_PCI_MSIX_IRQ_INDEX, 1, &fd, ILU_IRQ_INJECT));
	assert_int_equal(program->fake->cards[0].fired, 1);
	/* another kind meanwhile is refused, and takes nothing away */
	assert_refused(program, ilu_device_irqs(nic, VFIO_PCI_MSI_IRQ_INDEX, 1, &fd, 0), EINVAL);
	assert_int_equal(program->fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 1);
	/* Neither the new ones nor the old ones can be on: then this is what is told. */
	program->fake->cards[0].on_errno = EIO;
	assert_refused(program, ilu_device_irqs(nic, VFIO_PCI_MSIX_IRQ_INDEX, 1, &fd, 0), EIO);
	assert_int_equal(ilu_error(program->ilu)->id, ILU_ID_DEV_IRQS_OFF);
	assert_refused(program, ilu_device_irqs(nic, VFIO_PCI_MSIX_IRQ_INDEX, 1, &fd, 0), EIO);
	assert_int_equal(ilu_error(program->ilu)->id, ILU_ID_CALL_IO);
	program->fake->cards[0].on_errno = 0;
	assert_ok(program, ilu_device_irqs(nic, VFIO_PCI_MSIX_IRQ_INDEX, 1, &fd, 0));
	fake_close(program->fake, fd);
	assert_ok(program, ilu_quiesce(ilu));
	end(program);
}

/* Without a context */
static void test_no_context(void **state)
{
	char buffer[4];

	(void)state;
	ilu_free(NULL);
	assert_int_equal(ilu_error(NULL)->err, -EINVAL);
	assert_int_equal(ilu_session_open(NULL, "vm1"), -EINVAL);
	assert_int_equal(ilu_session_create(NULL, "vm1"), -EINVAL);
	assert_int_equal(ilu_session_retrieve(NULL, "vm1"), -EINVAL);
	assert_int_equal(ilu_session_from_fd(NULL, 3), -EINVAL);
	assert_int_equal(ilu_session_from_env(NULL, "vm1"), -EINVAL);
	assert_int_equal(ilu_role(NULL), ILU_ROLE_NONE);
	assert_int_equal(ilu_session_fd(NULL), -EBADF);
	assert_int_equal(ilu_generation(NULL), 0);
	assert_null(ilu_memory_create(NULL, "ram", 1, NULL));
	assert_null(ilu_memory_add(NULL, "ram", 3));
	assert_null(ilu_memory(NULL, "ram"));
	assert_null(ilu_space_create(NULL, "dma"));
	assert_null(ilu_space(NULL, "dma"));
	assert_null(ilu_device_open(NULL, "nic", "0000:01:00.0", NULL));
	assert_null(ilu_device_add(NULL, "nic", 3, NULL));
	assert_null(ilu_device(NULL, "nic"));
	assert_int_equal(ilu_blob_set(NULL, "x", "x", 1), -EINVAL);
	assert_int_equal(ilu_blob_get(NULL, "x", buffer, 1), -EINVAL);
	assert_int_equal(ilu_preserve(NULL), -EINVAL);
	assert_int_equal(ilu_unpreserve(NULL), -EINVAL);
	assert_int_equal(ilu_quiesce(NULL), -EINVAL);
	assert_int_equal(ilu_kexec_load(NULL, 3, -1, ""), -EINVAL);
	assert_int_equal(ilu_kexec(NULL), -EINVAL);
	assert_int_equal(ilu_restore_step(NULL), -EINVAL);
	assert_int_equal(ilu_restore(NULL), -EINVAL);
	assert_int_equal(ilu_finish(NULL), -EINVAL);
	assert_int_equal(ilu_abandon(NULL), -EINVAL);
}

/* Of a program with another header */
static void test_options(void **state)
{
	struct program *program = start(state);
	struct {
		struct ilu_memory_opts known;
		uint64_t unknown;
	} newer = { .known.size = sizeof(newer) };
	struct {
		struct ilu_new_opts known;
		uint64_t unknown;
	} newer_new = { .known.size = sizeof(newer_new), .unknown = 1 };
	size_t older[1] = { sizeof(older) };

	assert_non_null(ilu_memory_create(program->ilu, "old", FAKE_PAGE, (void *)older));
	assert_non_null(ilu_memory_create(program->ilu, "new", FAKE_PAGE, &newer.known));
	newer.unknown = 1;
	assert_null_error(program, ilu_memory_create(program->ilu, "no", FAKE_PAGE, &newer.known), E2BIG);
	errno = 0;
	assert_null(ilu_new(&newer_new.known));
	assert_int_equal(errno, E2BIG);
	end(program);
}

/* Not even a call of the system, by default: what is there of Linux 7.3 is enough. */
static void test_default_ops(void **state)
{
	struct ilu *ilu = ilu_new(NULL);
	struct ilu_memory *memory;
	unsigned char *bytes;

	(void)state;
	assert_non_null(ilu);
	assert_int_equal(ilu_error(ilu)->err, 0);
	memory = ilu_memory_create(ilu, "ram", RAM_LENGTH, NULL);
	assert_non_null(memory);
	bytes = ilu_memory_address(memory);
	bytes[RAM_LENGTH - 1] = 1;
	assert_int_equal(fcntl(ilu_memory_fd(memory), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(ilu_memory_fd(memory), F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK);
	assert_int_equal(ftruncate(ilu_memory_fd(memory), 0), -1);
	memory = ilu_memory_add(ilu, "again", ilu_memory_fd(memory));
	assert_non_null(memory);
	assert_int_equal(ilu_memory_length(memory), RAM_LENGTH);
	assert_int_equal(ilu_blob_set(ilu, "state", "abc", 3), 0);
	assert_int_equal(ilu_blob_get(ilu, "state", NULL, 0), 3);
	assert_null(ilu_device_open(ilu, "nic", "ffff:ff:1f.7", NULL));
	ilu_free(ilu);
}

/* ---- the wrong moment ---- */

static void test_preserved(void **state)
{
	struct program *program = start(state);
	struct ilu *ilu = program->ilu;
	struct ilu_space *dma;

	assert_refused(program, ilu_preserve(ilu), EINVAL);
	assert_refused(program, ilu_unpreserve(ilu), EINVAL);
	assert_refused(program, ilu_kexec(ilu), EINVAL);
	assert_refused(program, ilu_restore(ilu), ENOENT);
	assert_refused(program, ilu_restore_step(ilu), ENOENT);
	assert_refused(program, ilu_finish(ilu), ENOENT);
	assert_refused(program, ilu_abandon(ilu), ENOENT);
	assert_refused(program, ilu_kexec_load(ilu, -1, -1, "x"), EINVAL);
	assert_refused(program, ilu_kexec_load(ilu, 3, -1, NULL), EINVAL);
	program_run(program, set_up_steps);
	assert_refused(program, ilu_session_open(ilu, "vm1"), EBUSY);
	assert_ok(program, ilu_preserve(ilu));
	assert_refused(program, ilu_preserve(ilu), EBUSY);
	dma = ilu_space(ilu, "dma");
	assert_refused(program, ilu_map(dma, 0, ilu_memory(ilu, "ram"), 0, FAKE_PAGE, 1), EBUSY);
	assert_refused(program, ilu_unmap(dma, RAM_IOVA), EBUSY);
	assert_null_error(program, ilu_memory_create(ilu, "more", FAKE_PAGE, NULL), EBUSY);
	assert_null_error(program, ilu_memory_add(ilu, "more", 3), EBUSY);
	assert_null_error(program, ilu_space_create(ilu, "more"), EBUSY);
	assert_null_error(program, ilu_device_open(ilu, "more", "0000:01:00.0", dma), EBUSY);
	assert_refused(program, ilu_session_create(ilu, "vm2"), EBUSY);
	assert_refused(program, ilu_session_from_fd(ilu, 3), EBUSY);
	assert_ok(program, ilu_unpreserve(ilu));
	program_run(program, leave_steps);
	program_next(program);
	ilu = program->ilu;
	assert_ok(program, ilu_session_open(ilu, "vm1"));
	/* hidden until it is restored */
	assert_null_error(program, ilu_memory(ilu, "ram"), ENOENT);
	assert_null_error(program, ilu_memory_create(ilu, "more", FAKE_PAGE, NULL), EBUSY);
	assert_refused(program, ilu_preserve(ilu), EBUSY);
	assert_refused(program, ilu_finish(ilu), EBUSY);
	assert_refused(program, ilu_kexec(ilu), EINVAL);
	assert_ok(program, ilu_restore(ilu));
	assert_ok(program, ilu_finish(ilu));
	assert_non_null(ilu_memory_create(ilu, "more", FAKE_PAGE, NULL));
	assert_refused(program, ilu_finish(ilu), ENOENT);
	end(program);
}

static void test_sessions(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int fd = fake_session(fake, "vm1", false);

	assert_refused(program, ilu_session_create(program->ilu, "vm1"), EEXIST);
	assert_refused(program, ilu_session_retrieve(program->ilu, "vm1"), ENOENT);
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_NONE);
	/* ... and neither is it tried under that name later. */
	assert_refused(program, ilu_preserve(program->ilu), EEXIST);
	fake_close(fake, fd);
	assert_ok(program, ilu_session_create(program->ilu, "vm1"));
	assert_true(ilu_session_fd(program->ilu) >= 0);
	end(program);
}

/* ---- sessions from elsewhere ---- */

static void test_from_fd(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int fd = fake_eventfd(fake);

	assert_refused(program, ilu_session_from_fd(program->ilu, -1), EINVAL);
	assert_refused(program, ilu_session_from_fd(program->ilu, 77), EBADF);
	assert_refused(program, ilu_session_from_fd(program->ilu, fd), ENOTTY);
	assert_string_equal(ilu_error(program->ilu)->text, "this is not a session");
	/* It is still the program's. */
	fake_close(fake, fd);
	assert_ok(program, ilu_session_from_fd(program->ilu, fake_session(fake, "vm1", false)));
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_OUTGOING);
	assert_non_null(ilu_memory_create(program->ilu, "ram", RAM_LENGTH, NULL));
	program_run(program, leave_steps);
	program_next(program);
	assert_ok(program, ilu_session_from_fd(program->ilu, fake_session(fake, "vm1", true)));
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_INCOMING);
	assert_int_equal(ilu_generation(program->ilu), 1);
	assert_ok(program, ilu_restore(program->ilu));
	assert_ok(program, ilu_finish(program->ilu));
	end(program);
}

/* One that is handed over, and empty, is not given up by a failure; a used one must be. */
static void test_from_fd_kept(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;

	assert_ok(program, ilu_session_from_fd(program->ilu, fake_session(fake, "vm1", false)));
	assert_non_null(ilu_memory_create(program->ilu, "ram", RAM_LENGTH, NULL));
	fake->fail_at = fake->calls + 1;
	fake->fail_errno = ENOMEM;
	assert_refused(program, ilu_preserve(program->ilu), ENOMEM);
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_OUTGOING);
	assert_ok(program, ilu_preserve(program->ilu));
	end(program);
}

/* Whichever call fails: nothing is left in it, or it is closed. */
static void test_from_fd_undone(void **state)
{
	unsigned long offset = 0;
	int error;

	do {
		struct program *program = start(state);
		struct fake *fake = program->fake;

		program_run(program, set_up_steps);
		ilu_free(program->ilu);
		program->ilu = fake_context(fake);
		assert_ok(program, ilu_session_create(program->ilu, "vm1"));
		assert_non_null(ilu_memory_create(program->ilu, "ram", RAM_LENGTH, NULL));
		assert_non_null(ilu_memory_create(program->ilu, "rom", ROM_LENGTH, NULL));
		fake->fail_at = fake->calls + ++offset;
		fake->fail_errno = EIO;
		error = ilu_preserve(program->ilu);
		if (error) {
			assert_int_equal(error, -EIO);
			assert_true(!fake->sessions || !fake->sessions->entries);
			assert_ok(program, ilu_preserve(program->ilu));
		}
		end(program);
	} while (error);
	assert_true(offset > 5);
}

/* What another instance has preserved in there is in the way. */
static void test_from_fd_used(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	struct ilu *other = fake_context(fake);
	int fd = fake_session(fake, "vm1", false), copy = fd_install(fake, file_get(fake->fds[fd]));

	assert_ok(program, ilu_session_from_fd(program->ilu, fd));
	assert_non_null(ilu_memory_create(program->ilu, "ram", RAM_LENGTH, NULL));
	assert_ok(program, ilu_preserve(program->ilu));
	assert_int_equal(ilu_session_from_fd(other, copy), 0);
	assert_non_null(ilu_memory_create(other, "ram", RAM_LENGTH, NULL));
	assert_int_equal(ilu_preserve(other), -EBUSY);
	assert_string_not_equal(ilu_error(other)->hint, "");
	ilu_free(other);
	end(program);
}

static void set_environment(const char *fds, const char *names, long pid)
{
	char number[24];

	snprintf(number, sizeof(number), "%ld", pid);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	setenv("LISTEN_PID", number, 1);
}

static void test_from_env(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int other = fake_eventfd(fake);

	/* descriptors from 3 on, in the order of the names */
	assert_int_equal(other, 3);
	assert_int_equal(fake_session(fake, "vm1", false), 4);
	assert_refused(program, ilu_session_from_env(program->ilu, "vm1"), ENOENT);
	set_environment("2", "socket:vm1", getpid() + 1);
	assert_refused(program, ilu_session_from_env(program->ilu, "vm1"), ENOENT);
	set_environment("1", "socket:vm1", getpid());
	assert_refused(program, ilu_session_from_env(program->ilu, "vm1"), ENOENT);
	set_environment("2", "socket:vm1", getpid());
	assert_refused(program, ilu_session_from_env(program->ilu, "vm"), ENOENT);
	assert_refused(program, ilu_session_from_env(program->ilu, "vm12"), ENOENT);
	assert_ok(program, ilu_session_from_env(program->ilu, "vm1"));
	assert_int_equal(ilu_session_fd(program->ilu), 4);
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_OUTGOING);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("LISTEN_PID");
	fake_close(fake, other);
	end(program);
}

/* ---- what is waited for, by the fake's clock ---- */

static void test_busy_liveupdate(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int64_t begin = fake->time;

	fake->liveupdate_late = begin + PATIENCE - 100;
	assert_ok(program, ilu_session_create(program->ilu, "vm1"));
	assert_true(fake->time >= fake->liveupdate_late);
	ilu_free(program->ilu);
	program->ilu = fake_context(fake);
	begin = fake->time;
	fake->liveupdate_late = begin + 3 * PATIENCE;
	assert_refused(program, ilu_session_open(program->ilu, "vm1"), EBUSY);
	assert_in_range(fake->time, begin + PATIENCE, begin + PATIENCE + 100);
	/* A program may have more patience, or less. */
	ilu_free(program->ilu);
	program->ilu = ilu_new(&ILU_OPTS(ilu_new_opts, .ops = &fake_ops, .ops_arg = fake,
					 .patience_ms = 50));
	begin = fake->time;
	assert_refused(program, ilu_session_open(program->ilu, "vm1"), EBUSY);
	assert_in_range(fake->time, begin + 50, begin + 100);
	end(program);
}

static int no_file(void *arg, const char *path, int flags)
{
	(void)arg;
	(void)path;
	(void)flags;
	errno = ENOENT;
	return -1;
}

/* A kernel without it is no kernel without a session of that name. */
static void test_no_liveupdate(void **state)
{
	struct program program = { .fake = fake_new() };
	struct ilu_ops ops = fake_ops;

	(void)state;
	ops.open = no_file;
	program.ilu = ilu_new(&ILU_OPTS(ilu_new_opts, .ops = &ops, .ops_arg = program.fake));
	assert_refused(&program, ilu_session_open(program.ilu, "vm1"), ENODEV);
	assert_refused(&program, ilu_session_retrieve(program.ilu, "vm1"), ENODEV);
	assert_string_equal(ilu_error(program.ilu)->text, "this kernel has no live update");
	assert_string_equal(ilu_error(program.ilu)->call, "open /dev/liveupdate");
	end(&program);
}

/* Somebody who is just dying may have the session. */
static void test_taken_session(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int64_t begin;
	int fd;

	program_live(program);
	program_next(program);
	fd = fake_session(fake, "vm1", true);
	begin = fake->time;
	assert_refused(program, ilu_session_open(program->ilu, "vm1"), EBUSY);
	assert_in_range(fake->time, begin + PATIENCE, begin + PATIENCE + 100);
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_NONE);
	fake_close(fake, fd);
	program_run(program, take_back_steps);
	program_check(program);
	end(program);
}

static void test_late_driver(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int64_t begin;

	program_live(program);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	begin = fake->time;
	fake->driver_late = begin + 3 * PATIENCE;
	assert_refused(program, ilu_restore(program->ilu), EAGAIN);
	assert_in_range(fake->time, begin + PATIENCE, begin + PATIENCE + 100);
	assert_string_equal(ilu_error(program->ilu)->object, "nic");
	assert_string_not_equal(ilu_error(program->ilu)->hint, "");
	/* memories are there already */
	assert_non_null(ilu_memory(program->ilu, "ram"));
	assert_int_equal(ilu_restore_step(program->ilu), -EAGAIN);
	fake->driver_late = fake->time + PATIENCE / 2;
	assert_ok(program, ilu_restore(program->ilu));
	fake->finish_late = fake->time + PATIENCE / 2;
	assert_ok(program, ilu_finish(program->ilu));
	program_check(program);
	end(program);
}

static void test_late_finish(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	int64_t begin;

	program_live(program);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	assert_ok(program, ilu_restore(program->ilu));
	begin = fake->time;
	fake->finish_late = begin + 3 * PATIENCE;
	assert_refused(program, ilu_finish(program->ilu), EBUSY);
	assert_in_range(fake->time, begin + PATIENCE, begin + PATIENCE + 100);
	assert_string_equal(ilu_error(program->ilu)->object, "vm1");
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_INCOMING);
	fake->finish_late = 0;
	assert_ok(program, ilu_finish(program->ilu));
	program_check(program);
	end(program);
}

/* A device that cannot change over stays where it is, and nothing piles up for it. */
static void test_no_attach(void **state)
{
	static const int errnos[] = { EINVAL, EOPNOTSUPP };
	struct program *program = start(state);
	struct fake *fake = program->fake;

	program_live(program);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	for (int i = 0; i < 6; i++) {
		fake->attach_errno = errnos[i % 2];
		assert_refused(program, ilu_restore(program->ilu), errnos[i % 2]);
		assert_string_equal(ilu_error(program->ilu)->object, "nic");
		assert_true(fake->cards[0].on_old);
		assert_int_equal(fake_count(fake, OBJECT_HWPT), 0);
		program_check(program);
	}
	fake->attach_errno = 0;
	assert_ok(program, ilu_restore(program->ilu));
	assert_ok(program, ilu_finish(program->ilu));
	program_check(program);
	end(program);
}

/* ---- another card in the slot ---- */

static const struct {
	unsigned int at;
	unsigned char byte;
} other_cards[] = {
	{ 0x00, 0x87 }, { 0x02, 0xd3 }, { 0x2c, 0x00 }, { 0x2f, 0x00 }, { 0x147, 0x99 }, { 0x140, 0x04 },
};

static void test_other_card(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;

	program_live(program);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	for (size_t i = 0; i < NR(other_cards); i++) {
		unsigned char *byte = &fake->cards[0].config[other_cards[i].at], before = *byte;

		*byte = other_cards[i].byte;
		assert_refused(program, ilu_restore(program->ilu), ENODEV);
		assert_string_equal(ilu_error(program->ilu)->object, "nic");
		/* Nothing of it is changed: it is on what it came in on. */
		assert_true(fake->cards[0].on_old);
		assert_null_error(program, ilu_device(program->ilu, "nic"), ENOENT);
		*byte = before;
	}
	/* with its own one back it goes on */
	assert_ok(program, ilu_restore(program->ilu));
	assert_ok(program, ilu_finish(program->ilu));
	program_check(program);
	end(program);
}

/* Nor is a memory taken that is not what it was. */
static void test_other_length(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;
	struct content *ram;

	program_run(program, set_up_steps);
	ram = fake->fds[ilu_memory_fd(ilu_memory(program->ilu, "ram"))]->content;
	program_run(program, leave_steps);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	ram->length -= FAKE_PAGE;
	assert_refused(program, ilu_restore(program->ilu), EBADMSG);
	assert_string_equal(ilu_error(program->ilu)->object, "ram");
	ram->length += FAKE_PAGE;
	assert_ok(program, ilu_restore(program->ilu));
	assert_ok(program, ilu_finish(program->ilu));
	program_check(program);
	end(program);
}

/* A capability list that bites its tail ends. */
static void test_endless_list(void **state)
{
	struct program *program = start(state);
	struct ilu_space *dma = ilu_space_create(program->ilu, "dma");
	uint32_t itself = 0x14010001, next = 0x10010002;

	memcpy(program->fake->cards[0].config + 0x100, &itself, 4);
	memcpy(program->fake->cards[0].config + 0x140, &next, 4);
	assert_non_null(ilu_device_open(program->ilu, "nic", "0000:01:00.0", dma));
	end(program);
}

/* Every errno that there is has a text, for every call that can be met */
static void test_texts(void **state)
{
	struct program *program = start(state);
	struct fake *fake = program->fake;

	for (int number = 1; number < 134; number++) {
		const struct ilu_error *error;

		if (number == EINTR)
			continue;
		fake->fail_at = fake->calls + 1;
		fake->fail_errno = number;
		assert_null(ilu_space_create(program->ilu, "dma"));
		error = ilu_error(program->ilu);
		assert_int_equal(error->err, -number);
		assert_string_equal(error->call, "open /dev/iommu");
		assert_true(strlen(error->text) > 5);
		assert_int_not_equal(error->text[strlen(error->text) - 1], '.');
	}
	end(program);
}

int main(void)
{
	static struct program program;
	const struct CMUnitTest tests[] = {
#define TEST(name)	{ #name, name, NULL, NULL, &program }
		TEST(test_names), TEST(test_memory), TEST(test_maps), TEST(test_devices),
		TEST(test_irqs), TEST(test_no_context), TEST(test_options), TEST(test_default_ops),
		TEST(test_preserved), TEST(test_sessions), TEST(test_from_fd),
		TEST(test_from_fd_kept), TEST(test_from_fd_undone), TEST(test_from_fd_used), TEST(test_from_env),
		TEST(test_busy_liveupdate), TEST(test_no_liveupdate), TEST(test_taken_session),
		TEST(test_late_driver), TEST(test_late_finish), TEST(test_no_attach), TEST(test_other_card),
		TEST(test_other_length),
		TEST(test_endless_list), TEST(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
