/* SPDX-License-Identifier: Apache-2.0 */
/* The kind mutex: time lost waiting on locks, by the call stack that released them. */
#include <errno.h>

#include "collect/wait/wait.h"

static const struct option_row rows[] = {
	WAIT_MIN_ROW,
	{.name = "owners",
	 .help = "also count what the owner of the lock did meanwhile (owner_delay)",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_MEMBER(ON, struct wait_options, owners)},
	{.name = "holds",
	 .help = "probe lock functions: how often locks are taken, how long held",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_MEMBER(ON, struct wait_options, holds)},
	PROBE_LIMIT_ROWS(struct wait_options, limit),
	WAIT_CONDVAR_ROWS,
	{0},
};

/* A hold is not a wait, and waits are recorded without probes, so there is no slowdown to limit. */
static int check(const void *options, struct error *err)
{
	const struct wait_options *o = options;

	if (o->holds && o->owners)
		return error_set(err, -EINVAL,
				 "--holds and --owners are different recordings: give one");
	if (o->holds && o->min_ns)
		return error_set(err, -EINVAL,
				 "--min leaves waits out: it does not go with --holds");
	if (!o->holds && probe_limit_given(&o->limit))
		return error_set(err, -EINVAL,
				 "--max-slowdown and --force limit what the probes of --holds "
				 "cost: give that as well");
	return 0;
}

static int collector_new(const struct collect_options *opt, struct collector **out,
			 struct error *err)
{
	const struct wait_options *o = opt->own;

	return o->holds ? holds_collector_new(opt, out, err) : mutex_collector_new(opt, out, err);
}

const struct profile_kind kind_mutex = {
	.name = "mutex",
	.summary = "time that others waited on locks, by the call stack that held the lock",
	.faculties = KIND_MACHINE | KIND_KERNEL,
	.collector_new = collector_new,
	KIND_OPTIONS(rows, wait_defaults),
	.check = check,
	.refine = wait_refine_locks,
	.hidden = wait_hidden,
	.why_empty = "no thread waited for a lock that the target held",
};
