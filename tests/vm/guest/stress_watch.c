// SPDX-License-Identifier: GPL-2.0
/* Starts the processes of a stress run, kills them, and watches that they get on. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "stress_work.h"

#define WORKERS_MAX	32
/* What they hold up ends by itself long before. */
#define END_MS		30000
/* On a host that has other things to do. */
#define IDLE_REPORTS	3
/* The one who takes the frames goes first. */
#define NICE		10

struct watched {
	const struct work *work;
	struct worker *worker;	/* in shared memory */
	pid_t pid;
	unsigned long calls_before, refused_before;
	/* How many reports in a row were without a call of it. */
	int idle;
	int killed;
};

static struct watched workers[WORKERS_MAX];
static struct worker *shared;
static struct stress run;
static int count;

struct thread {
	const struct work *work;
	struct worker *worker;
	int nth;
};

static void *work_until_stopped(void *argument)
{
	const struct thread *thread = argument;

	while (!__atomic_load_n(&thread->worker->stop, __ATOMIC_ACQUIRE))
		thread->work->turns[thread->nth](&run, thread->worker);
	return NULL;
}

static void be_worker(const struct work *work, struct worker *worker)
{
	struct thread threads[THREADS_MAX] = { { work, worker, 0 }, { work, worker, 1 } };
	pthread_t second;
	bool has_second = work->turns[1];

	setpriority(PRIO_PROCESS, 0, NICE);
	srand(getpid());
	if (has_second && pthread_create(&second, NULL, work_until_stopped, &threads[1]))
		give_up("thread: %m");
	work_until_stopped(&threads[0]);
	if (has_second)
		pthread_join(second, NULL);
	_exit(0);
}

static void start(struct watched *watched)
{
	watched->pid = fork();
	if (watched->pid < 0)
		give_up("fork: %m");
	if (!watched->pid)
		be_worker(watched->work, watched->worker);
}

static void add(const struct work *work)
{
	if (count == WORKERS_MAX)
		give_up("too many workers");
	workers[count] = (struct watched) { .work = work, .worker = &shared[count] };
	shared[count] = (struct worker) { .number = count };
	count++;
}

static bool is_wanted(const struct work *work)
{
	return work->where != (run.next_kernel ? OLD_KERNEL : NEXT_KERNEL);
}

void stress_begin(const struct stress *stress)
{
	run = *stress;
	count = 0;
	if (!shared)
		shared = mmap(NULL, WORKERS_MAX * sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("shared memory: %m");
	for (int i = 0; i < stress_works_count; i++)
		for (int nth = 0; is_wanted(&stress_works[i]) &&
		     nth < stress_works[i].processes; nth++)
			add(&stress_works[i]);
	for (int i = 0; i < count; i++)
		start(&workers[i]);
}

/* Innermost function first, without offsets. */
static void show_thread(const struct watched *watched, const char *thread)
{
	char path[64], function[64], stack[800] = "";
	size_t length = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stack", watched->pid, thread);
	file = fopen(path, "re");
	while (file && length < sizeof(stack) &&
	       fscanf(file, " [<0>] %63[^+]%*[^\n]", function) == 1)
		length += snprintf(stack + length, sizeof(stack) - length, " %s", function);
	if (file)
		fclose(file);
	event("stands worker=%s thread=%s in%s", watched->work->name, thread, stack);
}

/* Where in the kernel each thread of it is. */
static void show_where(const struct watched *watched)
{
	char path[64];
	struct dirent *thread;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", watched->pid);
	threads = opendir(path);
	while (threads && (thread = readdir(threads)))
		if (*thread->d_name != '.')
			show_thread(watched, thread->d_name);
	if (threads)
		closedir(threads);
}

/* Returns its status, or -1 when it does not end. */
static int wait_for(const struct watched *watched)
{
	int status;

	for (int waited = 0; waited < END_MS * run.patience; waited += 10) {
		if (waitpid(watched->pid, &status, WNOHANG) == watched->pid)
			return status;
		sleep_ms(10);
	}
	check(false, "worker %s ends", watched->work->name);
	show_where(watched);
	return -1;
}

void stress_kill_one(void)
{
	struct watched *watched = &workers[rand() % count];

	if (!watched->work->may_be_killed)
		return;
	kill(watched->pid, SIGKILL);
	if (wait_for(watched) < 0)
		return;
	watched->killed++;
	start(watched);
}

static void report_one(struct watched *watched, int second)
{
	const struct worker *worker = watched->worker;
	unsigned long calls = worker->calls, refused = worker->refused;

	event("stress second=%d worker=%s calls=%lu refused=%lu preserved=%lu killed=%d", second,
	      watched->work->name, calls - watched->calls_before,
	      refused - watched->refused_before, worker->preserved, watched->killed);
	watched->idle = calls == watched->calls_before ? watched->idle + 1 : 0;
	if (watched->idle >= IDLE_REPORTS * run.patience) {
		check(false, "worker %s gets on", watched->work->name);
		show_where(watched);
	}
	watched->calls_before = calls;
	watched->refused_before = refused;
}

void stress_report(int second)
{
	for (int i = 0; i < count; i++)
		report_one(&workers[i], second);
}

/* What a killed one has left mapped. */
static void unmap_areas(void)
{
	const struct receiver *receiver = run.receiver;

	for (int area = 0; !run.next_kernel && area < count * THREADS_MAX; area++) {
		int result = ioas_unmap(receiver->device.iommufd, receiver->ioas_id,
					AREA_IOVA(area), AREA_SIZE);

		if (result != -ENOENT)
			check_errno(result < 0 ? result : 0, 0, "unmap what was left");
	}
}

static void judge(const struct watched *watched)
{
	const struct worker *worker = watched->worker;
	const struct work *work = watched->work;
	int status = wait_for(watched);
	unsigned long granted = worker->calls - worker->refused;
	bool as_expected = work->outcome == (granted ? GRANTED : REFUSED);

	check(!status, "worker %s ended: status 0x%x", work->name, status);
	check(as_expected || work->outcome == EITHER || run.rehearsal,
	      "worker %s: %lu of %lu calls granted", work->name, granted, worker->calls);
	if (worker->strange)
		check(false, "worker %s: %s: %s", work->name, worker->what,
		      strerrorname_np(worker->strange));
}

void stress_end(void)
{
	unsigned long preserved = 0;

	for (int i = 0; i < count; i++)
		__atomic_store_n(&shared[i].stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < count; i++) {
		judge(&workers[i]);
		preserved += shared[i].preserved;
	}
	check(preserved || run.next_kernel || run.rehearsal,
	      "cards were preserved whole %lu times", preserved);
	unmap_areas();
}

void stress_map_once(const struct receiver *receiver)
{
	void *memory = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	int iommufd = receiver->device.iommufd;

	for (int area = 0; area < WORKERS_MAX * THREADS_MAX; area++) {
		must(ioas_map_memory(iommufd, receiver->ioas_id, memory, AREA_SIZE,
				     AREA_IOVA(area)), "map once");
		must(ioas_unmap(iommufd, receiver->ioas_id, AREA_IOVA(area), AREA_SIZE),
		     "unmap once");
	}
	munmap(memory, AREA_SIZE);
}
