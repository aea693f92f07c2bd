// SPDX-License-Identifier: GPL-2.0
/* The example programs as their users run them; each says how many frames it has received. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "program.h"
#include "receiver.h"
#include "scenarios.h"

/* survive, which does not ask which kernel it runs on, or raw, which is told */
static bool is_raw(void)
{
	return !strcmp(option_text("program", "survive"), "raw");
}

static char *program(void)
{
	return is_raw() ? "/examples/raw" : "/examples/survive";
}

static FILE *start(char **arguments)
{
	FILE *output;

	/* the word that tells raw which kernel this is */
	if (!is_raw()) {
		arguments[1] = arguments[0];
		arguments++;
	}
	program_start(arguments, false, &output);
	return output;
}

/* Comes back only when the program failed; what it says is on the console. */
void example_old_kernel(void)
{
	char bdf[BDF_LENGTH], command_line[2048];
	char *arguments[] = { program(), "old", bdf, "/bzImage", "/initrd", command_line, NULL };
	struct receiver receiver;
	int status;

	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf),
	     "find the network card");
	read_file("/next-cmdline", command_line, sizeof(command_line));
	traffic_start(&receiver);
	event_ask("kexec-call");
	start(arguments);
	wait(&status);
	give_up("the example ended with status 0x%x", status);
}

void example_new_kernel(void)
{
	char bdf[BDF_LENGTH], line[128];
	char *arguments[] = { program(), "new", bdf, NULL };
	unsigned int frames, before = 0, growing = 0, lines = 0;
	struct receiver receiver;
	FILE *output;

	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf),
	     "find the network card");
	output = start(arguments);
	while (fgets(line, sizeof(line), output)) {
		if (sscanf(line, "%u frames", &frames) != 1)
			continue;
		growing += lines++ && frames > before;
		before = frames;
	}
	check(lines > 1 && growing == lines - 1, "the example received frames %u times, "
	      "more each time %u times, %u in the end", lines, growing, before);
	traffic_stop();
}
