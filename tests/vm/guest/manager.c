// SPDX-License-Identifier: GPL-2.0
/*
 * examples/service.c under a service manager that is none: this program makes the session,
 * keeps a descriptor of it and hands it over by the environment, as systemd does by
 * LUOSession=; it has the service preserve and end, and then jumps. In the next kernel it
 * retrieves the session and hands it over again. The kernels of the rig have no sockets,
 * so nothing can be said to it; scenarios of systemd have the real one.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "receiver.h"
#include "scenarios.h"
#include "systemd.h"

#define SERVICE		"/examples/rig-service"
#define NAME		"nic"
#define SESSION		"nic.service-nic"	/* the manager's own name for it */
#define FIRST_FD	3
#define RUN_MS		1000

static void run_in_child(int session, char *bdf)
{
	char *arguments[] = { SERVICE, NAME, bdf, NULL };
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", NAME, 1);
	/* without close-on-exec, which dup2() would leave if it were there already */
	if (session == FIRST_FD)
		fcntl(session, F_SETFD, 0);
	else
		dup2(session, FIRST_FD);
	execv(SERVICE, arguments);
	_exit(127);
}

static pid_t start(int session)
{
	char bdf[BDF_LENGTH];
	struct receiver receiver;
	pid_t child;

	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf),
	     "find the network card");
	child = fork();
	if (child < 0)
		give_up("fork: %m");
	if (!child)
		run_in_child(session, bdf);
	return child;
}

void manager_old_kernel(void)
{
	int session, status;
	pid_t service;

	prepare_kexec();
	session = must(session_create(SESSION), "create session");
	service = start(session);
	sleep_ms(option_number("run_ms", 3 * RUN_MS));
	kill(service, SIGHUP);
	sleep_ms(RUN_MS);
	kill(service, SIGTERM);
	waitpid(service, &status, 0);
	check(!status, "the service has ended by itself: status 0x%x", status);
	must(announce_and_jump(), "kexec");
}

/* One that was killed is started again, with the same descriptor. */
static pid_t start_again_if_killed(pid_t service, int session)
{
	int status;

	if (!*option_text("die", ""))
		return service;
	waitpid(service, &status, 0);
	check(WIFSIGNALED(status), "the service was killed: status 0x%x", status);
	return start(session);
}

void manager_new_kernel(void)
{
	int session = must(session_retrieve(SESSION), "retrieve session");
	pid_t service = start_again_if_killed(start(session), session);
	int status;

	sleep_ms(option_number("run_ms", 3 * RUN_MS));
	must(touch_file(RIG_END), RIG_END);
	/* It powers the machine off. */
	waitpid(service, &status, 0);
	give_up("the service ended with status 0x%x", status);
}
