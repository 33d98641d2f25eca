/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them: 1.50s, 12kB, 45.2%, by the rules of go tool pprof. */
#ifndef CPROF_FORMAT_UNITS_H
#define CPROF_FORMAT_UNITS_H

#include "base/types.h"

/* One unit for a whole column. */
struct unit_scale {
	double factor; /* value / factor is what is shown */
	const char *suffix; /* "ms"; "" for counts */
};

/*
 * The unit for values of `unit` ("nanoseconds", "bytes", "count", ...), the smallest of which that is not
 * 0 is `smallest` and the total `total`: that of the smallest, or a larger one in which the smallest is still
 * 0.01. `unit` is borrowed as the suffix when it is none of these.
 */
struct unit_scale unit_scale_pick(const char *unit, u64 smallest, u64 total);

void unit_format(const struct unit_scale *s, s64 value, char *out, size_t size);
void unit_percent(s64 value, s64 total, char *out, size_t size); /* five columns and '%' */

#endif
