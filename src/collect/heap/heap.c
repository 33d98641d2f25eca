/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles memory with BPF: bpf/heap.bpf.c draws samples and keeps live blocks, at probes on
 * allocators, and this file computes what they represent. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bpf_shared.h"
#include "base/clock.h"
#include "collect/session/bpf_collector.h"
#include "collect/features.h"
#include "collect/heap/heap.h"
#include "collect/heap/alloc_probes.h"
#include "collect/heap/heap_amount.h"
#include "collect/heap/heap_load.h"
#include "collect/heap/live_set.h"
#include "collect/heap/heap_ranges.h"
#include "collect/heap/heap_samples.h"
#include "collect/heap/heap_summary.h"
#include "collect/heap/launched.h"
#include "collect/heap/seen_programs.h"
#include "collect/probe/probe_follow.h"
#include "collect/probe/probe_site.h"
#include "collect/probe/probe_overhead.h"
#include "collect/probe/uprobe_pins.h"
#include "target/needed.h"
#include "target/translator.h"

#define RELEASED_MAX 256u

struct heap_collector {
	struct bpf_collector bpf;
	const struct heap_options *own;
	bool follow; /* follow blocks until they are freed */
	struct heap_bpf *skel;
	struct uprobe_pins *pins;
	struct alloc_probes *probes;
	struct probe_set *set; /* of the probes */
	struct needed_files command_files; /* of a command without a sampler; or none */
	struct live_set *live;
	struct heap_ranges ranges;
	struct alloc_names names;
	enum uprobe_way way;
	struct process_watch *processes;
	struct seen_programs programs; /* of a command with a sampler */
	struct overhead_watch watch;
	struct probe_overhead overhead; /* of the whole recording */
	u64 seed; /* for rounding estimates; the same for all profiles of a recording */
	double ended; /* blocks whose allocation and free were both seen */
	struct gaps gaps;
};

static struct heap_collector *heap_of(struct collector *c)
{
	return (struct heap_collector *)c;
}

/* ---- loading ---- */

static double worth(void *arg, const struct sample_key *key, const struct sample_count *n)
{
	const struct heap_collector *c = arg;

	return heap_amount_of(c->own->rate, key, n).bytes;
}

static void forget_size(void *arg, struct sample_key *key, struct sample_count *n)
{
	const struct heap_collector *c = arg;

	heap_amount_merge(c->own->rate, key, n);
}

static int find_ranges(struct heap_collector *c)
{
	return heap_ranges_find(&c->ranges, bpf_session_modules(c->bpf.session), c->probes);
}

static u32 skip(void *arg, const u64 *frames, u32 nframes)
{
	const struct heap_collector *c = arg;

	return heap_ranges_skip(&c->ranges, frames, nframes);
}

/* Live blocks are worth keeping separate, and freed ones are counted under their keys. */
static void before_merge(void *arg, struct stack_store *store)
{
	struct heap_collector *c = arg;

	if (find_ranges(c) || (c->follow && live_set_await(c->live, store)))
		log_info(c->bpf.opt.log, "out of memory while rare stacks are merged");
}

SKELETON_OPEN(open_programs, heap_bpf)

static int load_programs(struct heap_collector *c, struct error *err)
{
	const struct stack_kind kind = {
		.live = c->follow,
		.worth = worth,
		.forget_object = forget_size,
		.skip = skip,
		.arg = c,
	};
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	code = heap_load_choose(c->skel,
				&(struct heap_load){.own = c->own,
						    .follow = c->follow,
						    .sampler = c->bpf.opt.sampler,
						    .ring = bpf_session_flood_ring(&c->bpf.opt),
						    .way = c->way});
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

/* on_exit removes a process from the targets, so on_exit_live has to look it up before. */
static int follow_processes(struct heap_collector *c, struct error *err)
{
	struct heap_bpf *skel = c->skel;

	const struct bpf_attachment all[] = {
		{skel->progs.on_fork_live, &skel->links.on_fork_live},
		{skel->progs.on_exec_live, &skel->links.on_exec_live},
		{skel->progs.on_exit_live, &skel->links.on_exit_live},
		{skel->progs.on_fork, &skel->links.on_fork},
		{skel->progs.on_exit, &skel->links.on_exit},
	};

	return bpf_collector_attach(all, ARRAY_LEN(all), "follow forks and exits", err);
}

/* ---- probes ---- */

/* Tests fill the table. */
static u32 heap_sites(const struct heap_collector *c)
{
	u32 n = c->bpf.opt.table_entries;

	return n && n < HEAP_MAX_SITES ? n : HEAP_MAX_SITES;
}

static void note_placed(void *arg, pid_t tgid)
{
	seen_programs_place(&((struct heap_collector *)arg)->programs, tgid, monotonic_ns());
}

static int make_probes(struct heap_collector *c, const struct features *f, struct error *err)
{
	const struct heap_programs programs = {
		.sites_fd = bpf_map__fd(c->skel->maps.sites),
		.sites = heap_sites(c),
		.session = bpf_program__fd(c->skel->progs.on_session), /* negative: not loaded */
		.entry = bpf_program__fd(c->skel->progs.on_alloc),
		.returns = bpf_program__fd(c->skel->progs.on_return),
		.results = bpf_program__fd(c->skel->progs.on_result),
		.frees = bpf_program__fd(c->skel->progs.on_free),
		.weighed = bpf_program__fd(c->skel->progs.on_weighed),
		.notices = bpf_program__fd(c->skel->progs.on_notice),
		.list_returns = bpf_program__fd(c->skel->progs.list_returns),
		.links = c->way != UPROBE_WAY_PERF,
		.pins = c->pins,
		.live = c->follow,
		.force = c->own->limit.force,
		.kernel = arch_probe_kernel(f->kernel_major, f->kernel_minor),
		.names = c->own->names ? &c->names : NULL,
		.library = c->own->library,
		.readers = c->bpf.opt.readers,
		.modules = bpf_session_modules(c->bpf.session),
		.log = c->bpf.opt.log,
		.placed = note_placed,
		.placed_arg = c,
	};
	int code = 0;

	if (c->own->names)
		code = alloc_names_parse(c->own->names, &c->names, err);
	if (code)
		return code;
	code = alloc_probes_new(&programs, &c->probes);
	if (!code)
		c->set = alloc_probes_set(c->probes);
	return code ? error_set(err, code, "cannot record: %s", error_reason(code)) : 0;
}

static int make_live_set(struct heap_collector *c, struct error *err)
{
	const struct live_set_options opt = {
		.map_fd = bpf_map__fd(c->skel->maps.live),
		.session = c->bpf.session,
		.rate = c->own->rate,
		.older_than_ns = c->own->older_than_ns,
		.leaks = c->own->leaks,
		.peak = c->own->peak,
	};
	int code = live_set_new(&opt, &c->live);

	return code ? error_set(err, code, "cannot record: %s", error_reason(code)) : 0;
}

static int heap_prepare(struct collector *base, struct error *err)
{
	struct heap_collector *c = heap_of(base);
	struct needed_files needed = {0};
	struct features f = {0};
	int code;

	if (c->bpf.opt.target->scope != TARGET_PROCESSES)
		return error_set(err, -ENOTSUP,
				 "cannot put probes into every process: name some with -p or -n");
	bpf_session_uprobes(&c->bpf.opt, &f);
	code = translator_refuse_command(c->bpf.opt.command, err);
	if (!code)
		code = uprobe_way_choose(&f, c->bpf.opt.uprobes, c->bpf.opt.log, &c->way, err);
	if (!code)
		code = load_programs(c, err);
	if (!code)
		code = follow_processes(c, err);
	if (!code && uprobe_pins_new(f.uprobe_multi, &c->bpf.opt, &c->pins))
		code = error_set(err, -ENOMEM, "cannot record: out of memory");
	if (!code)
		code = make_probes(c, &f, err);
	if (!code)
		code = make_live_set(c, err);
	if (code)
		return code;
	if (c->bpf.opt.command)
		needed_files_of(c->bpf.opt.command, c->bpf.opt.readers, &needed);
	if (c->bpf.opt.sampler && needed_files_add(&needed, c->bpf.opt.sampler))
		log_debug(c->bpf.opt.log, "the table of %s is loaded when it is first seen",
			  c->bpf.opt.sampler);
	code = bpf_session_discover(c->bpf.session, c->skel->progs.list_mappings, needed.paths,
				    err);
	if (!c->bpf.opt.sampler && !c->own->library)
		c->command_files = needed;
	else
		needed_files_release(&needed);
	return code;
}

/* ---- recording ---- */

static struct probe_set_stats probe_stats(const struct heap_collector *c)
{
	struct probe_set_stats stats;

	probe_set_stats(c->set, &stats);
	return stats;
}

static int attach_targets(struct heap_collector *c, struct error *err)
{
	int code = probe_set_add_targets(c->set, c->bpf.opt.target, err);

	if (!code && !probe_stats(c).probes)
		code = alloc_probes_say_none(c->probes, c->bpf.opt.target->title, err);
	return code;
}

static void count_calls(void *arg, struct probed_calls *now)
{
	struct heap_collector *c = arg;

	now->begins = bpf_session_stat(c->bpf.session, STAT_HEAP_ALLOCS);
	now->ends = bpf_session_stat(c->bpf.session, STAT_HEAP_FREES);
	now->more_ns = bpf_session_stat(c->bpf.session, STAT_HEAP_RESULTS_NS);
	now->sampled_ns = bpf_session_stat(c->bpf.session, STAT_NANOSECONDS);
	alloc_probes_cost(c->probes, &now->begin_ns, &now->end_ns);
}

/* Attaches to the allocators of a command and of its libraries before they are mapped. */
static int attach_command(struct heap_collector *c)
{
	const pid_t tgid = c->bpf.opt.target->processes.data[0].tgid;
	struct error err;

	for (char **path = c->command_files.paths; path && *path; path++) {
		if (probe_set_add_file(c->set, *path, tgid, &err))
			log_debug(c->bpf.opt.log, "%s", err.text);
	}
	return 0;
}

static struct launched launched_of(struct heap_collector *c)
{
	return (struct launched){.set = c->set,
				 .programs = &c->programs,
				 .modules = bpf_session_modules(c->bpf.session),
				 .readers = c->bpf.opt.readers,
				 .modules_fd = bpf_map__fd(c->skel->maps.modules),
				 .sampler = c->bpf.opt.sampler,
				 .log = c->bpf.opt.log};
}

static void hear(void *arg, const struct new_process *news)
{
	struct heap_collector *c = arg;
	const struct launched launched = launched_of(c);

	if (c->bpf.opt.sampler && !c->skel->bss->stopped)
		launched_hear(&launched, news);
	else if (news->ended)
		seen_programs_add(&c->programs, news);
	else
		launched_ignore(&launched, news);
}

static void find(void *arg, pid_t tgid)
{
	struct heap_collector *c = arg;
	const struct launched launched = launched_of(c);

	if (!c->skel->bss->stopped)
		launched_find(&launched, tgid);
}

static int heap_start(struct collector *base, struct error *err)
{
	struct heap_collector *c = heap_of(base);
	const struct followed_processes which = {
		.targets_fd = bpf_map__fd(c->skel->maps.targets),
		.new_processes_fd = bpf_map__fd(c->skel->maps.new_processes),
		.heard = hear,
		.found = c->bpf.opt.sampler ? find : NULL,
		.heard_arg = c,
	};
	int code;

	c->watch = (struct overhead_watch){.opt = &c->bpf.opt,
					   .limit = probe_limit_percent(&c->own->limit),
					   .calls = "allocations/s",
					   .count = count_calls,
					   .arg = c,
					   .began_ns = &c->bpf.base.began_ns};
	overhead_watch_begin(&c->watch, bpf_program__fd(c->skel->progs.on_free), HEAP_MAX_SITES,
			     c->way != UPROBE_WAY_PERF);
	if (c->bpf.opt.sampler)
		code = probe_set_add_file(c->set, c->bpf.opt.sampler, 0, err);
	else if (c->bpf.opt.command)
		code = attach_command(c);
	else
		code = attach_targets(c, err);
	uprobe_pins_rest(c->pins);
	if (!code && probe_stats(c).probes)
		log_note(c->bpf.opt.log, "allocator: %s", alloc_probes_text(c->probes));
	if (!code && !c->bpf.opt.command) {
		code = overhead_watch_trial(&c->watch, err);
		if (code)
			probe_set_detach(c->set);
	}
	return code ? code : probe_set_follow(c->set, &which, &c->processes, err);
}

static int heap_poll(struct collector *base, int timeout_ms)
{
	struct heap_collector *c = heap_of(base);

	/* The code of programs that have ended is needed as long as samples have frames in it. */
	if (alloc_probes_released(c->probes) > RELEASED_MAX)
		gaps_note(&c->gaps, GAP_RANGES, find_ranges(c));
	gaps_note(&c->gaps, GAP_LOOKS,
		  live_set_watch(c->live, monotonic_ns(), c->skel->bss->live_bytes));
	return bpf_session_poll(c->bpf.session, timeout_ms);
}

/* ---- the end ---- */

static void heap_stop(struct collector *base)
{
	struct heap_collector *c = heap_of(base);
	u64 end = monotonic_ns();

	c->overhead = overhead_watch_now(&c->watch);
	c->skel->bss->stopped = 1;
	process_watch_stop(c->processes);
	if (c->bpf.opt.sampler)
		gaps_note(&c->gaps, GAP_LOOKS,
			  seen_programs_add_running(&c->programs,
						    bpf_map__fd(c->skel->maps.targets)));
	probe_set_detach(c->set);
	bpf_session_drain(c->bpf.session);
	gaps_note(&c->gaps, GAP_RANGES, find_ranges(c));
	if (c->follow)
		gaps_note(&c->gaps, GAP_LIVE, live_set_read(c->live, end));
}

/* Blocks are looked at only on demand. */
static int begin_reading(struct heap_collector *c, enum collect_range range)
{
	int err = bpf_session_begin_reading(c->bpf.session, range);

	if (err || c->skel->bss->stopped)
		return err;
	err = find_ranges(c);
	return !err && c->follow ? live_set_read(c->live, monotonic_ns()) : err;
}

static int heap_read(struct collector *base, enum collect_range range, struct profile *p,
		     struct error *err)
{
	struct heap_collector *c = heap_of(base);
	struct heap_samples *reading = NULL;
	struct sample_mapping mapping;
	const struct heap_stats lost = {
		.sampler_dropped = bpf_session_stat(c->bpf.session, STAT_HEAP_SAMPLER_DROPPED),
		.unreached = bpf_session_stat(c->bpf.session, STAT_HEAP_UNREACHED)};
	int code = heap_describe(c->own, c->follow, p);

	seen_programs_set_sampled(&c->programs, c->skel->bss->programs_sampled);
	if (!code)
		code = seen_programs_comments(&c->programs, p);
	if (!code)
		code = heap_comments(&lost, p);
	if (!code)
		code = begin_reading(c, range);
	if (!code)
		code = heap_samples_new(c->own->rate, c->seed, c->live, &reading);
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	mapping = heap_mapping(reading);
	code = bpf_session_read(c->bpf.session, range, &mapping, p, err);
	if (range == COLLECT_WHOLE)
		c->ended = heap_samples_ended(reading);
	heap_samples_free(reading);
	return code;
}

static void heap_stats(struct collector *base, struct collect_stats *out)
{
	struct heap_collector *c = heap_of(base);

	bpf_session_stats(c->bpf.session, out);
	gaps_add(&out->gaps, &c->gaps);
}

static void heap_summarize(struct collector *base, struct lines *out)
{
	struct heap_collector *c = heap_of(base);
	struct process_watch_stats watched = process_watch_stats(c->processes);
	struct bpf_session *s = c->bpf.session;
	u64 unannounced = bpf_session_stat(s, STAT_UNANNOUNCED);
	struct heap_stats h = {
		.allocs = bpf_session_stat(s, STAT_HEAP_ALLOCS),
		.frees = bpf_session_stat(s, STAT_HEAP_FREES),
		.freed = bpf_session_stat(s, STAT_HEAP_FREED),
		.dropped = bpf_session_stat(s, STAT_HEAP_DROPPED),
		.sampler_dropped = bpf_session_stat(s, STAT_HEAP_SAMPLER_DROPPED),
		.unreached = bpf_session_stat(s, STAT_HEAP_UNREACHED),
		/* Programs that a sampler follows need not be searched in time. */
		.begun = watched.begun + unannounced,
		.missed = (c->bpf.opt.sampler ? 0 : watched.missed) + unannounced,
		.unfollowed = c->follow ? bpf_session_stat(s, STAT_HEAP_UNFOLLOWED) : 0,
		.uninherited = c->follow ? bpf_session_stat(s, STAT_HEAP_UNINHERITED) : 0,
		.declined = bpf_session_stat(s, STAT_HEAP_DECLINED),
		.refused = probe_stats(c).refused,
		.sites = heap_sites(c),
		.probes = probe_stats(c).probes,
		.slowdown = c->overhead.slowdown,
		.at_least = c->overhead.at_least,
	};

	h.unknown =
		heap_unknown_share(&h, c->own->rate, c->ended, c->skel->bss->live_inherited > 0);
	heap_summary(&h, out);
	seen_programs_summary(&c->programs, out);
}

static void heap_free(struct collector *base)
{
	struct heap_collector *c = heap_of(base);

	process_watch_free(c->processes);
	alloc_probes_free(c->probes);
	uprobe_pins_free(c->pins);
	needed_files_release(&c->command_files);
	live_set_free(c->live);
	heap_ranges_release(&c->ranges);
	seen_programs_release(&c->programs);
	alloc_names_release(&c->names);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	free(c);
}

static const struct collector_ops heap_ops = {
	.name = "bpf",
	.prepare = heap_prepare,
	.start = heap_start,
	.poll = heap_poll,
	.fd = bpf_collector_fd,
	.stop = heap_stop,
	.read = heap_read,
	.shrink = bpf_collector_shrink,
	.stats = heap_stats,
	.summarize = heap_summarize,
	.free = heap_free,
};

static int collector_new(const struct collect_options *opt, bool follow, struct collector **out,
			 struct error *err)
{
	struct heap_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->bpf.base.ops = &heap_ops;
	c->seed = monotonic_ns();
	c->bpf.opt = *opt;
	c->own = opt->own;
	c->follow = follow;
	seen_programs_init(&c->programs);
	*out = &c->bpf.base;
	return 0;
}

int heap_collector_new(const struct collect_options *opt, struct collector **out, struct error *err)
{
	return collector_new(opt, true, out, err);
}

int allocs_collector_new(const struct collect_options *opt, struct collector **out,
			 struct error *err)
{
	return collector_new(opt, false, out, err);
}
