/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that searches processes for new files: see process_watch.h. */
#include "collect/session/process_watch.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bpf_shared.h"
#include "base/clock.h"
#include "collect/session/target_list.h"
#include "target/pid_space.h"

#define FIRST_STEP_NS 2000000ull
#define LAST_STEP_NS 256000000ull
#define ALL_NS 500000000ull /* between two searches of all processes */

struct begun {
	pid_t tgid;
	u64 due_ns, step_ns; /* when it is searched next; step 0 if it has not been searched yet */
};

struct process_watch {
	struct process_watch_options opt;
	struct ring_buffer *new_processes;
	int wake; /* an eventfd that ends the watch */
	pthread_t thread;
	bool running;
	/* Used only by the thread. */
	VEC(struct begun) begun;
	pid_vec rest; /* still to do in this search of all processes */
	u64 all_due_ns;
	bool rested;
	/* Shared between threads. */
	bool ending;
	struct process_watch_stats stats;
};

static void count(u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool is_ending(const struct process_watch *w)
{
	return __atomic_load_n(&w->ending, __ATOMIC_ACQUIRE);
}

/* ---- processes that begin ---- */

static void begin(struct process_watch *w, pid_t tgid, bool same_process)
{
	const struct begun fresh = {.tgid = tgid, .due_ns = monotonic_ns()};

	if (!same_process)
		w->opt.ops->forget(w->opt.arg, tgid);
	vec_for_each(&w->begun, b) {
		if (b->tgid != tgid)
			continue;
		if (!b->step_ns && same_process)
			return; /* It has not had its turn yet. */
		count(&w->stats.begun);
		if (!b->step_ns)
			count(&w->stats.missed);
		*b = fresh;
		return;
	}
	count(&w->stats.begun);
	/* Without memory for it, the next search of all processes finds it. */
	if (vec_push(&w->begun, fresh))
		count(&w->stats.missed);
}

static int process_born(void *ctx, void *data, size_t size)
{
	const struct new_process *new_process = data;
	const struct process_watch *w = ctx;
	pid_t tgid;

	if (size < sizeof(*new_process))
		return 0;
	if (w->opt.heard)
		w->opt.heard(w->opt.heard_arg, new_process);
	if (!new_process->ended && !new_process->asks && !pid_from_proc(new_process->tgid, &tgid))
		begin(ctx, tgid, new_process->exec);
	return 0;
}

static void drop(struct process_watch *w, struct begun *b)
{
	*b = w->begun.data[--w->begun.len];
}

/* Returns the one whose turn it is now, if any; the first to begin comes first. */
static struct begun *next_begun(struct process_watch *w, u64 now)
{
	struct begun *next = NULL;

	vec_for_each(&w->begun, b) {
		if (b->due_ns <= now && (!next || b->due_ns < next->due_ns))
			next = b;
	}
	return next;
}

static void look_at(struct process_watch *w, struct begun *b)
{
	bool first = !b->step_ns;
	pid_t tgid = b->tgid;

	if (!w->opt.ops->look(w->opt.arg, tgid)) {
		if (first)
			count(&w->stats.missed);
		drop(w, b);
		w->opt.ops->forget(w->opt.arg, tgid);
		return;
	}
	b->step_ns = first ? FIRST_STEP_NS : b->step_ns * 2;
	b->due_ns = monotonic_ns() + b->step_ns;
	if (b->step_ns > LAST_STEP_NS)
		drop(w, b);
}

/* ---- the thread ---- */

/* Does one step; false if there is nothing to do now. */
static bool step(struct process_watch *w)
{
	u64 now = monotonic_ns();
	struct begun *b;

	if (w->new_processes)
		ring_buffer__consume(w->new_processes);
	b = next_begun(w, now);
	if (b) {
		look_at(w, b);
		return true;
	}
	if (w->rest.len) {
		w->opt.ops->look(w->opt.arg, w->rest.data[--w->rest.len]);
		return true;
	}
	if (now < w->all_due_ns)
		return false;
	w->opt.ops->forget_ended(w->opt.arg);
	if (target_list(w->opt.targets_fd, &w->rest)) {
		/* The next attempt may succeed. */
	}
	w->all_due_ns = now + ALL_NS;
	return true;
}

static void wait_for_work(struct process_watch *w)
{
	struct pollfd fds[] = {
		{.fd = w->wake, .events = POLLIN},
		{.fd = w->new_processes ? ring_buffer__epoll_fd(w->new_processes) : -1,
		 .events = POLLIN},
	};
	u64 now = monotonic_ns(), due = w->all_due_ns;

	vec_for_each(&w->begun, b)
		due = b->due_ns < due ? b->due_ns : due;
	poll(fds, ARRAY_LEN(fds), due > now ? (int)((due - now) / 1000000) + 1 : 0);
}

static void *watch(void *arg)
{
	struct process_watch *w = arg;

	while (!is_ending(w)) {
		if (step(w)) {
			w->rested = false;
			continue;
		}
		if (!w->rested)
			w->opt.ops->rest(w->opt.arg);
		w->rested = true;
		wait_for_work(w);
	}
	if (w->new_processes)
		ring_buffer__consume(w->new_processes);
	vec_for_each(&w->begun, b) {
		if (!b->step_ns)
			count(&w->stats.missed);
	}
	return NULL;
}

/* ---- creation and end ---- */

static int start_thread(struct process_watch *w)
{
	sigset_t all, before;
	int err;

	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, watch, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->running = !err;
	return -err;
}

int process_watch_start(const struct process_watch_options *opt, struct process_watch **out)
{
	struct process_watch *w = calloc(1, sizeof(*w));
	int err = 0;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	w->opt = *opt;
	w->all_due_ns = monotonic_ns() + ALL_NS;
	w->wake = eventfd(0, EFD_CLOEXEC);
	if (w->wake < 0)
		err = -errno;
	if (!err && opt->new_processes_fd >= 0) {
		w->new_processes = ring_buffer__new(opt->new_processes_fd, process_born, w, NULL);
		err = w->new_processes ? 0 : -errno;
	}
	for (size_t i = 0; i < opt->nbegun && !err; i++)
		err = vec_push(&w->begun, (struct begun){.tgid = opt->begun[i],
							 .due_ns = monotonic_ns() + FIRST_STEP_NS,
							 .step_ns = FIRST_STEP_NS});
	if (!err)
		err = start_thread(w);
	if (err)
		process_watch_free(w);
	else
		*out = w;
	return err;
}

void process_watch_stop(struct process_watch *w)
{
	const u64 one = 1;

	if (!w || !w->running)
		return;
	__atomic_store_n(&w->ending, true, __ATOMIC_RELEASE);
	if (write(w->wake, &one, sizeof(one)) < 0) {
		/* The thread sees the flag when its wait is over. */
	}
	pthread_join(w->thread, NULL);
	w->running = false;
}

struct process_watch_stats process_watch_stats(const struct process_watch *w)
{
	if (!w)
		return (struct process_watch_stats){0};
	return (struct process_watch_stats){
		.begun = __atomic_load_n(&w->stats.begun, __ATOMIC_RELAXED),
		.missed = __atomic_load_n(&w->stats.missed, __ATOMIC_RELAXED),
	};
}

void process_watch_free(struct process_watch *w)
{
	if (!w)
		return;
	process_watch_stop(w);
	ring_buffer__free(w->new_processes);
	vec_release(&w->begun);
	vec_release(&w->rest);
	if (w->wake >= 0)
		close(w->wake);
	free(w);
}
