/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The perf events that a CPU profile can count (linux/perf_event.h), and what each is called in the
 * profile. All are sampled by frequency: the kernel sets the period and reports it with each
 * sample. The clocks tick at a fixed period of 1e9 / frequency ns.
 */
#ifndef CPROF_COLLECT_EVENTS_H
#define CPROF_COLLECT_EVENTS_H

#include "base/types.h"
#include "profile/profile.h"

struct event_desc {
	const char *name; /* as -e accepts it */
	const char *summary; /* for help */
	u32 type; /* PERF_TYPE_* */
	u64 config; /* PERF_COUNT_* */
	/*
	 * The value that a sample's period is added to. A clock has samples/count as its first
	 * sample type and this one as its second; the others have only this one.
	 */
	const char *value_type, *value_unit;
	bool clock; /* the period is nanoseconds of CPU time */
};

/* All events; the first is the default. A nameless one ends the table. */
extern const struct event_desc event_table[];

const struct event_desc *event_by_name(const char *name); /* NULL if there is none */
/*
 * Opens the event on the calling thread, user mode only, and closes it. Returns 0 or a negative
 * errno: -ENOENT if the machine lacks it, -EACCES if perf_event_paranoid forbids it.
 */
int event_available(const struct event_desc *e) MUST_CHECK;
/* Gives a profile the sample types and the period of this event. */
int event_describe(const struct event_desc *e, u32 frequency, struct profile *p) MUST_CHECK;
/* Writes "cpu-clock, task-clock, ...": all of them, or only those that this machine has. */
void event_names(char *out, size_t size, bool only_available);

#endif
