/* SPDX-License-Identifier: Apache-2.0 */
/* The kind mutex: time lost waiting on locks, by the call stack that let go of them. */
#include "collect/kind.h"
#include "view/wait_kind.h"

static int refine(struct profile *p, const struct collect_options *o)
{
	int code = wait_kinds_find(p);

	if (!code && o->wait.condvars == WAIT_CONDVARS_DROP)
		wait_drop(p, "kind", "condvar");
	return code;
}

const struct profile_kind kind_mutex = {
	.name = "mutex",
	.summary = "time that others waited on locks, by the call stack that held the lock",
	.faculties = KIND_MACHINE | KIND_KERNEL,
	.collector_new = mutex_collector_new,
	.refine = refine,
	.hidden_key = "kind",
	.hidden_text = "condvar",
	.why_empty = "nobody waited for a lock that the target held",
};
