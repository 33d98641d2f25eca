/* SPDX-License-Identifier: Apache-2.0 */
/* The kind threads: what every thread of the target does at this moment, with its whole stack. */
#include <errno.h>
#include <stdlib.h>

#include "base/bpf_shared.h"
#include "base/clock.h"
#include "collect/kind.h"
#include "collect/session/bpf_collector.h"
#include "collect/threads/thread_look.h"
#include "collect/threads/thread_owners.h"
#include "collect/threads/thread_samples.h"
#include "format/threads.h"
#include "profile/labels.h"
#include "threads.skel.h"
#include "view/wait_kind.h"

struct threads_collector {
	struct bpf_collector bpf;
	struct threads_bpf *skel;
	struct lock_names *names;
	struct thread_table table;
	u64 skew; /* ktime minus the scheduler's clock */
	u64 look_ns; /* how long looking took */
};

static struct threads_collector *threads_of(struct collector *c)
{
	return (struct threads_collector *)c;
}

SKELETON_OPEN(open_programs, threads_bpf)

static int load_programs(struct threads_collector *c, struct error *err)
{
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	c->skel = bpf_session_load(&c->bpf.opt, open_programs, c->skel, &code);
	if (code)
		return bpf_session_load_error(code, err);
	return bpf_session_new(c->skel->obj, &c->skel->bss->control, &c->bpf.opt, NULL,
			       &c->bpf.session, err);
}

static int threads_prepare(struct collector *base, struct error *err)
{
	struct threads_collector *c = threads_of(base);
	int code = load_programs(c, err);
	const struct bpf_attachment all[] = {
		{c->skel ? c->skel->progs.on_fork : NULL, c->skel ? &c->skel->links.on_fork : NULL},
		{c->skel ? c->skel->progs.on_exit : NULL, c->skel ? &c->skel->links.on_exit : NULL},
	};

	if (!code)
		code = bpf_collector_attach(all, ARRAY_LEN(all), "follow forks and exits", err);
	if (code)
		return code;
	code = lock_names_new(bpf_session_modules(c->bpf.session), &c->names);
	if (code)
		return error_set(err, code, "cannot look: %s", error_reason(code));
	return bpf_collector_discover(&c->bpf, c->skel->progs.list_mappings, err);
}

static int threads_start(struct collector *base, struct error *err)
{
	struct threads_collector *c = threads_of(base);
	struct thread_look look = {.session = c->bpf.session,
				   .list_threads = c->skel->progs.list_threads,
				   .check_threads = c->skel->progs.check_threads,
				   .on_tick = c->skel->progs.on_tick,
				   .marks_fd = bpf_map__fd(c->skel->maps.marks),
				   .table = &c->table};
	u64 began = monotonic_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int code = thread_look_run(&look, err);

	c->look_ns = monotonic_ns() - began;
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	log_info(c->bpf.opt.log, "looked at %zu threads in %.1f ms, %.1f ms of CPU time",
		 c->table.all.len, (double)c->look_ns / 1e6, (double)cpu / 1e6);
	c->skew = look.skew;
	if (code)
		return code;
	thread_owners_find(&c->table);
	thread_rings_find(&c->table);
	vec_for_each(&c->bpf.opt.target->processes, p)
		lock_names_note(c->names, p->tgid);
	return 0;
}

/* Everything was recorded by start(). */
static int threads_poll(struct collector *base, int timeout_ms)
{
	int ended = bpf_session_poll(threads_of(base)->bpf.session, 0);

	return ended < 0 ? ended : 1;
}

static void count_thread(struct threads_collector *c, const struct seen_thread *t)
{
	static const struct sample_count one = {.samples = 1, .weight = 1};
	const struct thread_record *r = &t->state.record;
	u64 cut = FRAME(MODULE_CUT, STACK_UNREADABLE);

	if (!stack_store_knows(bpf_session_store(c->bpf.session), &r->key))
		bpf_session_put(c->bpf.session, &r->key, &r->thread, &cut, 1);
	bpf_session_add(c->bpf.session, &r->key, TALLY_COUNT, &one);
}

static void threads_stop(struct collector *base)
{
	struct threads_collector *c = threads_of(base);

	bpf_session_drain(c->bpf.session);
	vec_for_each(&c->table.all, t)
		count_thread(c, *t);
}

static int threads_read(struct collector *base, enum collect_range range, struct profile *p,
			struct error *err)
{
	struct threads_collector *c = threads_of(base);
	struct thread_samples reading = {.table = &c->table, .names = c->names, .skew = c->skew};
	struct sample_mapping mapping = thread_mapping(&reading);
	int code = profile_add_sample_type(p, "threads", "count");

	if (!code)
		code = profile_set_period(p, "threads", "count", 1);
	if (!code)
		code = bpf_session_begin_reading(c->bpf.session, range);
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	return bpf_session_read(c->bpf.session, range, &mapping, p, err);
}

static void threads_stats(struct collector *base, struct collect_stats *out)
{
	struct threads_collector *c = threads_of(base);

	bpf_session_stats(c->bpf.session, out);
	out->samples = c->table.all.len;
}

static void threads_summarize(struct collector *base, struct lines *out)
{
	struct threads_collector *c = threads_of(base);
	u64 again = 0, moved = 0;

	vec_for_each(&c->table.all, t) {
		again += (*t)->looks > 1;
		moved += (*t)->moved;
	}
	lines_add(out, "%zu threads read in %.1f ms, and none was stopped for it", c->table.all.len,
		  (double)c->look_ns / 1e6);
	if (again)
		lines_add(out, "%llu of them ran meanwhile and were read again%s",
			  (unsigned long long)again,
			  moved ? "; those that ran each time are labelled moved=yes" : "");
}

static void threads_free(struct collector *base)
{
	struct threads_collector *c = threads_of(base);

	lock_names_free(c->names);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	thread_table_release(&c->table);
	free(c);
}

static const struct collector_ops threads_ops = {
	.name = "bpf",
	.prepare = threads_prepare,
	.start = threads_start,
	.poll = threads_poll,
	.fd = bpf_collector_fd,
	.stop = threads_stop,
	.read = threads_read,
	.shrink = bpf_collector_shrink,
	.stats = threads_stats,
	.summarize = threads_summarize,
	.free = threads_free,
};

static int threads_collector_new(const struct collect_options *opt, struct collector **out,
				 struct error *err)
{
	struct threads_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot look: out of memory");
	c->bpf.base.ops = &threads_ops;
	c->bpf.opt = *opt;
	c->bpf.opt.by_thread = true;
	*out = &c->bpf.base;
	return 0;
}

static int refine(struct profile *p, const void *options)
{
	return wait_kinds_name(p, LABEL_REASON, wait_cause_text(WAIT_LOCK));
}

static const struct format *table(const void *options)
{
	return &format_threads;
}

const struct profile_kind kind_threads = {
	.name = "threads",
	.summary = "what every thread does at this moment, by call stack, without stopping it",
	.faculties = KIND_MACHINE | KIND_KERNEL | KIND_MOMENT,
	.collector_new = threads_collector_new,
	.refine = refine,
	.table = table,
	.why_empty = "the target has no threads",
};
