/* SPDX-License-Identifier: Apache-2.0 */
/* The kind block: time lost waiting on locks, by the waiter's call stack. */
#include "collect/wait/wait.h"

static const struct option_row rows[] = {
	WAIT_MIN_ROW,
	WAIT_CONDVAR_ROWS,
	{0},
};

const struct profile_kind kind_block = {
	.name = "block",
	.summary = "time lost waiting on locks, by the call stack that waited",
	.faculties = KIND_MACHINE | KIND_KERNEL,
	.collector_new = block_collector_new,
	KIND_OPTIONS(rows, wait_defaults),
	.refine = wait_refine_locks,
	.hidden = wait_hidden,
	.why_empty = "no thread of the target waited for a lock",
};
