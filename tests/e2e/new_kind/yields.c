/* SPDX-License-Identifier: Apache-2.0 */
/* The kind yields: who calls sched_yield(2), counted by bpf/yields.bpf.c. */
#include <errno.h>
#include <stdlib.h>

#include "collect/kind.h"
#include "collect/session/bpf_session.h"
#include "target/needed.h"
#include "yields.skel.h"

struct yields_options {
	u32 weight;
};

struct yields_collector {
	struct collector base;
	struct collect_options opt;
	struct yields_bpf *skel;
	struct bpf_session *session;
};

static struct yields_collector *yields_of(struct collector *c)
{
	return (struct yields_collector *)c;
}

SKELETON_OPEN(open_programs, yields_bpf)

static int load_programs(struct yields_collector *c, struct error *err)
{
	const struct yields_options *own = c->opt.own;
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	c->skel->rodata->weight = own->weight;
	code = bpf_session_size_counts(c->skel->obj, &c->opt);
	if (!code)
		c->skel = bpf_session_load(&c->opt, open_programs, c->skel, &code);
	if (code)
		return bpf_session_load_error(code, err);
	return bpf_session_new(c->skel->obj, &c->skel->bss->control, &c->opt, NULL, &c->session,
			       err);
}

static int prepare(struct collector *base, struct error *err)
{
	struct yields_collector *c = yields_of(base);
	struct needed_files needed = {0};
	int code = load_programs(c, err);

	if (code)
		return code;
	code = bpf_session_attach(c->skel->progs.on_fork, &c->skel->links.on_fork, "follow forks",
				  err);
	if (!code)
		code = bpf_session_attach(c->skel->progs.on_exit, &c->skel->links.on_exit,
					  "follow exits", err);
	if (code)
		return code;
	if (c->opt.command)
		needed_files_of(c->opt.command, c->opt.readers, &needed);
	code = bpf_session_discover(c->session, c->skel->progs.list_mappings, needed.paths, err);
	needed_files_release(&needed);
	return code;
}

static int start(struct collector *base, struct error *err)
{
	struct yields_collector *c = yields_of(base);

	return bpf_session_attach(c->skel->progs.on_syscall, &c->skel->links.on_syscall,
				  "watch system calls", err);
}

static int poll_session(struct collector *base, int timeout_ms)
{
	return bpf_session_poll(yields_of(base)->session, timeout_ms);
}

static void stop(struct collector *base)
{
	struct yields_collector *c = yields_of(base);

	bpf_link__destroy(c->skel->links.on_syscall);
	c->skel->links.on_syscall = NULL;
	bpf_session_drain(c->session);
}

static int session_fd(struct collector *base)
{
	return bpf_session_fd(yields_of(base)->session);
}

static int read_profile(struct collector *base, enum collect_range range, struct profile *p,
			struct error *err)
{
	struct yields_collector *c = yields_of(base);
	int code = profile_add_sample_type(p, "yields", "count");

	if (!code)
		code = profile_add_sample_type(p, "weight", "count");
	if (!code)
		code = bpf_session_begin_reading(c->session, range);
	return code ? code : bpf_session_read(c->session, range, NULL, p, err);
}

static void shrink(struct collector *base)
{
	bpf_session_shrink(yields_of(base)->session);
}

static void stats(struct collector *base, struct collect_stats *out)
{
	bpf_session_stats(yields_of(base)->session, out);
}

static void summarize(struct collector *base, struct lines *out)
{
	lines_add(out, "each yield weighs %u", yields_of(base)->skel->rodata->weight);
}

static void release(struct collector *base)
{
	bpf_session_free(yields_of(base)->session);
	bpf_session_unload(&yields_of(base)->opt, open_programs, yields_of(base)->skel);
	free(base);
}

static int collector_new(const struct collect_options *opt, struct collector **out,
			 struct error *err)
{
	static const struct collector_ops ops = {.name = "bpf",
						 .prepare = prepare,
						 .start = start,
						 .poll = poll_session,
						 .fd = session_fd,
						 .stop = stop,
						 .read = read_profile,
						 .shrink = shrink,
						 .stats = stats,
						 .summarize = summarize,
						 .free = release};
	struct yields_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->base.ops = &ops;
	c->opt = *opt;
	*out = &c->base;
	return 0;
}

static const struct option_row rows[] = {
	{.name = "weight",
	 .value = "N",
	 .help = "what each yield counts for",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_NUMBER(struct yields_options, weight, 1, 1000, "a weight from 1 to 1000")},
	{0},
};

static const struct yields_options defaults = {.weight = 7};

static int check(const void *options, struct error *err)
{
	const struct yields_options *o = options;

	return o->weight == 13 ? error_set(err, -EINVAL, "13 is out of the question") : 0;
}

const struct profile_kind kind_yields = {
	.name = "yields",
	.summary = "who gives the CPU away, by call stack",
	.faculties = KIND_MACHINE,
	KIND_OPTIONS(rows, defaults),
	.check = check,
	.collector_new = collector_new,
	.why_empty = "the target did not yield",
};
