// SPDX-License-Identifier: GPL-2.0
/*
 * The program that takes the device back is killed before a step of its way, or
 * before each of them in turn.  Then either another instance goes the whole way,
 * or a reaper, which needs nothing but the session, puts an end to it.
 *
 *	at=STEP		only before this step
 *	then=again	another instance goes on
 *	then=reap	FINISH, and afterwards the card is set up afresh
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

static void go_and_wait_for_death(enum back_step at, int ready)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, at);
	if (write(ready, "", 1) != 1)
		give_up("pipe: %m");
	for (;;)
		pause();
}

static void kill_an_instance(enum back_step at)
{
	int ends[2];
	pid_t child;
	char byte;

	if (pipe(ends))
		give_up("pipe: %m");
	child = fork();
	if (child < 0)
		give_up("fork: %m");
	if (!child)
		go_and_wait_for_death(at, ends[1]);
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		give_up("the instance ended by itself");
	kill(child, SIGKILL);
	/* Its files are closed when it can be waited for. */
	waitpid(child, NULL, 0);
	close(ends[0]);
	event("killed before=%s", back_step_name(at));
}

static bool is_asked_for(enum back_step at)
{
	const char *only = option_text("at", "");

	return !*only || !strcmp(only, back_step_name(at));
}

/* The step before which the last instance was killed. */
static enum back_step kill_instances(void)
{
	enum back_step last = BACK_STEPS;

	for (enum back_step at = BACK_SESSION; at < BACK_STEPS; at++) {
		if (!is_asked_for(at))
			continue;
		kill_an_instance(at);
		last = at;
	}
	if (last == BACK_STEPS)
		give_up("no such step");
	return last;
}

/* What the dead instances left in the iommufd goes with it: the pages are counted afterwards. */
static void go_on(bool switched_before)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back.switched_before = switched_before;
	back_go_to(&back, BACK_STEPS);
	expect_growth(&receiver);
	back_let_go(&back);
	back_close_files(&back);
	use_afresh();
}

/* The memory is retrieved to be judged; the end itself does not need it. */
static void reap(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_take(&back, BACK_SESSION);
	back_take(&back, BACK_MEMORY);
	release(0);
	back_take(&back, BACK_FINISH);
	close(back.session);
	expect_stopped(&back);
	use_afresh();
}

void killed_new_kernel(void)
{
	enum back_step last = kill_instances();

	if (strcmp(option_text("then", "again"), "reap"))
		go_on(last > BACK_SWITCH);
	else
		reap();
}
