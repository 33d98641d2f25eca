/* SPDX-License-Identifier: Apache-2.0 */
/* Records waits with BPF: block, mutex, offcpu and wall are four views of what bpf/wait.bpf.c
 * sees. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bpf_shared.h"
#include "base/clock.h"
#include "collect/session/bpf_collector.h"
#include "collect/events.h"
#include "collect/perf_event.h"
#include "collect/wait/deadlock.h"
#include "collect/wait/lock_names.h"
#include "collect/wait/ongoing_waits.h"
#include "collect/wait/wait.h"
#include "collect/session/map_walk.h"
#include "collect/wait/wait_samples.h"
#include "collect/wait/wait_ring.h"
#include "collect/wait/thread_snapshot.h"
#include "target/pid_space.h"
#include "wait.skel.h"

#define NOTED_PROCESSES 64u
#define OWNER_TICKS 997 /* in Hz: how soon the stack of a running owner is taken */

struct wait_view {
	u32 mode; /* enum wait_mode */
	bool ticks; /* also record running time, by a clock */
	bool locks; /* waits for locks, by lock */
	enum wait_samples_kind reading;
	const char *types[4], *units[4]; /* sample types */
};

static const struct wait_view block_view = {
	.mode = WAIT_MODE_BLOCK,
	.locks = true,
	.types = {"contentions", "delay"},
	.units = {"count", "nanoseconds"},
};

static const struct wait_view mutex_view = {
	.mode = WAIT_MODE_MUTEX,
	.locks = true,
	.types = {"contentions", "delay"},
	.units = {"count", "nanoseconds"},
};

static const struct wait_view offcpu_view = {
	.mode = WAIT_MODE_OFFCPU,
	.reading = WAIT_READ_CAUSES,
	.types = {"waits", "offcpu"},
	.units = {"count", "nanoseconds"},
};

static const struct wait_view wall_view = {
	.mode = WAIT_MODE_OFFCPU,
	.ticks = true,
	.reading = WAIT_READ_STATES,
	.types = {"cpu", "runnable", "blocked", "wall"},
	.units = {"nanoseconds", "nanoseconds", "nanoseconds", "nanoseconds"},
};

struct wait_collector {
	struct bpf_collector bpf;
	const struct wait_view *view;
	const struct wait_options *own;
	struct wait_bpf *skel;
	struct perf_ticker *ticker;
	struct gaps gaps;
	bool stopped;
	u64 unfinished, unfinished_ns;
	struct lock_names *names; /* if locks are distinguished, else NULL */
	u64 begun; /* in ns: from when on time counts */
	u64 started, noted; /* in ns: when the recording began, and when mappings were last read */
	struct wait_ring_member ring[WAIT_RING_MAX];
	u32 ring_len;
};

static struct wait_collector *wait_of(struct collector *c)
{
	return (struct wait_collector *)c;
}

static bool wants_owners(const struct wait_collector *c)
{
	return c->view->mode == WAIT_MODE_MUTEX && c->own->owners;
}

static u32 mode_of(const struct wait_collector *c)
{
	u32 mode = c->view->mode;

	if (wants_owners(c))
		mode |= WAIT_MODE_OWNERS;
	if (mode == WAIT_MODE_OFFCPU && c->own->wakers)
		mode |= WAIT_MODE_WAKERS;
	return mode;
}

static int new_ticker(struct wait_collector *c, struct error *err)
{
	if (c->view->ticks)
		return perf_ticker_new(event_table, c->bpf.opt.frequency, &c->ticker, err);
	if (wants_owners(c))
		return perf_ticker_new(event_table, OWNER_TICKS, &c->ticker, err);
	return 0;
}

/* ---- keys under which the kernel will count ---- */

struct waits_due {
	struct stack_store *store;
	u64 now;
};

static int await_thread(void *arg, const void *key, const void *value)
{
	const struct waits_due *due = arg;
	const struct thread_wait *t = value;

	if (t->counted)
		stack_store_await(due->store, &t->key,
				  due->now > t->since ? (double)(due->now - t->since) : 0);
	if (t->first)
		stack_store_await(due->store, &t->past, (double)(t->came - t->first));
	return 0;
}

static int await_owner(void *arg, const void *key, const void *value)
{
	const struct waits_due *due = arg;
	const struct lock_slot *slot = value;

	if (slot->owned_object)
		stack_store_await(due->store, &slot->owner, 0);
	return 0;
}

static void before_merge(void *arg, struct stack_store *store)
{
	struct wait_collector *c = arg;
	struct waits_due due = {store, monotonic_ns()};
	int code = map_walk(&(struct map_walk){.fd = bpf_map__fd(c->skel->maps.thread_waits),
					       .key_size = sizeof(struct global_pid),
					       .value_size = sizeof(struct thread_wait),
					       .entry = await_thread,
					       .arg = &due});

	if (!code && wants_owners(c))
		code = map_walk(&(struct map_walk){.fd = bpf_map__fd(c->skel->maps.locks),
						   .key_size = sizeof(u32),
						   .value_size = sizeof(struct lock_slot),
						   .entry = await_owner,
						   .arg = &due});
	/* Their counts are not lost, because they go to the root. */
	if (code)
		log_info(c->bpf.opt.log, "waits that go on lose their stacks: %s",
			 error_reason(code));
}

/* ---- before recording ---- */

SKELETON_OPEN(open_programs, wait_bpf)

static int load_programs(struct wait_collector *c, struct error *err)
{
	const struct stack_kind kind = {.chained = mode_of(c) & WAIT_MODE_WAKERS};
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	/* The address of a lock has a meaning in one process only. */
	c->skel->rodata->settings.by_tgid |= c->view->locks;
	c->skel->rodata->wait_settings.mode = mode_of(c);
	c->skel->rodata->wait_settings.min_ns = c->own->min_ns;
	bpf_program__set_autoload(c->skel->progs.on_tick, c->view->ticks);
	bpf_program__set_autoload(c->skel->progs.on_owner_tick, wants_owners(c));
	if (!wants_owners(c))
		bpf_map__set_max_entries(c->skel->maps.inner_threads, 1);
	if (!(mode_of(c) & WAIT_MODE_MUTEX))
		bpf_map__set_max_entries(c->skel->maps.locks, 1);
	code = bpf_session_size_counts(c->skel->obj, &c->bpf.opt);
	if (!code)
		c->skel = bpf_session_load(&c->bpf.opt, open_programs, c->skel, &code);
	if (code)
		return bpf_session_load_error(code, err);
	code = bpf_session_new(c->skel->obj, &c->skel->bss->control, &c->bpf.opt, &kind,
			       &c->bpf.session, err);
	if (!code)
		bpf_session_on_merge(c->bpf.session, before_merge, c);
	return code;
}

static int attach(struct bpf_program *prog, struct bpf_link **link, struct error *err)
{
	return bpf_session_attach(prog, link, "follow the scheduler", err);
}

static int follow(struct wait_collector *c, struct error *err)
{
	struct wait_bpf *skel = c->skel;
	const struct bpf_attachment all[] = {
		{skel->progs.on_fork, &skel->links.on_fork},
		{skel->progs.on_exit, &skel->links.on_exit},
		{skel->progs.on_exec_wait, &skel->links.on_exec_wait},
	};

	return bpf_collector_attach(all, ARRAY_LEN(all), "follow the scheduler", err);
}

static int wait_prepare(struct collector *base, struct error *err)
{
	struct wait_collector *c = wait_of(base);
	int code;

	code = new_ticker(c, err);
	if (!code)
		code = load_programs(c, err);
	if (!code)
		code = follow(c, err);
	if (code)
		return code;
	if (c->view->locks)
		code = lock_names_new(bpf_session_modules(c->bpf.session), &c->names);
	if (code)
		return error_set(err, code, "cannot record: %s", error_reason(code));
	return bpf_collector_discover(&c->bpf, c->skel->progs.list_mappings, err);
}

/* ---- while recording ---- */

static int wait_start(struct collector *base, struct error *err)
{
	struct wait_collector *c = wait_of(base);
	int code;

	c->skel->bss->clock_base = c->started = c->noted = monotonic_ns();
	code = attach(c->skel->progs.on_switch, &c->skel->links.on_switch, err);

	if (!code)
		code = attach(c->skel->progs.on_waking, &c->skel->links.on_waking, err);
	if (!code && c->ticker)
		code = perf_ticker_start(c->ticker,
					 c->view->ticks ? c->skel->progs.on_tick
							: c->skel->progs.on_owner_tick,
					 err);
	if (code)
		return code;
	code = thread_snapshot_take(c->bpf.session, c->skel->progs.list_threads);
	c->skel->data->begun = c->begun = monotonic_ns();
	return code ? error_set(err, code, "cannot list the target's threads: %s",
				error_reason(code))
		    : 0;
}

/* Notes the target's present mappings. The first moments matter most, when a command loads its
 * libraries. */
static void note_mappings(struct wait_collector *c)
{
	const struct target *t = c->bpf.opt.target;

	for (size_t i = 0; i < t->processes.len && i < NOTED_PROCESSES; i++)
		lock_names_note(c->names, t->processes.data[i].tgid);
	c->noted = monotonic_ns();
}

static int wait_poll(struct collector *base, int timeout_ms)
{
	struct wait_collector *c = wait_of(base);
	int ended = bpf_session_poll(c->bpf.session, timeout_ms);

	if (c->names && monotonic_ns() - c->noted > c->noted - c->started)
		note_mappings(c);
	return ended;
}

/* ---- what has not ended ---- */

static struct ongoing_waits ongoing_waits_of(const struct wait_collector *c, enum tally_part part)
{
	return (struct ongoing_waits){
		.session = c->bpf.session,
		.part = part,
		.threads_fd = bpf_map__fd(c->skel->maps.thread_waits),
		.mode = c->view->mode,
		.min_ns = c->own->min_ns,
		.begun = c->begun,
		.now = monotonic_ns(),
	};
}

/* Ticks show where the time goes, and the scheduler shows how much there is. */
static void scale_running(struct wait_collector *c, const struct ongoing_waits *w)
{
	if (c->view->ticks)
		bpf_session_scale(c->bpf.session, WAIT_NONE,
				  bpf_session_stat(c->bpf.session, STAT_RUNNING) + w->running_ns);
}

static void wait_stop(struct collector *base)
{
	struct wait_collector *c = wait_of(base);
	struct ongoing_waits w = ongoing_waits_of(c, TALLY_COUNT);

	bpf_link__destroy(c->skel->links.on_switch);
	bpf_link__destroy(c->skel->links.on_waking);
	c->skel->links.on_switch = c->skel->links.on_waking = NULL;
	if (c->ticker)
		perf_ticker_stop(c->ticker);
	bpf_session_drain(c->bpf.session);
	gaps_note(&c->gaps, GAP_WAITS, ongoing_waits_count(&w));
	c->unfinished = w.unfinished;
	c->unfinished_ns = w.unfinished_ns;
	c->ring_len = wait_ring_find(w.waiters.data, (u32)w.waiters.len, c->ring, WAIT_RING_MAX);
	vec_release(&w.waiters);
	scale_running(c, &w);
	c->stopped = true;
}

/* ---- the profile ---- */

static int add_types(const struct wait_collector *c, struct profile *p)
{
	const struct wait_view *v = c->view;
	int code = 0;

	for (size_t i = 0; i < ARRAY_LEN(v->types) && v->types[i] && !code; i++)
		code = profile_add_sample_type(p, v->types[i], v->units[i]);
	if (!code && v->mode != WAIT_MODE_OFFCPU)
		code = profile_set_period(p, "contentions", "count", 1);
	if (code || !wants_owners(c))
		return code;
	code = profile_add_sample_type(p, "owner_waits", "count");
	if (!code)
		code = profile_add_sample_type(p, "owner_delay", "nanoseconds");
	if (!code)
		p->default_sample_type = p->sample_types.data[1].type;
	return code;
}

static int begin_reading(struct wait_collector *c, enum collect_range range)
{
	int err = bpf_session_begin_reading(c->bpf.session, range);
	struct ongoing_waits w = ongoing_waits_of(c, TALLY_ONGOING);

	if (err || c->stopped)
		return err;
	w.only_with_waker = range == COLLECT_SINCE && c->own->wakers;
	err = ongoing_waits_count(&w);
	scale_running(c, &w);
	return err;
}

static int wait_read(struct collector *base, enum collect_range range, struct profile *p,
		     struct error *err)
{
	struct wait_collector *c = wait_of(base);
	struct wait_samples reading = {
		.kind = c->view->reading,
		.causes = c->own->causes,
		.names = c->names,
	};
	struct sample_mapping mapping = wait_mapping(&reading);
	int code = add_types(c, p);

	if (!code)
		code = begin_reading(c, range);
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	return bpf_session_read(c->bpf.session, range, &mapping, p, err);
}

static void wait_stats(struct collector *base, struct collect_stats *out)
{
	struct wait_collector *c = wait_of(base);

	bpf_session_stats(c->bpf.session, out);
	gaps_add(&out->gaps, &c->gaps);
	collect_stats_lose(out, "wait table full",
			   bpf_session_stat(c->bpf.session, STAT_LOST_WAIT));
	if (c->view->ticks)
		out->event = event_table;
}

static void wait_summarize(struct collector *base, struct lines *out)
{
	struct wait_collector *c = wait_of(base);
	u64 lost_locks = bpf_session_stat(c->bpf.session, STAT_LOST_LOCK);
	u64 waits = bpf_session_stat(c->bpf.session, STAT_NO_HOLDER) + c->unfinished;
	u64 ns = bpf_session_stat(c->bpf.session, STAT_NO_HOLDER_TIME) + c->unfinished_ns;

	if (waits)
		lines_add(out,
			  "%llu waits of %.3f s have no holder: a signal, a timeout or the end of "
			  "the recording ended them",
			  (unsigned long long)waits, (double)ns / 1e9);
	if (lost_locks)
		lines_add(out, "lock table full: %llu releases were charged with one waiter only",
			  (unsigned long long)lost_locks);
}

static void wait_notes(struct collector *base, const struct profile *p)
{
	struct wait_collector *c = wait_of(base);

	deadlock_note(c->ring, c->ring_len, p, c->bpf.opt.log);
}

static void wait_free(struct collector *base)
{
	struct wait_collector *c = wait_of(base);

	perf_ticker_free(c->ticker);
	lock_names_free(c->names);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	free(c);
}

static const struct collector_ops wait_ops = {
	.name = "bpf",
	.prepare = wait_prepare,
	.start = wait_start,
	.poll = wait_poll,
	.fd = bpf_collector_fd,
	.stop = wait_stop,
	.read = wait_read,
	.shrink = bpf_collector_shrink,
	.stats = wait_stats,
	.summarize = wait_summarize,
	.notes = wait_notes,
	.free = wait_free,
};

static int wait_new(const struct collect_options *opt, const struct wait_view *view,
		    struct collector **out, struct error *err)
{
	struct wait_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->bpf.base.ops = &wait_ops;
	c->view = view;
	c->bpf.opt = *opt;
	c->own = opt->own;
	/* The kernel's frames of a futex call have no information, and take as long as twenty of
	 * the user's. */
	c->bpf.opt.kernel &= !view->locks || !opt->user;
	/* The thread that held the lock is half of the answer. */
	c->bpf.opt.by_thread |= view->mode == WAIT_MODE_MUTEX;
	*out = &c->bpf.base;
	return 0;
}

int block_collector_new(const struct collect_options *opt, struct collector **out,
			struct error *err)
{
	return wait_new(opt, &block_view, out, err);
}

int mutex_collector_new(const struct collect_options *opt, struct collector **out,
			struct error *err)
{
	return wait_new(opt, &mutex_view, out, err);
}

int offcpu_collector_new(const struct collect_options *opt, struct collector **out,
			 struct error *err)
{
	return wait_new(opt, &offcpu_view, out, err);
}

int wall_collector_new(const struct collect_options *opt, struct collector **out, struct error *err)
{
	return wait_new(opt, &wall_view, out, err);
}
