/* SPDX-License-Identifier: Apache-2.0 */
/* The kind offcpu: all time that threads do not run, by call stack and cause. */
#include <errno.h>
#include <string.h>

#include "base/bpf_shared.h"
#include "collect/wait/wait.h"
#include "view/wait_kind.h"

static const char *cause_at(u32 index, const char **summary)
{
	*summary = "";
	return WAIT_NONE + 1 + index < WAIT_CAUSE_COUNT ? wait_cause_text(WAIT_NONE + 1 + index)
							: NULL;
}

/* Returns the cause of that name, among those that a thread off the CPU can have; 0 if there is
 * none. */
static u32 cause_by_name(const char *name, size_t len)
{
	for (u32 cause = WAIT_NONE + 1; cause < WAIT_CAUSE_COUNT; cause++) {
		const char *text = wait_cause_text(cause);

		if (strlen(text) == len && !strncmp(text, name, len))
			return cause;
	}
	return 0;
}

static int set_causes(void *options, const char *value, struct error *err)
{
	struct wait_options *o = options;
	bool except = *value == '^';
	u32 named = 0;

	for (value += except;; value++) {
		size_t len = strcspn(value, ",");
		u32 cause = cause_by_name(value, len);

		if (!cause)
			return error_set(err, -EINVAL,
					 "unknown cause \"%.*s\" (cprof offcpu -h lists them)",
					 (int)(len > OPTION_SHOWN ? OPTION_SHOWN : len), value);
		named |= 1u << cause;
		value += len;
		if (!*value)
			break;
	}
	o->causes = except ? ((1u << WAIT_CAUSE_COUNT) - 1) & ~named : named;
	return 0;
}

static const struct option_row rows[] = {
	WAIT_MIN_ROW,
	{.name = "state",
	 .value = "CAUSE[,CAUSE...]",
	 .help = "only these causes (see below); ^CAUSE: all but that one",
	 .group = OPTION_GROUP_SAMPLING,
	 .set = set_causes,
	 .value_at = cause_at,
	 .values_title = "Causes"},
	{.name = "wakers",
	 .help = "also show which thread ended each wait (its stack after --)",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_MEMBER(ON, struct wait_options, wakers)},
	{0},
};

static int refine(struct profile *p, const void *options)
{
	return wait_kinds_find(p);
}

const struct profile_kind kind_offcpu = {
	.name = "offcpu",
	.summary = "all time that threads do not run, by call stack and cause",
	.faculties = KIND_MACHINE | KIND_KERNEL,
	.collector_new = offcpu_collector_new,
	KIND_OPTIONS(rows, wait_defaults),
	.refine = refine,
	.why_empty = "no thread of the target was off its CPU",
};
