/* SPDX-License-Identifier: Apache-2.0 */
/* The kind wall: running, runnable and blocked time in one profile. */
#include "collect/wait/wait.h"
#include "view/wait_kind.h"

static int refine(struct profile *p, const void *options)
{
	return wait_kinds_find(p);
}

const struct profile_kind kind_wall = {
	.name = "wall",
	.summary = "running, runnable and blocked time, by call stack",
	.faculties = KIND_MACHINE | KIND_KERNEL | KIND_RATE,
	.collector_new = wall_collector_new,
	.defaults = &wait_defaults,
	.options_size = sizeof(wait_defaults),
	.refine = refine,
};
