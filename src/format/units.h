/* SPDX-License-Identifier: Apache-2.0 */
/* Formats numbers for people, such as 1.50s, 12kB and 45.2%, by the rules of go tool pprof. */
#ifndef CPROF_FORMAT_UNITS_H
#define CPROF_FORMAT_UNITS_H

#include "base/types.h"

/* Describes one unit for a whole column. */
struct unit_scale {
	double factor; /* the number shown is value / factor */
	const char *suffix; /* "ms"; "" for counts */
};

/*
 * Picks the unit for values of `unit` ("nanoseconds", "bytes", "count", ...). `smallest` is the
 * smallest value that is not 0, and `total` is the sum. The result is the unit that suits the
 * smallest one, or a larger one in which the smallest is still 0.01. If `unit` is unknown, it is
 * borrowed as the suffix.
 */
struct unit_scale unit_scale_pick(const char *unit, u64 smallest, u64 total);

void unit_format(const struct unit_scale *s, s64 value, char *out, size_t size);
/*
 * The units of counts with fractions, such as "microcount" for a million to one. The first returns
 * the unit, and the second how many of it are one; 1 for every other unit.
 */
const char *unit_of_counts(s64 per_count);
s64 unit_per_count(const char *unit);
void unit_percent(s64 value, s64 total, char *out, size_t size); /* five columns and '%' */

#endif
