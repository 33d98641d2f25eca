/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles which stacks create threads or processes, with bpf/threadcreate.bpf.c. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bpf_shared.h"
#include "base/clock.h"
#include "collect/kind.h"
#include "collect/session/bpf_collector.h"
#include "collect/state/created_list.h"
#include "collect/state/created_samples.h"
#include "collect/state/start_places.h"
#include "threadcreate.skel.h"

struct created_options {
	bool processes;
};

struct created_collector {
	struct bpf_collector bpf;
	const struct created_options *own;
	struct threadcreate_bpf *skel;
	struct start_places *starts; /* NULL if processes are recorded */
	struct created_names names;
	u64 alive, older; /* as of the last look, and those of them that existed before */
	bool stopped;
	struct gaps gaps;
};

static struct created_collector *created_of(struct collector *c)
{
	return (struct created_collector *)c;
}

/* ---- loading ---- */

static double worth(void *arg, const struct sample_key *key, const struct sample_count *n)
{
	return (double)(n->samples + n->weight);
}

static void before_merge(void *arg, struct stack_store *store)
{
	struct created_collector *c = arg;
	created_vec list = {0};

	if (created_list_read(c->skel->progs.list_created, &list))
		log_info(c->bpf.opt.log, "out of memory while rare stacks are merged");
	created_list_await(&list, store);
	vec_release(&list);
}

SKELETON_OPEN(open_programs, threadcreate_bpf)

static int load_programs(struct created_collector *c, struct error *err)
{
	const struct stack_kind kind = {.live = true, .worth = worth, .arg = c};
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	c->skel->rodata->created.processes = c->own->processes;
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

/* on_exit removes a process from the targets, so it comes last. */
static int follow_processes(struct created_collector *c, struct error *err)
{
	struct threadcreate_bpf *skel = c->skel;
	const struct bpf_attachment all[] = {
		{skel->progs.on_ended, &skel->links.on_ended},
		{skel->progs.on_exec, &skel->links.on_exec},
		{skel->progs.on_fork, &skel->links.on_fork},
		{skel->progs.on_exit, &skel->links.on_exit},
	};

	return bpf_collector_attach(all, ARRAY_LEN(all), "follow forks and exits", err);
}

static int created_prepare(struct collector *base, struct error *err)
{
	struct created_collector *c = created_of(base);
	int code = load_programs(c, err);

	if (!code)
		code = follow_processes(c, err);
	if (!code && (created_names_init(&c->names, c->own->processes) ||
		      (!c->own->processes &&
		       start_places_new(c->bpf.session, bpf_map__fd(c->skel->maps.start_places),
					&c->starts))))
		code = error_set(err, -ENOMEM, "cannot record: out of memory");
	if (!code)
		code = bpf_collector_discover(&c->bpf, c->skel->progs.list_mappings, err);
	return code;
}

/* ---- recording ---- */

/* The programs that older processes run are counted below frames which are put in first. */
static int put_older_processes(struct created_collector *c)
{
	created_vec list = {0};
	int err = created_list_read(c->skel->progs.list_created, &list);

	created_list_put(&list, c->bpf.session, NULL);
	vec_release(&list);
	return err;
}

static int created_start(struct collector *base, struct error *err)
{
	struct created_collector *c = created_of(base);
	int code;

	if (c->starts)
		start_places_update(c->starts);
	c->skel->bss->command_waits = c->bpf.opt.command != NULL;
	code = bpf_session_attach(c->skel->progs.on_created, &c->skel->links.on_created,
				  "watch the creation of threads", err);
	c->skel->bss->began_ns = monotonic_ns();
	if (!code && c->own->processes && put_older_processes(c))
		code = error_set(err, -ENOMEM, "cannot record: out of memory");
	return code;
}

static int created_poll(struct collector *base, int timeout_ms)
{
	struct created_collector *c = created_of(base);

	if (c->starts)
		start_places_update(c->starts);
	return bpf_session_poll(c->bpf.session, timeout_ms);
}

static int list_alive(struct created_collector *c, created_vec *list)
{
	int err = created_list_read(c->skel->progs.list_created, list);

	c->alive = list->len;
	c->older = 0;
	vec_for_each(list, r)
		c->older += !r->key.stack;
	return err;
}

static void count_alive(struct created_collector *c, created_vec *list, enum tally_part part)
{
	stack_store_forget_live(bpf_session_store(c->bpf.session));
	created_list_count(list, c->bpf.session, c->starts, part);
}

/* Whatever ends before it is listed is still counted by its end. */
static void created_stop(struct collector *base)
{
	struct created_collector *c = created_of(base);
	created_vec list = {0};

	bpf_link__destroy(c->skel->links.on_created);
	c->skel->links.on_created = NULL;
	c->skel->bss->ending = 1;
	gaps_note(&c->gaps, GAP_LIVE, list_alive(c, &list));
	c->stopped = true;
	bpf_session_drain(c->bpf.session);
	count_alive(c, &list, TALLY_COUNT);
	vec_release(&list);
}

static int begin_reading(struct created_collector *c, enum collect_range range)
{
	created_vec list = {0};
	int err = bpf_session_begin_reading(c->bpf.session, range);

	if (err || c->stopped)
		return err;
	err = list_alive(c, &list);
	bpf_session_take_stacks(c->bpf.session);
	if (!err)
		count_alive(c, &list, TALLY_ONGOING);
	vec_release(&list);
	return err;
}

static int created_read(struct collector *base, enum collect_range range, struct profile *p,
			struct error *err)
{
	struct created_collector *c = created_of(base);
	struct sample_mapping mapping = created_mapping(&c->names);
	int code = created_describe(c->own->processes, p);

	if (!code)
		code = begin_reading(c, range);
	if (!code)
		code = created_names_read(&c->names, bpf_map__fd(c->skel->maps.names));
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	return bpf_session_read(c->bpf.session, range, &mapping, p, err);
}

static void created_stats(struct collector *base, struct collect_stats *out)
{
	struct created_collector *c = created_of(base);

	bpf_session_stats(c->bpf.session, out);
	gaps_add(&out->gaps, &c->gaps);
}

static const char *noun(const struct created_collector *c, u64 n)
{
	if (c->own->processes)
		return n == 1 ? "process" : "processes";
	return n == 1 ? "thread" : "threads";
}

static void created_summarize(struct collector *base, struct lines *out)
{
	struct created_collector *c = created_of(base);
	struct bpf_session *s = c->bpf.session;
	u64 unfollowed = bpf_session_stat(s, STAT_CREATED_UNFOLLOWED);
	u64 created = bpf_session_stat(s, STAT_SAMPLES), alive = c->alive - c->older;

	lines_add(out, "%llu %s created, %llu of them alive at the end",
		  (unsigned long long)created, noun(c, created), (unsigned long long)alive);
	if (c->older)
		lines_add(out,
			  "%llu %s existed before the recording: the stack that created them is "
			  "not known",
			  (unsigned long long)c->older, noun(c, c->older));
	if (unfollowed)
		lines_add(out,
			  "%llu %s not followed until the end: they have no name, and do not "
			  "count as alive",
			  (unsigned long long)unfollowed, noun(c, unfollowed));
}

static void created_free(struct collector *base)
{
	struct created_collector *c = created_of(base);

	start_places_free(c->starts);
	created_names_release(&c->names);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	free(c);
}

static const struct collector_ops created_ops = {
	.name = "bpf",
	.prepare = created_prepare,
	.start = created_start,
	.poll = created_poll,
	.fd = bpf_collector_fd,
	.stop = created_stop,
	.read = created_read,
	.shrink = bpf_collector_shrink,
	.stats = created_stats,
	.summarize = created_summarize,
	.free = created_free,
};

static int created_collector_new(const struct collect_options *opt, struct collector **out,
				 struct error *err)
{
	struct created_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->bpf.base.ops = &created_ops;
	c->bpf.opt = *opt;
	c->own = opt->own;
	*out = &c->bpf.base;
	return 0;
}

/* ---- the kind ---- */

static const struct option_row rows[] = {
	{.name = "processes",
	 .help = "record forks and execs in place of threads",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_MEMBER(ON, struct created_options, processes)},
	{0},
};

static const struct created_options defaults = {.processes = false};

const struct profile_kind kind_threadcreate = {
	.name = "threadcreate",
	.summary = "who creates threads or processes, by call stack",
	.faculties = KIND_MACHINE,
	KIND_OPTIONS(rows, defaults),
	.collector_new = created_collector_new,
	.refine = created_refine,
	.why_empty = "nothing was created, and nothing is there",
};
