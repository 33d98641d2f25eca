/* SPDX-License-Identifier: Apache-2.0 */
/* The kind offcpu: all time that threads do not run, by call stack and cause. */
#include "collect/kind.h"
#include "view/wait_kind.h"

static int refine(struct profile *p, const struct collect_options *o)
{
	return wait_kinds_find(p);
}

const struct profile_kind kind_offcpu = {
	.name = "offcpu",
	.summary = "all time that threads do not run, by call stack and cause",
	.faculties = KIND_MACHINE | KIND_KERNEL,
	.collector_new = offcpu_collector_new,
	.refine = refine,
	.why_empty = "no thread of the target was off its CPU",
};
