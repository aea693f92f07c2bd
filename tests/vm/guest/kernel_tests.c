// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own tests: the suites of KUnit, and programs in /tests.  The
 * command line has kunit.autorun=0, so that the suites run when the machine is
 * up and its statistics stand still.
 *
 *	suites=WORD+...	only the suites with one of these in their names
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define KUNIT		"/sys/kernel/debug/kunit"
#define PROGRAMS	"/tests"

typedef void (*entry_handler)(const char *directory, const char *name);

static int for_each_entry(const char *directory, entry_handler handler)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	int count = 0;

	while (stream && (entry = readdir(stream))) {
		if (*entry->d_name == '.')
			continue;
		handler(directory, entry->d_name);
		count++;
	}
	if (stream)
		closedir(stream);
	return count;
}

/* Counters are folded from time to time, which some suites take for a leak. */
static void hold_statistics(void)
{
	write_file("/proc/sys/vm/stat_interval", "3600");
	write_file("/proc/sys/vm/stat_refresh", "1");
}

static bool is_wanted(const char *suite)
{
	char words[128];

	snprintf(words, sizeof(words), "%s", option_text("suites", ""));
	if (!*words)
		return true;
	for (char *word = strtok(words, "+"); word; word = strtok(NULL, "+"))
		if (strstr(suite, word))
			return true;
	return false;
}

/* TAP: what is indented once is a case, or a group of parameters. */
static void run_suite(const char *directory, const char *name)
{
	char path[256], line[512];
	unsigned int passed = 0, failed = 0, skipped = 0;
	FILE *results;

	if (!is_wanted(name))
		return;
	snprintf(path, sizeof(path), "%s/%s/run", directory, name);
	check_errno(write_file(path, "1"), 0, path);
	snprintf(path, sizeof(path), "%s/%s/results", directory, name);
	results = fopen(path, "r");
	while (results && fgets(line, sizeof(line), results)) {
		if (strstr(line, "# SKIP"))
			skipped++;
		else if (!strncmp(line, "    ok ", 7))
			passed++;
		else if (!strncmp(line, "    not ok ", 11))
			failed++;
	}
	if (results)
		fclose(results);
	event("suite name=%s passed=%u failed=%u skipped=%u", name, passed, failed, skipped);
	check(results && passed && !failed, "KUnit suite %s: %u passed, %u failed", name, passed,
	      failed);
}

static int run_program(const char *path, const char *stage)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		if (stage)
			execl(path, path, "-s", stage, NULL);
		else
			execl(path, path, NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return status;
}

static void report_program(const char *directory, const char *name, const char *stage)
{
	char path[256];
	int status;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	status = run_program(path, stage);
	/* Not judged here: what fails on the kernel without the series may fail. */
	event("program name=%s stage=%s status=0x%x", name, stage ? stage : "-", status);
}

/* Those of live update hold their sessions in a child until the kexec. */
static bool goes_through_kexec(const char *name)
{
	return !strncmp(name, "luo_", 4);
}

static void report_simple(const char *directory, const char *name)
{
	if (!goes_through_kexec(name))
		report_program(directory, name, NULL);
}

static void report_before(const char *directory, const char *name)
{
	if (goes_through_kexec(name))
		report_program(directory, name, "1");
}

static void report_after(const char *directory, const char *name)
{
	if (goes_through_kexec(name))
		report_program(directory, name, "2");
}

void kernel_tests_old_kernel(void)
{
	int suites, programs;

	hold_statistics();
	suites = for_each_entry(KUNIT, run_suite);
	programs = for_each_entry(PROGRAMS, report_simple);

	check(suites + programs > 0, "%d KUnit suites, %d programs", suites, programs);
	if (!option_number("jump", 0))
		return;
	prepare_kexec();
	for_each_entry(PROGRAMS, report_before);
	must(announce_and_jump(), "kexec");
}

void kernel_tests_new_kernel(void)
{
	check(for_each_entry(PROGRAMS, report_after) > 0, "programs for the second stage");
}
