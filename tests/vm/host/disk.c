// SPDX-License-Identifier: GPL-2.0
/*
 * The drive of --nic nvme: an image in which each block says which one it is, and that is
 * slow on purpose, so that commands are under way at a kexec. Judged are what the emulated
 * controller did by its own trace, its registers, and what is in the image in the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "run.h"

#define TOLD		8

bool run_has_disk(const struct run *run)
{
	return !strcmp(run->options.nic, "nvme");
}

void disk_path(const struct run *run, char *path, size_t size)
{
	snprintf(path, size, "%s/disk", run->socket_dir);
}

int disk_make(const struct run *run)
{
	char path[128];
	FILE *file;

	disk_path(run, path, sizeof(path));
	file = fopen(path, "w");
	return file && !disk_write_image(file) ? 0 : -errno;
}

/* ---- the trace: pci_nvme_... ---- */

/* After the jump, before there is a program. */
static bool is_in_blackout(const struct run *run, int64_t when)
{
	return run_blackout_of(run, when) >= 0;
}

/* From the first kexec call to the last finish, or to the end where there is none. */
static bool is_judged(const struct run *run, int64_t when)
{
	int64_t finished = run->updates[run->update_count ? run->update_count - 1 : 0].finished_ns;

	return run_begin_ns(run) && when >= run_begin_ns(run) && (!finished || when <= finished);
}

static bool is_event(const char *text, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(text, name, length) && (!text[length] || text[length] == ' ');
}

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_event(text, names[i]))
			return true;
	return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is counted, and what it may complain of: patterns, as QEMU takes them */
static const char *const others[] = {
	"pci_nvme_err_*", "pci_nvme_ub_*", "pci_nvme_io_cmd", "pci_nvme_enqueue_req_completion",
};

/* What would make it forget where its queues are and what is in them. */
static const char *const resets[] = {
	"pci_nvme_mmio_cfg", "pci_nvme_mmio_aqattr", "pci_nvme_mmio_asqaddr",
	"pci_nvme_mmio_asqaddr_hi", "pci_nvme_mmio_acqaddr", "pci_nvme_mmio_acqaddr_hi",
	"pci_nvme_mmio_start_success", "pci_nvme_mmio_stopped", "pci_nvme_mmio_shutdown_set",
	"pci_nvme_mmio_shutdown_cleared", "pci_nvme_pci_reset", "pci_nvme_create_sq",
	"pci_nvme_create_cq", "pci_nvme_del_sq", "pci_nvme_del_cq", "pci_nvme_admin_cmd",
};

static const char *const doorbells[] = {
	"pci_nvme_mmio_doorbell_sq", "pci_nvme_mmio_doorbell_cq",
};

const char *disk_event(size_t number)
{
	if (number < COUNT(others))
		return others[number];
	number -= COUNT(others);
	if (number < COUNT(resets))
		return resets[number];
	number -= COUNT(resets);
	return number < COUNT(doorbells) ? doorbells[number] : NULL;
}

static bool is_trouble(const char *text)
{
	return !strncmp(text, "pci_nvme_err_", 13) || !strncmp(text, "pci_nvme_ub_", 12);
}

/* A line that is longer than the others tells of the queue: that of the admin is 0. */
static int queue_of(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? atoi(found + strlen(key)) : -1;
}

static void problem(struct run *run, const char *what, const char *text)
{
	if (run->disk.trouble++ < TOLD)
		run_problem(run, "trace: %s: %s", what, text);
}

/* What the drive does in a blackout; false if it is not understood. */
static bool count_fetched(struct run *run, int64_t when, const char *text)
{
	int queue = queue_of(text, " sqid "), jump = run_blackout_of(run, when);

	if (queue > 0 && jump >= 0)
		run->disk.jumps[jump].fetched++;
	return queue >= 0;
}

static bool count_completed(struct run *run, int64_t when, const char *text)
{
	int queue = queue_of(text, " cqid "), jump = run_blackout_of(run, when);

	if (queue > 0 && jump >= 0)
		run->disk.jumps[jump].completed++;
	return queue >= 0;
}

bool disk_trace(struct run *run, int64_t when, const char *text)
{
	if (is_event(text, "pci_nvme_io_cmd"))
		return count_fetched(run, when, text);
	if (is_event(text, "pci_nvme_enqueue_req_completion"))
		return count_completed(run, when, text);
	if (!is_judged(run, when))
		return !strncmp(text, "pci_nvme_", 9);
	if (is_trouble(text))
		problem(run, "the controller complains", text);
	else if (is_one_of(text, resets, COUNT(resets)))
		problem(run, "the controller is set up anew or stopped", text);
	else if (!is_one_of(text, doorbells, COUNT(doorbells)))
		return false;
	else if (is_in_blackout(run, when))
		problem(run, "somebody rings in the blackout", text);
	return true;
}

/* ---- registers ---- */

static void expect_same_controller(struct run *run, const struct controller *now, const char *when)
{
	const struct controller *armed = &run->disk.armed;

	if (!armed->seen || !now->seen)
		run_problem(run, "the registers of the controller were not read %s", when);
	else if (memcmp(now, armed, sizeof(*now)))
		run_problem(run, "registers of the controller are not what they were %s: CC 0x%x "
			    "CSTS 0x%x AQA 0x%x ASQ 0x%llx ACQ 0x%llx, armed with 0x%x 0x%x 0x%x "
			    "0x%llx 0x%llx", when, now->cc, now->csts, now->aqa, now->asq, now->acq,
			    armed->cc, armed->csts, armed->aqa, armed->asq, armed->acq);
}

/* ---- the image ---- */

/* Version of a block as the programs have told, 0 for one that none has written. */
static uint64_t version_of(const struct run *run, uint64_t block)
{
	for (int i = 0; i < run->disk.written_count; i++) {
		const struct written *written = &run->disk.written[i];

		if (block >= written->first && block < written->first + written->count)
			return written->version;
	}
	return 0;
}

static unsigned int count_wrong(struct run *run, FILE *file)
{
	uint64_t words[DISK_WORDS];
	unsigned int wrong = 0;

	for (uint64_t block = 0; block < DISK_BLOCKS; block++) {
		uint64_t version = version_of(run, block);

		if (fread(words, sizeof(words), 1, file) != 1)
			return wrong + DISK_BLOCKS - block;
		run->disk.blocks_written += !!version;
		if (disk_differs(words, block, version, 1))
			continue;
		if (wrong++ < TOLD)
			run_problem(run, "block %llu of the image is not that of version %llu",
				    (unsigned long long)block, (unsigned long long)version);
	}
	return wrong;
}

static void judge_image(struct run *run)
{
	unsigned int wrong;
	char path[128];
	FILE *file;

	disk_path(run, path, sizeof(path));
	file = fopen(path, "r");
	if (!file) {
		run_problem(run, "the image cannot be read: %s", strerror(errno));
		return;
	}
	wrong = count_wrong(run, file);
	fclose(file);
	if (wrong)
		run_problem(run, "%u blocks of the image are wrong", wrong);
	if (!run->disk.blocks_written && !run->disk.read_only)
		run_problem(run, "no block was written");
}

/* ---- the verdict ---- */

/*
 * The controller has the first commands already; those that were still in the queue it
 * fetches by itself, as others end: descriptors, lists and data by translations of then.
 */
static void judge_blackout(struct run *run, const struct disk_jump *jump)
{
	printf("  %u commands under way at the kexec; in the blackout the drive fetched %u of them "
	       "and completed %u, the next program found %u\n", jump->under_way, jump->fetched,
	       jump->completed, jump->found);
	if (!jump->under_way)
		run_problem(run, "no command was under way at the kexec");
	/* Who only reads has submitted nothing for a while: the drive may have all of it. */
	if (!jump->completed || (!jump->fetched && !run->disk.read_only))
		run_problem(run, "the drive did nothing in the blackout");
	if (jump->found < jump->completed || jump->found > jump->under_way)
		run_problem(run, "the next program found %u completions: %u were there, %u commands "
			    "under way", jump->found, jump->completed, jump->under_way);
}

static void judge_jumps(struct run *run)
{
	for (int i = 0; i < run->update_count; i++) {
		judge_blackout(run, &run->disk.jumps[i]);
		expect_same_controller(run, &run->disk.jumps[i].after, "after the kexec");
	}
}

void disk_judge(struct run *run)
{
	const struct disk *disk = &run->disk;

	judge_jumps(run);
	expect_same_controller(run, &disk->end, "at the end");
	judge_image(run);
	printf("  %llu blocks read and right, %llu wrong; %u blocks of the image written\n",
	       disk->right, disk->wrong, disk->blocks_written);
	if (disk->right_before >= disk->right || disk->wrong)
		run_problem(run, "of the data read %llu blocks are right since the kexec, %llu pieces "
			    "wrong", disk->right - disk->right_before, disk->wrong);
}
