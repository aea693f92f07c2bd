// SPDX-License-Identifier: GPL-2.0
/*
 * A service of systemd whose device goes on while the kernel is replaced; docs/systemd.md
 * has its unit, and says why it does what it does.
 *
 *	service NAME BDF
 *
 * NAME is that of LUOSession=. The session is in the service manager's descriptor store,
 * so what is preserved outlives this program, until the kexec and after it.
 *
 *	SIGHUP (systemctl reload)	preserves all: the next kexec takes it along
 *	SIGUSR1				takes that back
 *	SIGTERM (systemctl stop)	ends; what is preserved stays so, the device goes on
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <iommu-liveupdate.h>

#include "notify.h"
#include "work.h"

struct service {
	const char *name;
	struct ilu *ilu;
	struct work *work;
	bool stored;	/* is the session in the manager's store */
};

static void complain(const struct service *service, const char *what)
{
	const struct ilu_error *error = ilu_error(service->ilu);

	fprintf(stderr, "%s: %s %s: %s: %s. %s\n", what, error->object, error->call, error->text,
		strerror(-error->err), error->hint);
}

/* ---- the session and the manager's store ---- */

/* The manager has closed its descriptor when this returns: it was not the last one else. */
static void take_from_store(struct service *service)
{
	notify("FDSTOREREMOVE=1\nFDNAME=%s", service->name);
	notify_barrier();
	service->stored = false;
}

static int put_into_store(struct service *service)
{
	int error = notify_with_fd(ilu_session_fd(service->ilu), "FDSTORE=1\nFDNAME=%s",
				   service->name);

	if (!error)
		error = notify_barrier();
	service->stored = !error;
	return error;
}

/*
 * From LUOSession= or from the store, by either kernel's manager; else, without such a
 * manager, by its name.
 */
static int find_session(struct service *service)
{
	int error = ilu_session_from_env(service->ilu, service->name);

	if (error == -ENOENT)
		return ilu_session_open(service->ilu, service->name);
	service->stored = !error;
	return error;
}

/* ---- the beginning ---- */

/* It came through a kexec for which nobody had preserved anything. */
static int let_go_of_empty(struct service *service)
{
	if (ilu_role(service->ilu) != ILU_ROLE_FOREIGN)
		return 0;
	if (ilu_abandon(service->ilu))
		return -EIO;
	take_from_store(service);
	return 0;
}

/* A session that is finished is of no use to anybody, so it leaves the store. */
static int take_back(struct service *service)
{
	int error;

	work_hear(service->work, WORK_RESTORING);
	error = ilu_restore(service->ilu);
	if (error)
		return error;
	work_hear(service->work, WORK_RESTORED);
	error = ilu_finish(service->ilu);
	if (error)
		return error;
	take_from_store(service);
	work_hear(service->work, WORK_FINISHED);
	return 0;
}

static int begin(struct service *service)
{
	bool incoming;
	int error = find_session(service);

	if (!error)
		error = let_go_of_empty(service);
	if (error)
		return error;
	incoming = ilu_role(service->ilu) == ILU_ROLE_INCOMING;
	error = incoming ? take_back(service) : work_set_up(service->work, service->ilu);
	return error ? error : work_begin(service->work, service->ilu, incoming);
}

/*
 * What came in is left as it is: the device goes on, and the next instance finds all of
 * it. What does not lead to the next kernel goes: an instance before this one had
 * preserved its device, and nobody can have that in this kernel any more.
 */
static int give_up(struct service *service)
{
	complain(service, "cannot begin");
	/* Without a role it is not known yet what the session is. */
	if (ilu_role(service->ilu) == ILU_ROLE_OUTGOING)
		take_from_store(service);
	return 1;
}

/* ---- the live update ---- */

/* What was preserved before something failed stays so until the store lets go as well. */
static void preserve_failed(struct service *service)
{
	complain(service, "not preserved");
	notify("STATUS=not preserved: %s", ilu_error(service->ilu)->text);
	if (ilu_role(service->ilu) != ILU_ROLE_OUTGOING)
		take_from_store(service);
}

static void preserve(struct service *service)
{
	if (ilu_preserve(service->ilu)) {
		preserve_failed(service);
		return;
	}
	/* That of LUOSession= is there already; one for the second update is not. */
	if (!service->stored && put_into_store(service)) {
		ilu_unpreserve(service->ilu);
		notify("STATUS=not preserved: the service manager has not taken the session");
		return;
	}
	notify("STATUS=preserved");
}

static void unpreserve(struct service *service)
{
	/* Not with its last descriptor only: as long as the manager has one all stays. */
	take_from_store(service);
	if (ilu_unpreserve(service->ilu))
		complain(service, "not taken back");
	notify("STATUS=running");
}

static void reload(struct service *service)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%lld", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	preserve(service);
	notify("READY=1");
}

/* ---- the program ---- */

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

static void serve(struct service *service, const sigset_t *signals)
{
	static const struct timespec at_once;

	for (;;) {
		switch (sigtimedwait(signals, NULL, &at_once)) {
		case SIGHUP:
			reload(service);
			break;
		case SIGUSR1:
			unpreserve(service);
			break;
		case SIGTERM:
		case SIGINT:
			return;
		}
		work_go_on(service->work);
	}
}

int main(int argc, char **argv)
{
	struct service service = { .ilu = ilu_new(NULL) };
	sigset_t signals;

	if (argc != 3) {
		fprintf(stderr, "usage: service NAME BDF\n");
		return 2;
	}
	block_signals(&signals);
	service.name = argv[1];
	service.work = work_new(argv[2]);
	if (!service.ilu || !service.work) {
		fprintf(stderr, "%s: no driver for this device\n", argv[2]);
		return 1;
	}
	if (begin(&service))
		return give_up(&service);
	notify("READY=1\nSTATUS=running");
	serve(&service, &signals);
	/* Interrupts off: with a handler armed the kexec would be refused. */
	ilu_quiesce(service.ilu);
	notify("STOPPING=1");
	ilu_free(service.ilu);
	return 0;
}
