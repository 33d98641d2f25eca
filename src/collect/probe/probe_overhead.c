/* SPDX-License-Identifier: Apache-2.0 */
/* Estimates the overhead of probes: see probe_overhead.h. */
#include "collect/probe/probe_overhead.h"

#include <errno.h>

#include "base/clock.h"
#include "collect/probe/probe_cost.h"
#include "collect/probe/probe_site.h"
#include "collect/session/machine.h"
#include "collect/session/module_store.h"
#include "target/process.h"

/* These are times of the programs, measured on Linux 6.18 in a VM (docs/heap.md). */
#define BEGIN_PROGRAM_NS 90
#define END_PROGRAM_NS 60
#define NEARLY_ALL 0.98 /* of the time; above it the estimate has no meaning */

#define TRIAL_STEP_NS 5000000
#define TRIAL_STEPS 20 /* the trial takes at most this many steps */
#define TRIAL_STEPS_LEAST 6 /* programs work in bursts */
#define TRIAL_CALLS 20000 /* or after this many calls */

void probed_calls_since(struct probed_calls *calls, const struct probed_calls *before)
{
	calls->begins -= before->begins;
	calls->ends -= before->ends;
	calls->sampled_ns -= before->sampled_ns;
	calls->stepped -= before->stepped;
	calls->more_ns -= before->more_ns;
	calls->elapsed_ns -= before->elapsed_ns;
	/* The sums no longer include processes and threads that have ended. */
	calls->cpu_ns = calls->cpu_ns > before->cpu_ns ? calls->cpu_ns - before->cpu_ns : 0;
	calls->queued_ns =
		calls->queued_ns > before->queued_ns ? calls->queued_ns - before->queued_ns : 0;
}

struct probe_overhead probe_overhead_of(const struct probed_calls *c)
{
	double added = (double)c->begins * (c->begin_ns + BEGIN_PROGRAM_NS) +
		       (double)c->ends * (c->end_ns + END_PROGRAM_NS) + (double)c->more_ns +
		       (double)c->sampled_ns;
	double seconds = (double)c->elapsed_ns / 1e9, share;
	/*
	 * Threads that run in parallel pay in parallel; a mostly idle thread absorbs the cost in
	 * its idle time. A thread that waits for a CPU is not idle: on a busy machine probes cost a
	 * share of its CPU time.
	 */
	u64 idle_or_running = c->elapsed_ns > c->queued_ns ? c->elapsed_ns - c->queued_ns : 0;
	u64 time = c->cpu_ns > idle_or_running ? c->cpu_ns : idle_or_running;

	if (!time || !c->elapsed_ns)
		return (struct probe_overhead){0};
	share = added / (double)time < NEARLY_ALL ? added / (double)time : NEARLY_ALL;
	return (struct probe_overhead){
		.calls_per_second = (double)c->begins / (seconds * (1 - share)),
		.slowdown = share / (1 - share),
		.at_least = share >= NEARLY_ALL,
	};
}

/* ---- watching a target ----------------------------------------------------------------------- */

static u64 cpu_time(const struct target *t)
{
	u64 sum = 0;

	vec_for_each(&t->processes, p) {
		clockid_t clock;

		if (!clock_getcpuclockid(p->tgid, &clock))
			sum += clock_ns(clock);
	}
	return sum;
}

static u64 queued_time(const struct target *t)
{
	pid_vec threads = {0};
	u64 sum = 0;

	vec_for_each(&t->processes, p) {
		threads.len = 0;
		if (process_threads(p->tgid, &threads))
			continue;
		vec_for_each(&threads, tid)
			sum += thread_queued_ns(p->tgid, *tid);
	}
	vec_release(&threads);
	return sum;
}

/* The time in queues is left out, because it needs a file for each thread. */
static struct probed_calls calls_now(const struct overhead_watch *w)
{
	struct probed_calls calls = {.cpu_ns = cpu_time(w->opt->target)};

	calls.elapsed_ns = monotonic_ns();
	w->count(w->arg, &calls);
	return calls;
}

struct cost_trial {
	int prog_fd;
	u64 cookie;
	bool links;
};

static int measure(void *arg, struct probe_costs *out)
{
	const struct cost_trial *t = arg;

	return probe_cost_measure(t->prog_fd, t->cookie, t->links, out);
}

void overhead_watch_begin(struct overhead_watch *w, int prog_fd, u64 cookie, bool links)
{
	struct cost_trial trial = {prog_fd, cookie, links};
	int err = machine_probe_costs(module_store_machine(w->opt->store), links, measure, &trial,
				      &w->costs);

	/* If it is unknown, the figures of another machine are used. */
	if (err)
		log_info(w->opt->log, "cannot measure what a probe costs: %s", error_reason(err));
	else
		log_info(w->opt->log,
			 "a probe costs %u ns on this machine, %u ns where the kernel single-steps",
			 w->costs.emulated_ns, w->costs.stepped_ns);
	w->before = calls_now(w);
	w->before.queued_ns = queued_time(w->opt->target);
}

u32 probe_cost_here(const struct probe_costs *costs, u32 ns)
{
	u32 emulated_ns = probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY);
	u32 stepped_ns = probe_cost_ns(PROBE_COST_STEPPED, PROBE_ENTRY), step = 0;

	if (!costs->emulated_ns)
		return ns;
	if (ns >= stepped_ns && costs->stepped_ns) {
		ns -= stepped_ns; /* what is left is the return probe's part */
		step = costs->stepped_ns;
	}
	return step + (u32)((u64)ns * costs->emulated_ns / emulated_ns);
}

struct probe_overhead overhead_watch_now(const struct overhead_watch *w)
{
	u32 known_ns = probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY);
	struct probed_calls calls = calls_now(w);

	calls.queued_ns = queued_time(w->opt->target);
	probed_calls_since(&calls, &w->before);
	calls.begin_ns = probe_cost_here(&w->costs, calls.begin_ns);
	calls.end_ns = probe_cost_here(&w->costs, calls.end_ns);
	if (w->costs.emulated_ns)
		calls.more_ns = calls.more_ns * w->costs.emulated_ns / known_ns;
	calls.more_ns +=
		calls.stepped *
		(probe_cost_here(&w->costs, probe_cost_ns(PROBE_COST_STEPPED, PROBE_ENTRY)) -
		 probe_cost_here(&w->costs, known_ns));
	return probe_overhead_of(&calls);
}

/* The trial is not longer than the whole recording, for which -d may set less. */
static bool is_over(const struct overhead_watch *w, u32 step)
{
	struct probed_calls calls = calls_now(w);

	if (w->opt->duration_ns && calls.elapsed_ns - w->before.elapsed_ns >= w->opt->duration_ns)
		return true;
	return step >= TRIAL_STEPS_LEAST && calls.begins - w->before.begins > TRIAL_CALLS;
}

int overhead_watch_trial(struct overhead_watch *w, struct error *err)
{
	const struct timespec pause = {.tv_nsec = TRIAL_STEP_NS};
	const char *title = w->opt->target->title, *about;
	u32 limit = w->limit;
	struct probe_overhead overhead;
	double percent;

	if (w->began_ns)
		*w->began_ns = monotonic_ns();
	if (w->opt->begins)
		w->opt->begins();
	w->before = calls_now(w);
	w->before.queued_ns = queued_time(w->opt->target);
	/* A signal ends it, because the user wants the recording to end. */
	for (u32 step = 0; step < TRIAL_STEPS && !is_over(w, step); step++) {
		if (nanosleep(&pause, NULL))
			break;
	}
	overhead = overhead_watch_now(w);
	percent = overhead.slowdown * 100;
	about = overhead.at_least ? "more than" : "about";
	log_note(w->opt->log, "%s: %.0f %s: expect %s %.0f%% slowdown", title,
		 overhead.calls_per_second, w->calls, about, percent);
	if (!limit || percent <= limit)
		return 0;
	return error_set(err, -EBUSY,
			 "cannot profile %s: it would be slowed by %s %.0f%%, the limit is %u%% "
			 "(--max-slowdown sets it, --force goes on anyway)",
			 title, about, percent, limit);
}
