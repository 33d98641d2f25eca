/* SPDX-License-Identifier: Apache-2.0 */
/* Implements mutex --holds, with probes on lock functions and bpf/holds.bpf.c. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/session/bpf_collector.h"
#include "base/clock.h"
#include "collect/features.h"
#include "collect/wait/lock_probes.h"
#include "collect/probe/probe_follow.h"
#include "collect/wait/lock_names.h"
#include "collect/session/map_walk.h"
#include "collect/probe/probe_site.h"
#include "collect/session/target_list.h"
#include "collect/probe/probe_overhead.h"
#include "collect/probe/uprobe_pins.h"
#include "collect/wait/wait.h"
#include "collect/wait/wait_samples.h"
#include "collect/wait/wait_ring.h"
#include "holds.skel.h"
#include "target/pid_space.h"
#include "target/translator.h"

/* The files that locks may be in are noted at these times: soon after the start, and then less and
 * less often. */
#define NAMES_FIRST_NS 2000000ull
#define NAMES_LAST_NS 500000000ull

struct holds_collector {
	struct bpf_collector bpf;
	const struct wait_options *own;
	struct holds_bpf *skel;
	struct uprobe_pins *pins;
	struct lock_probes *probes;
	struct probe_set *set; /* of the probes */
	struct lock_names *names;
	bool links;
	struct process_watch *processes;
	u64 names_at, names_step; /* CLOCK_MONOTONIC ns */
	pid_vec unnamed; /* whose files are still to be noted this time */
	struct gaps gaps;
	struct overhead_watch watch;
	struct probe_overhead overhead; /* of the whole recording */
};

static struct holds_collector *holds_of(struct collector *c)
{
	return (struct holds_collector *)c;
}

/* ---- before recording ---- */

static int await_hold(void *arg, const void *key, const void *value)
{
	const struct held *h = value;
	u64 now = monotonic_ns();

	stack_store_await(arg, &h->key, now > h->since ? (double)(now - h->since) : 0);
	return 0;
}

static void before_merge(void *arg, struct stack_store *store)
{
	struct holds_collector *c = arg;
	int code = map_walk(&(struct map_walk){.fd = bpf_map__fd(c->skel->maps.helds),
					       .key_size = sizeof(struct held_key),
					       .value_size = sizeof(struct held),
					       .entry = await_hold,
					       .arg = store});

	/* Their counts are not lost, because they go to the root. */
	if (code)
		log_info(c->bpf.opt.log, "locks that are held lose their stacks: %s",
			 error_reason(code));
}

SKELETON_OPEN(open_programs, holds_bpf)

static int load_programs(struct holds_collector *c, struct error *err)
{
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	/* The address of a lock has a meaning in one process only. */
	c->skel->rodata->settings.by_tgid = true;
	if (c->links)
		bpf_program__set_expected_attach_type(c->skel->progs.on_function,
						      (enum bpf_attach_type)UPROBE_ATTACH_MULTI);
	code = bpf_session_size_counts(c->skel->obj, &c->bpf.opt);
	if (!code)
		c->skel = bpf_session_load(&c->bpf.opt, open_programs, c->skel, &code);
	if (code)
		return bpf_session_load_error(code, err);
	code = bpf_session_new(c->skel->obj, &c->skel->bss->control, &c->bpf.opt, NULL,
			       &c->bpf.session, err);
	if (!code)
		bpf_session_on_merge(c->bpf.session, before_merge, c);
	return code;
}

static int follow(struct holds_collector *c, struct error *err)
{
	struct holds_bpf *skel = c->skel;

	const struct bpf_attachment all[] = {
		{skel->progs.on_fork, &skel->links.on_fork},
		{skel->progs.on_exit, &skel->links.on_exit},
		{skel->progs.on_come, &skel->links.on_come},
		{skel->progs.on_exit_holds, &skel->links.on_exit_holds},
		{skel->progs.on_exec_holds, &skel->links.on_exec_holds},
	};

	return bpf_collector_attach(all, ARRAY_LEN(all), "follow the scheduler", err);
}

static int make_probes(struct holds_collector *c, const struct features *f, struct error *err)
{
	const struct hold_programs programs = {
		.entry = bpf_program__fd(c->skel->progs.on_function),
		.links = c->links,
		.pins = c->pins,
		.kernel = arch_probe_kernel(f->kernel_major, f->kernel_minor),
		.readers = c->bpf.opt.readers,
		.modules = bpf_session_modules(c->bpf.session),
		.log = c->bpf.opt.log,
	};
	int code = lock_probes_new(&programs, &c->probes);

	if (!code) {
		c->set = lock_probes_set(c->probes);
		code = lock_names_new(bpf_session_modules(c->bpf.session), &c->names);
	}
	return code ? error_set(err, code, "cannot record: %s", error_reason(code)) : 0;
}

static int holds_prepare(struct collector *base, struct error *err)
{
	struct holds_collector *c = holds_of(base);
	enum uprobe_way way = UPROBE_WAY_PERF;
	struct features f = {0};
	int code;

	if (c->bpf.opt.target->scope != TARGET_PROCESSES)
		return error_set(err, -ENOTSUP,
				 "cannot put probes into every process: name some with -p or -n");
	bpf_session_uprobes(&c->bpf.opt, &f);
	code = uprobe_way_choose(&f, c->bpf.opt.uprobes, c->bpf.opt.log, &way, err);
	c->links = way != UPROBE_WAY_PERF;
	if (!code)
		code = translator_refuse_command(c->bpf.opt.command, err);
	if (!code)
		code = load_programs(c, err);
	if (!code)
		code = follow(c, err);
	if (!code && uprobe_pins_new(f.uprobe_multi, &c->bpf.opt, &c->pins))
		code = error_set(err, -ENOMEM, "cannot record: out of memory");
	if (!code)
		code = make_probes(c, &f, err);
	if (code)
		return code;
	return bpf_collector_discover(&c->bpf, c->skel->progs.list_mappings, err);
}

/* ---- the overhead ---- */

static void count_calls(void *arg, struct probed_calls *now)
{
	struct holds_collector *c = arg;

	now->begins = bpf_session_stat(c->bpf.session, STAT_HOLD_LOCKS);
	now->ends = bpf_session_stat(c->bpf.session, STAT_HOLD_UNLOCKS);
	now->sampled_ns = bpf_session_stat(c->bpf.session, STAT_NANOSECONDS);
	now->begin_ns = now->end_ns = probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY);
	now->stepped = bpf_session_stat(c->bpf.session, STAT_HOLD_STEPPED);
}

/* ---- while recording ---- */

/* A command has no libraries yet; they are loaded from now on. */
static int watch_processes(struct holds_collector *c, struct error *err)
{
	const struct followed_processes which = {
		.targets_fd = bpf_map__fd(c->skel->maps.targets),
		.new_processes_fd = -1,
		.begun = c->bpf.opt.command ? c->bpf.opt.target->processes.data[0].tgid : 0,
	};

	return probe_set_follow(c->set, &which, &c->processes, err);
}

/* The overhead is reported before the target pays for more of it. */
static int attach_targets(struct holds_collector *c, struct error *err)
{
	struct probe_set_stats stats;
	int code = probe_set_add_targets(c->set, c->bpf.opt.target, err);

	uprobe_pins_rest(c->pins);
	if (code)
		return code;
	vec_for_each(&c->bpf.opt.target->processes, p)
		lock_names_note(c->names, p->tgid);
	probe_set_stats(c->set, &stats);
	if (!stats.probes)
		return error_set(err, -ENOENT, "no lock functions found in %s",
				 c->bpf.opt.target->title);
	code = overhead_watch_trial(&c->watch, err);
	if (code)
		probe_set_detach(c->set);
	return code;
}

static int holds_start(struct collector *base, struct error *err)
{
	struct holds_collector *c = holds_of(base);
	int code = 0;

	c->watch = (struct overhead_watch){.opt = &c->bpf.opt,
					   .limit = probe_limit_percent(&c->own->limit),
					   .calls = "calls/s of locking functions",
					   .count = count_calls,
					   .arg = c,
					   .began_ns = &c->bpf.base.began_ns};
	overhead_watch_begin(&c->watch, bpf_program__fd(c->skel->progs.on_function), 0, c->links);
	if (!c->bpf.opt.command)
		code = attach_targets(c, err);
	return code ? code : watch_processes(c, err);
}

/* Notes where locks may be, for one process after the other, until `deadline`. */
static void note_names(struct holds_collector *c, u64 deadline)
{
	u64 now = monotonic_ns();

	if (!c->unnamed.len && now >= c->names_at) {
		if (target_list(bpf_map__fd(c->skel->maps.targets), &c->unnamed))
			log_debug(c->bpf.opt.log, "not all processes could be listed");
		c->names_step = c->names_step < NAMES_FIRST_NS      ? NAMES_FIRST_NS
				: c->names_step * 2 < NAMES_LAST_NS ? c->names_step * 2
								    : NAMES_LAST_NS;
		c->names_at = now + c->names_step;
	}
	while (c->unnamed.len && monotonic_ns() < deadline)
		lock_names_note(c->names, c->unnamed.data[--c->unnamed.len]);
}

static int holds_poll(struct collector *base, int timeout_ms)
{
	struct holds_collector *c = holds_of(base);
	u64 deadline = monotonic_ns() + (u64)timeout_ms * 1000000, now;

	note_names(c, deadline);
	now = monotonic_ns();
	timeout_ms = now < deadline ? (int)((deadline - now) / 1000000) : 0;
	if (c->unnamed.len)
		timeout_ms = 0;
	else if (timeout_ms > (int)(c->names_step / 1000000))
		timeout_ms = (int)(c->names_step / 1000000);
	return bpf_session_poll(c->bpf.session, timeout_ms);
}

/* ---- locks that are held ---- */

/* Only a mutex shows whether it is still held. For other locks, and for calls that failed, this is
 * unknown. */
static bool is_held(const struct held_key *key, const struct held *h)
{
	struct ring_waiter w = {.lock = key->object};

	if (h->kind != HOLD_MUTEX || h->opaque || pid_from_proc(h->proc_tgid, &w.tgid))
		return false;
	wait_ring_owners(&w);
	return w.owner[0].nr == h->inner.nr || w.owner[1].nr == h->inner.nr;
}

struct ongoing_holds {
	struct holds_collector *c;
	enum tally_part part; /* TALLY_COUNT for good, or TALLY_ONGOING for one profile */
	u64 now;
};

/* While recording, the entry may be released and reused for another lock while it is read. */
static bool is_settled(const struct ongoing_holds *o, const void *key, const struct held *h)
{
	int fd = bpf_map__fd(o->c->skel->maps.helds);
	struct held again;

	return o->part == TALLY_COUNT ||
	       (!bpf_map_lookup_elem(fd, key, &again) && again.since == h->since &&
		!memcmp(&again.key, &h->key, sizeof(again.key)));
}

static int add_ongoing(void *arg, const void *key, const void *value)
{
	const struct ongoing_holds *o = arg;
	const struct held_key *k = key;
	const struct held *h = value;
	struct sample_count n = {.samples = 1};
	struct sample_key counted = h->key;

	if (o->now <= h->since || !is_held(k, h) || !is_settled(o, key, h))
		return 0;
	counted.object = k->object;
	counted.cause = HOLD_CAUSE(h->kind);
	counted.outcome = h->contended;
	n.weight = o->now - h->since;
	bpf_session_add(o->c->bpf.session, &counted, o->part, &n);
	return 0;
}

static int add_ongoing_holds(struct holds_collector *c, enum tally_part part, u64 now)
{
	struct ongoing_holds o = {c, part, now};

	return map_walk(&(struct map_walk){.fd = bpf_map__fd(c->skel->maps.helds),
					   .key_size = sizeof(struct held_key),
					   .value_size = sizeof(struct held),
					   .entry = add_ongoing,
					   .arg = &o});
}

static void holds_stop(struct collector *base)
{
	struct holds_collector *c = holds_of(base);
	u64 now = monotonic_ns();

	c->overhead = overhead_watch_now(&c->watch);
	c->skel->bss->stopped = 1;
	process_watch_stop(c->processes);
	bpf_link__destroy(c->skel->links.on_come);
	c->skel->links.on_come = NULL;
	probe_set_detach(c->set);
	bpf_session_drain(c->bpf.session);
	gaps_note(&c->gaps, GAP_WAITS, add_ongoing_holds(c, TALLY_COUNT, now));
}

static int begin_reading(struct holds_collector *c, enum collect_range range)
{
	int err = bpf_session_begin_reading(c->bpf.session, range);

	return err || c->skel->bss->stopped ? err
					    : add_ongoing_holds(c, TALLY_ONGOING, monotonic_ns());
}

static int holds_read(struct collector *base, enum collect_range range, struct profile *p,
		      struct error *err)
{
	struct holds_collector *c = holds_of(base);
	struct wait_samples reading = {.kind = WAIT_READ_HOLDS, .names = c->names};
	struct sample_mapping mapping = wait_mapping(&reading);
	int code = profile_add_sample_type(p, "acquisitions", "count");

	if (!code)
		code = profile_add_sample_type(p, "contentions", "count");
	if (!code)
		code = profile_add_sample_type(p, "held", "nanoseconds");
	if (!code)
		code = profile_set_period(p, "acquisitions", "count", 1);
	if (!code)
		code = begin_reading(c, range);
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	return bpf_session_read(c->bpf.session, range, &mapping, p, err);
}

static void holds_stats(struct collector *base, struct collect_stats *out)
{
	struct holds_collector *c = holds_of(base);

	bpf_session_stats(c->bpf.session, out);
	gaps_add(&out->gaps, &c->gaps);
	collect_stats_lose(out, "wait table full",
			   bpf_session_stat(c->bpf.session, STAT_LOST_WAIT));
}

static void holds_summarize(struct collector *base, struct lines *out)
{
	struct holds_collector *c = holds_of(base);
	u64 lost = bpf_session_stat(c->bpf.session, STAT_LOST_HOLD);
	u64 calls = bpf_session_stat(c->bpf.session, STAT_HOLD_LOCKS) +
		    bpf_session_stat(c->bpf.session, STAT_HOLD_UNLOCKS);

	if (calls)
		lines_add(out,
			  "%llu calls of lock functions: the probes slowed the target by about "
			  "%.1f%%",
			  (unsigned long long)calls, c->overhead.slowdown * 100);
	if (lost)
		lines_add(out,
			  "%llu holds have no known end: their thread ended, ran another program, "
			  "or held more than 1024 locks",
			  (unsigned long long)lost);
}

static void holds_free(struct collector *base)
{
	struct holds_collector *c = holds_of(base);

	process_watch_free(c->processes);
	lock_probes_free(c->probes);
	uprobe_pins_free(c->pins);
	lock_names_free(c->names);
	vec_release(&c->unnamed);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	free(c);
}

static const struct collector_ops holds_ops = {
	.name = "bpf",
	.prepare = holds_prepare,
	.start = holds_start,
	.poll = holds_poll,
	.fd = bpf_collector_fd,
	.stop = holds_stop,
	.read = holds_read,
	.shrink = bpf_collector_shrink,
	.stats = holds_stats,
	.summarize = holds_summarize,
	.free = holds_free,
};

int holds_collector_new(const struct collect_options *opt, struct collector **out,
			struct error *err)
{
	struct holds_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->bpf.base.ops = &holds_ops;
	c->bpf.opt = *opt;
	c->own = opt->own;
	c->bpf.opt.kernel = false; /* probes are hit in user mode */
	*out = &c->bpf.base;
	return 0;
}
