/* SPDX-License-Identifier: Apache-2.0 */
/* The table of perf events: see events.h. */
#include "collect/events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOFTWARE(config_) PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##config_
#define HARDWARE(config_) PERF_TYPE_HARDWARE, PERF_COUNT_HW_##config_
#define CLOCK "cpu", "nanoseconds", true
#define COUNT(what) what, "count", false

/* clang-format off */
const struct event_desc event_table[] = {
	{"cpu-clock", "CPU time by a timer; works in every VM", SOFTWARE(CPU_CLOCK), CLOCK},
	{"task-clock", "CPU time by a timer that stops with the thread", SOFTWARE(TASK_CLOCK), CLOCK},
	{"cycles", "CPU cycles; also sees code that holds off interrupts", HARDWARE(CPU_CYCLES),
	 COUNT("cycles")},
	{"instructions", "instructions retired", HARDWARE(INSTRUCTIONS), COUNT("instructions")},
	{"cache-misses", "misses of the last-level cache", HARDWARE(CACHE_MISSES),
	 COUNT("cache-misses")},
	{"branch-misses", "mispredicted branches", HARDWARE(BRANCH_MISSES), COUNT("branch-misses")},
	{"page-faults", "page faults", SOFTWARE(PAGE_FAULTS), COUNT("page-faults")},
	{"context-switches", "switches to another thread", SOFTWARE(CONTEXT_SWITCHES),
	 COUNT("context-switches")},
	{0},
};
/* clang-format on */

const struct event_desc *event_by_name(const char *name)
{
	for (const struct event_desc *e = event_table; e->name; e++) {
		if (!strcmp(e->name, name))
			return e;
	}
	return NULL;
}

int event_available(const struct event_desc *e)
{
	struct perf_event_attr attr = {
		.type = e->type,
		.size = sizeof(attr),
		.config = e->config,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		/* A counter that cannot interrupt can be opened for counting, but not for
		 * sampling. */
		.freq = 1,
		.sample_freq = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int event_describe(const struct event_desc *e, u32 frequency, struct profile *p)
{
	/* Counters are sampled at a rate, so their period changes with every sample. */
	s64 period = e->clock ? 1000000000 / (s64)frequency : 0;
	int err = e->clock ? profile_add_sample_type(p, "samples", "count") : 0;

	if (!err)
		err = profile_add_sample_type(p, e->value_type, e->value_unit);
	return err ? err : profile_set_period(p, e->value_type, e->value_unit, period);
}

void event_names(char *out, size_t size, bool only_available)
{
	size_t used = 0;

	out[0] = '\0';
	for (const struct event_desc *e = event_table; e->name && used < size; e++) {
		if (!only_available || !event_available(e))
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
						 e->name);
	}
}
