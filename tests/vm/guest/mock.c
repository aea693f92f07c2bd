// SPDX-License-Identifier: GPL-2.0
/*
 * A machine without an IOMMU: the kernel's own test with the made-up one goes from
 * kernel to kernel.
 *
 *	arguments=WORD+...	further arguments of the program
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "images.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define PROGRAM		"/tests/luo_iommu_mock"
#define ARGUMENTS_MAX	16

static bool is_last(void)
{
	return option_number("stage", 1) > option_number("updates", 1);
}

static void execute(void)
{
	char stage[24], last[24], words[128];
	char *arguments[ARGUMENTS_MAX] = { PROGRAM, "-s", stage, "-n", last };
	int count = 5;

	snprintf(stage, sizeof(stage), "%ld", option_number("stage", 1));
	snprintf(last, sizeof(last), "%ld", option_number("updates", 1) + 1);
	snprintf(words, sizeof(words), "%s", option_text("arguments", ""));
	for (char *word = strtok(words, "+"); word && count < ARGUMENTS_MAX - 1;
	     word = strtok(NULL, "+"))
		arguments[count++] = word;
	execv(PROGRAM, arguments);
	_exit(127);
}

/* It leaves a child behind that holds the session. */
static void run_stage(void)
{
	int status = -1;
	pid_t child = fork();

	if (!child)
		execute();
	waitpid(child, &status, 0);
	check(!status, "stage %ld of the made-up IOMMU: status 0x%x", option_number("stage", 1),
	      status);
}

/* From the second kernel on only images in a session are at hand. */
static void hand_images_over(struct images *images)
{
	images_prepare_kexec(images);
	images_preserve(images);
	must(announce_and_jump(), "kexec");
}

void mock_old_kernel(void)
{
	struct images images;

	if (option_number("updates", 1) > 1) {
		run_stage();
		images_read(&images);
		hand_images_over(&images);
	}
	/* The program may try to jump when that has to be refused. */
	prepare_kexec();
	run_stage();
	must(announce_and_jump(), "kexec");
}

void mock_new_kernel(void)
{
	struct images images;

	if (option_number("updates", 1) > 1) {
		images_retrieve(&images);
		images_finish(&images);
	}
	run_stage();
	if (!is_last())
		hand_images_over(&images);
}
