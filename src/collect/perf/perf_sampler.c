/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles CPU time without privileges. The kernel copies registers and a part of the stack with
 * each sample (PERF_SAMPLE_REGS_USER, PERF_SAMPLE_STACK_USER), and the stack is unwound here as
 * soon as it arrives. Only counts are kept, as in BPF mode; a copied stack is never stored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/collector.h"
#include "collect/event_options.h"
#include "collect/session/memory_bound.h"
#include "collect/perf/perf_backlog.h"
#include "collect/perf_event.h"
#include "collect/perf/perf_modules.h"
#include "collect/perf/perf_processes.h"
#include "collect/perf/perf_record.h"
#include "collect/perf/perf_rings.h"
#include "collect/perf/perf_targets.h"
#include "collect/perf/perf_tasks.h"
#include "collect/perf/perf_thinning.h"
#include "collect/perf/perf_walk.h"
#include "collect/session/stack_store.h"

/*
 * A ring must hold what a busy CPU writes until we run, or samples are lost. So the copied stacks
 * are larger if sampling is slower. A record can hold 63 KiB.
 */
#define RING_HOLDS_MS 32
#define RING_BYTES_WANTED (4u << 20)
#define STACK_BYTES_MIN 8192u
#define STACK_BYTES_MAX 64512u

struct perf_collector {
	struct collector base;
	struct collect_options opt;
	const struct event_desc *event;
	struct perf_rings *rings;
	struct perf_tasks *tasks;
	struct perf_modules *modules;
	struct perf_processes *processes;
	struct perf_targets targets;
	struct stack_store *store;
	struct memory_bound bound;
	struct collect_stats stats;
	struct perf_thinning thinning;
	struct perf_backlog *backlog; /* records after one whose file is being loaded */
	int events; /* an epoll descriptor with the rings and the loader of files */
	bool stopped;
	bool giving_up; /* such a record is no longer waited for */
	u32 ticks_hz;
	u64 lost_ticks;
	struct stack_walk walk;
};

static struct perf_collector *perf_of(struct collector *c)
{
	return (struct perf_collector *)c;
}

/* ---- before recording ------------------------------------------------------------------------ */

static u32 stack_bytes(const struct perf_collector *c)
{
	u64 samples = (u64)c->ticks_hz * RING_HOLDS_MS / 1000 + 1;
	u64 bytes = perf_rings_size(c->rings) / samples;

	if (bytes < STACK_BYTES_MIN)
		return STACK_BYTES_MIN;
	return bytes > STACK_BYTES_MAX ? STACK_BYTES_MAX : (u32)(bytes & ~7ull);
}

static void choose_rate(struct perf_collector *c)
{
	u32 limit = perf_max_frequency();
	u32 ticks = limit < PERF_TICKS_HZ_MIN ? limit : PERF_TICKS_HZ_MIN;

	c->ticks_hz = c->opt.frequency;
	if (!c->event->clock || c->opt.frequency >= ticks)
		return;
	c->ticks_hz = ticks;
	perf_thinning_init(&c->thinning, c->opt.frequency, clock_ns(PERF_RINGS_CLOCK));
}

static int watch_rings(struct perf_collector *c)
{
	struct epoll_event event = {.events = EPOLLIN};
	int modules = module_set_fd(perf_modules_set(c->modules));

	c->events = epoll_create1(EPOLL_CLOEXEC);
	if (c->events < 0 || epoll_ctl(c->events, EPOLL_CTL_ADD, modules, &event))
		return -errno;
	return perf_rings_watch(c->rings, c->events);
}

static int make_parts(struct perf_collector *c, struct error *err)
{
	struct perf_tasks_options tasks = {
		.event = c->event,
		.frequency = c->ticks_hz,
		.children = c->opt.target->follow_children,
	};
	int code = perf_rings_new(RING_BYTES_WANTED, &c->rings, err);

	if (code)
		return code;
	tasks.stack_bytes = stack_bytes(c);
	log_debug(c->opt.log, "rings of %zu bytes, stacks of %u bytes", perf_rings_size(c->rings),
		  tasks.stack_bytes);
	code = perf_tasks_new(&tasks, c->rings, &c->tasks);
	if (!code)
		code = perf_modules_new(c->opt.log, c->opt.store, &c->modules);
	if (!code)
		code = perf_processes_new(c->modules, &c->processes);
	if (!code)
		code = perf_backlog_new(&c->backlog);
	if (!code)
		code = stack_store_new(&c->opt, NULL, &c->store);
	if (!code)
		code = watch_rings(c);
	c->targets = (struct perf_targets){.target = c->opt.target,
					   .tasks = c->tasks,
					   .processes = c->processes,
					   .log = c->opt.log};
	return code ? error_set(err, code, "cannot record: %s", error_reason(code)) : 0;
}

static int perf_prepare(struct collector *base, struct error *err)
{
	struct perf_collector *c = perf_of(base);
	int code;

	choose_rate(c);
	code = make_parts(c, err);
	if (!code)
		code = perf_targets_add(&c->targets, err);
	if (code)
		return code;
	if (!c->opt.user && !perf_tasks_kernel(c->tasks))
		return error_set(err, -EACCES,
				 "cannot sample the kernel: permission denied (as root: sysctl "
				 "kernel.perf_event_paranoid=1)");
	perf_targets_read(&c->targets);
	module_set_wait(perf_modules_set(c->modules));
	module_set_begin(perf_modules_set(c->modules));
	return 0;
}

static int perf_start(struct collector *base, struct error *err)
{
	struct perf_collector *c = perf_of(base);
	int code = perf_tasks_start(c->tasks, err);

	if (code)
		return code;
	/* This reads what was mapped and forked since the last reading, and before the kernel began
	 * to report it. */
	perf_targets_read(&c->targets);
	if (c->opt.kernel && !perf_tasks_kernel(c->tasks))
		log_warn(c->opt.log, "without privileges the kernel's share is left out: only time "
				     "in user mode is sampled");
	return 0;
}

/* ---- a sample -------------------------------------------------------------------------------- */

/* Keys only distinguish what is counted; all numbers in perf events are of cprof's own
 * namespace. */
static struct global_pid told_apart_by(u32 nr)
{
	return (struct global_pid){nr};
}

static void count(struct perf_collector *c, const struct perf_sample *s,
		  const struct sample_count *n)
{
	const struct stack_walk *st = &c->walk;
	struct sample_key key = {.stack = st->hash};
	struct thread_id owner;

	if (c->opt.by_process || st->has_anon)
		key.tgid = told_apart_by(s->pid);
	if (c->opt.by_thread)
		key.tid = told_apart_by(s->tid);
	if (c->opt.by_cpu)
		key.cpu = s->cpu + 1;
	if (!stack_store_knows(c->store, &key)) {
		perf_processes_owner(c->processes, s->pid, s->tid, &owner);
		stack_store_put(c->store, &key, &owner, st->frames, st->nframes);
	}
	(void)stack_store_add(c->store, &key, TALLY_COUNT, n);
}

/* Returns a process that was not reported: of the whole machine, or forked before the events were
 * enabled. */
static struct perf_process *process_of(struct perf_collector *c, u32 tgid)
{
	struct perf_process *proc = perf_processes_find(c->processes, tgid);

	if (proc || tgid == 0 || tgid == (u32)getpid())
		return proc;
	perf_targets_read_process(&c->targets, (pid_t)tgid);
	return perf_processes_ensure(c->processes, tgid);
}

/* Decides once how many samples a record is, however often it is read. */
static struct sample_count worth(struct perf_collector *c, const struct perf_sample *s, u64 *taken)
{
	if (*taken == PERF_BACKLOG_UNDECIDED)
		*taken = c->thinning.period ? perf_thinning_take(&c->thinning, s->period) : 1;
	return (struct sample_count){.samples = *taken,
				     .weight = c->thinning.period ? *taken * c->thinning.period
								  : s->period};
}

/* It is false if a file of its stack is being loaded. */
static bool walk(struct perf_collector *c, const struct perf_sample *s, struct perf_process *proc)
{
	const struct perf_walk w = {.modules = c->modules,
				    .space = proc ? perf_process_space(proc) : NULL,
				    .kernel = c->opt.kernel,
				    .user = c->opt.user};
	bool loading = perf_walk_sample(&w, s, &c->walk);

	/* The record of this mapping was lost. */
	if (c->walk.end == STACK_NOT_MAPPED &&
	    perf_process_may_refresh(proc, clock_ns(PERF_RINGS_CLOCK)) &&
	    !perf_processes_read(c->processes, (pid_t)s->pid))
		loading = perf_walk_sample(&w, s, &c->walk);
	return !loading || c->giving_up;
}

static bool on_sample(struct perf_collector *c, const struct perf_sample *s, u64 *taken)
{
	struct perf_process *proc = process_of(c, s->pid);
	/* The idle task has this number as well, but was never in user mode. */
	bool outside = !s->pid && s->abi != PERF_SAMPLE_REGS_ABI_NONE;
	struct sample_count n;

	if ((!proc && !outside) || perf_tasks_is_double(c->tasks, s->tid, s->id))
		return true;
	n = worth(c, s, taken);
	if (!n.samples)
		return true;
	if (!walk(c, s, proc))
		return false;
	if (!c->walk.nframes)
		return true; /* only kernel frames are wanted, and it was not in the kernel */
	c->stats.samples += n.samples;
	c->stats.ends[c->walk.end] += n.samples;
	count(c, s, &n);
	return true;
}

/* ---- while recording ------------------------------------------------------------------------- */

static void note_process(struct perf_collector *c, const struct perf_record *r)
{
	gaps_note(&c->stats.gaps, GAP_MAPPINGS, perf_processes_update(c->processes, r));
}

/* It is false if the record has to wait. */
static bool on_record(struct perf_collector *c, const struct perf_record *r, u64 *taken)
{
	switch (r->type) {
	case PERF_RECORD_SAMPLE:
		return on_sample(c, &r->sample, taken);
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
		c->lost_ticks += r->lost;
		return true;
	case PERF_RECORD_EXIT:
		perf_tasks_forget(c->tasks, r->task.tid);
		break;
	default:
		break;
	}
	note_process(c, r);
	return true;
}

static bool take(struct perf_collector *c, struct bytes raw, u64 *taken)
{
	struct perf_record record;

	return perf_record_decode(raw, perf_tasks_kernel(c->tasks), &record) ||
	       on_record(c, &record, taken);
}

/* Processes waiting records, as far as they no longer need to wait. */
static void take_backlog(struct perf_collector *c)
{
	struct bytes raw;
	u64 *taken;

	(void)module_set_take(perf_modules_set(c->modules));
	while (perf_backlog_first(c->backlog, &raw, &taken) && take(c, raw, taken))
		perf_backlog_drop(c->backlog);
}

/* Cuts the stack of the oldest one where it waits. */
static void give_up_first(struct perf_collector *c)
{
	struct bytes raw;
	u64 *taken;

	c->giving_up = true;
	if (perf_backlog_first(c->backlog, &raw, &taken)) {
		(void)take(c, raw, taken);
		perf_backlog_drop(c->backlog);
	}
	c->giving_up = false;
}

/* A file is requested at once, even for a record that has to wait, because its process may be gone
 * later. */
static void ask_early(struct perf_collector *c, struct bytes raw)
{
	struct perf_record record;

	if (!perf_record_decode(raw, perf_tasks_kernel(c->tasks), &record) &&
	    record.type == PERF_RECORD_MMAP2)
		perf_processes_ask(c->processes, &record.mapped);
}

static void put_back(struct perf_collector *c, struct bytes raw, u64 taken)
{
	ask_early(c, raw);
	while (!perf_backlog_put(c->backlog, raw, taken)) {
		if (perf_backlog_is_empty(c->backlog)) {
			c->giving_up = true;
			(void)take(c, raw, &taken);
			c->giving_up = false;
			return;
		}
		give_up_first(c);
	}
}

static void drain(struct perf_collector *c, bool all)
{
	struct bytes raw;

	take_backlog(c);
	perf_rings_begin(c->rings, all);
	while (perf_rings_next(c->rings, &raw)) {
		u64 taken = PERF_BACKLOG_UNDECIDED;

		if (!perf_backlog_is_empty(c->backlog) || !take(c, raw, &taken))
			put_back(c, raw, taken);
	}
}

/* What still waits when the recording has ended is waited for. */
static void finish_backlog(struct perf_collector *c)
{
	module_set_wait(perf_modules_set(c->modules));
	take_backlog(c);
	while (!perf_backlog_is_empty(c->backlog)) {
		if (!module_set_wait(perf_modules_set(c->modules)))
			give_up_first(c);
		take_backlog(c);
	}
}

/* No count comes later than its stack, so nothing needs to be noted before. */
static void limit_memory(struct perf_collector *c)
{
	size_t space = memory_bound_space(&c->bound, stack_store_size(c->store).held);

	stack_store_limit(c->store, space);
	if (!stack_store_is_tight(c->store))
		return;
	stack_store_merge_begin(c->store);
	stack_store_merge(c->store, space / 2);
}

static int perf_poll(struct collector *base, int timeout_ms)
{
	struct perf_collector *c = perf_of(base);

	/* If it was interrupted, what has arrived is still worth taking. */
	(void)perf_rings_wait(c->rings, timeout_ms);
	drain(c, false);
	limit_memory(c);
	perf_processes_tend(c->processes, c->store, clock_ns(PERF_RINGS_CLOCK));
	return c->opt.target->scope == TARGET_PROCESSES && !perf_processes_alive(c->processes);
}

static void perf_stop(struct collector *base)
{
	struct perf_collector *c = perf_of(base);

	perf_tasks_stop(c->tasks);
	drain(c, true);
	finish_backlog(c);
	c->stopped = true;
}

/* Takes in what the kernel has written until now, unless sampling has stopped. */
static int begin_reading(struct perf_collector *c, enum collect_range range)
{
	if (range == COLLECT_WHOLE)
		return 0;
	if (!c->stopped) {
		drain(c, false);
		limit_memory(c);
	}
	return stack_store_begin_reading(c->store);
}

static int perf_read(struct collector *base, enum collect_range range, struct profile *p,
		     struct error *err)
{
	struct perf_collector *c = perf_of(base);
	struct module_set *set = perf_modules_set(c->modules);
	int code = event_describe(c->event, c->opt.frequency, p);

	if (!code)
		code = begin_reading(c, range);
	if (!code)
		code = range == COLLECT_SINCE
			       ? stack_store_take(c->store, set, &c->opt, NULL, p)
			       : stack_store_to_profile(c->store, set, &c->opt, NULL, p);
	if (!code && range == COLLECT_WHOLE)
		stack_store_clear(c->store);
	return code ? error_set(err, code, "cannot build the profile: %s", error_reason(code)) : 0;
}

static int perf_fd(struct collector *base)
{
	return perf_of(base)->events;
}

static void perf_shrink(struct collector *base)
{
	stack_store_halve(perf_of(base)->store);
}

static void perf_stats(struct collector *base, struct collect_stats *out)
{
	struct perf_collector *c = perf_of(base);

	*out = c->stats;
	out->merged = stack_store_merged(c->store);
	out->event = c->event;
	collect_stats_lose(out, "ring buffer full",
			   (c->lost_ticks * c->opt.frequency + c->ticks_hz - 1) / c->ticks_hz);
}

static void perf_free(struct collector *base)
{
	struct perf_collector *c = perf_of(base);

	if (c->events >= 0)
		close(c->events);
	perf_tasks_free(c->tasks);
	perf_rings_free(c->rings);
	perf_backlog_free(c->backlog);
	perf_processes_free(c->processes);
	perf_modules_free(c->modules);
	stack_store_free(c->store);
	memory_bound_release(&c->bound);
	free(c);
}

static const struct collector_ops perf_ops = {
	.name = "perf",
	.prepare = perf_prepare,
	.start = perf_start,
	.poll = perf_poll,
	.fd = perf_fd,
	.stop = perf_stop,
	.read = perf_read,
	.shrink = perf_shrink,
	.stats = perf_stats,
	.free = perf_free,
};

int perf_collector_new(const struct collect_options *opt, struct collector **out, struct error *err)
{
	struct perf_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->base.ops = &perf_ops;
	c->events = -1;
	c->opt = *opt;
	c->event = ((const struct event_options *)opt->own)->event;
	memory_bound_init(&c->bound, opt->max_memory);
	*out = &c->base;
	return 0;
}
