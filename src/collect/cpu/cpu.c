/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles CPU time with BPF: a perf event ticks on every CPU, and bpf/cpu.bpf.c counts the running
 * stack. */
#include <errno.h>
#include <stdlib.h>

#include "base/bpf_shared.h"
#include "collect/session/bpf_collector.h"
#include "collect/event_options.h"
#include "collect/kind.h"
#include "collect/perf/perf_sampler.h"
#include "collect/perf_event.h"
#include "cpu.skel.h"

struct cpu_collector {
	struct bpf_collector bpf;
	const struct event_desc *event;
	struct cpu_bpf *skel;
	struct perf_ticker *ticker;
};

static struct cpu_collector *cpu_of(struct collector *c)
{
	return (struct cpu_collector *)c;
}

SKELETON_OPEN(open_programs, cpu_bpf)

static int load_programs(struct cpu_collector *c, struct error *err)
{
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	if (!c->event->clock)
		c->skel->rodata->settings.clock_period = 0;
	c->skel = bpf_session_load(&c->bpf.opt, open_programs, c->skel, &code);
	if (code)
		return bpf_session_load_error(code, err);
	return bpf_session_new(c->skel->obj, &c->skel->bss->control, &c->bpf.opt, NULL,
			       &c->bpf.session, err);
}

/* This happens before the targets are listed, so that no child is forked unseen in between. */
static int follow_processes(struct cpu_collector *c, struct error *err)
{
	struct cpu_bpf *skel = c->skel;
	const struct bpf_attachment all[] = {
		{skel->progs.on_fork, &skel->links.on_fork},
		{skel->progs.on_exit, &skel->links.on_exit},
	};

	return bpf_collector_attach(all, ARRAY_LEN(all), "follow forks and exits", err);
}

static int cpu_prepare(struct collector *base, struct error *err)
{
	struct cpu_collector *c = cpu_of(base);
	int code;

	code = perf_ticker_new(c->event, c->bpf.opt.frequency, &c->ticker, err);

	if (!code)
		code = load_programs(c, err);
	if (!code)
		code = follow_processes(c, err);
	if (code)
		return code;
	return bpf_collector_discover(&c->bpf, c->skel->progs.list_mappings, err);
}

static int cpu_start(struct collector *base, struct error *err)
{
	struct cpu_collector *c = cpu_of(base);

	return perf_ticker_start(c->ticker, c->skel->progs.on_tick, err);
}

static void cpu_stop(struct collector *base)
{
	struct cpu_collector *c = cpu_of(base);

	perf_ticker_stop(c->ticker);
	bpf_session_drain(c->bpf.session);
}

static int cpu_read(struct collector *base, enum collect_range range, struct profile *p,
		    struct error *err)
{
	struct cpu_collector *c = cpu_of(base);
	int code = event_describe(c->event, c->bpf.opt.frequency, p);

	if (!code)
		code = bpf_session_begin_reading(c->bpf.session, range);
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	return bpf_session_read(c->bpf.session, range, NULL, p, err);
}

static void cpu_stats(struct collector *base, struct collect_stats *out)
{
	struct cpu_collector *c = cpu_of(base);

	bpf_session_stats(c->bpf.session, out);
	out->event = c->event;
}

static void cpu_free(struct collector *base)
{
	struct cpu_collector *c = cpu_of(base);

	perf_ticker_free(c->ticker);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	free(c);
}

static const struct collector_ops cpu_ops = {
	.name = "bpf",
	.prepare = cpu_prepare,
	.start = cpu_start,
	.poll = bpf_collector_poll,
	.fd = bpf_collector_fd,
	.stop = cpu_stop,
	.read = cpu_read,
	.shrink = bpf_collector_shrink,
	.stats = cpu_stats,
	.free = cpu_free,
};

static int cpu_collector_new(const struct collect_options *opt, struct collector **out,
			     struct error *err)
{
	struct cpu_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->bpf.base.ops = &cpu_ops;
	c->bpf.opt = *opt;
	c->event = ((const struct event_options *)opt->own)->event;
	*out = &c->bpf.base;
	return 0;
}

const struct profile_kind kind_cpu = {
	.name = "cpu",
	.summary = "where the CPU time of a running process goes, by call stack",
	.faculties = KIND_MACHINE | KIND_KERNEL | KIND_RATE,
	KIND_OPTIONS(event_rows, event_defaults),
	.collector_new = cpu_collector_new,
	.fallback_new = perf_collector_new,
};
