/* SPDX-License-Identifier: Apache-2.0 */
/* Formats numbers for people: see units.h. */
#include "format/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct family {
	/* how profiles spell the units, as multiples of the first step */
	struct unit_scale names[16];
	struct unit_scale steps[6]; /* ascending */
};

static const struct family families[] = {
	{{{1, "nanoseconds"},
	  {1, "nanosecond"},
	  {1, "ns"},
	  {1e3, "microseconds"},
	  {1e3, "microsecond"},
	  {1e3, "us"},
	  {1e6, "milliseconds"},
	  {1e6, "millisecond"},
	  {1e6, "ms"},
	  {1e9, "seconds"},
	  {1e9, "second"},
	  {1e9, "s"}},
	 {{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}, {3600e9, "hrs"}}},
	{{{1, "bytes"},
	  {1, "byte"},
	  {1, "B"},
	  {1024.0, "kilobytes"},
	  {1024.0, "kilobyte"},
	  {1024.0, "kB"},
	  {1048576.0, "megabytes"},
	  {1048576.0, "megabyte"},
	  {1048576.0, "MB"}},
	 {{1, "B"},
	  {1024.0, "kB"},
	  {1048576.0, "MB"},
	  {1073741824.0, "GB"},
	  {1099511627776.0, "TB"},
	  {1125899906842624.0, "PB"}}},
	/* Counts are always shown as such. */
	{{{1, "nanocount"}, {1e3, "microcount"}, {1e6, "millicount"}}, {{1e9, ""}}},
};

/* Finds the family of `unit`; `*each` is one `unit` expressed in the first step. */
static const struct family *family_of(const char *unit, double *each)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct unit_scale *name = families[i].names;

		for (; name < families[i].names + ARRAY_LEN(families[i].names) && name->suffix;
		     name++) {
			*each = name->factor;
			if (!strcmp(unit, name->suffix))
				return &families[i];
		}
	}
	return NULL;
}

/* Returns the largest step that leaves at least 1 before the point. */
static const struct unit_scale *step_for(const struct family *f, double value)
{
	const struct unit_scale *best = &f->steps[0];

	for (size_t i = 1; i < ARRAY_LEN(f->steps) && f->steps[i].suffix; i++) {
		if (value >= f->steps[i].factor)
			best = &f->steps[i];
	}
	return best;
}

struct unit_scale unit_scale_pick(const char *unit, u64 smallest, u64 total)
{
	double each, least = (double)(smallest ? smallest : total), all = (double)total;
	const struct family *f = family_of(unit, &each);
	const struct unit_scale *low, *high;

	if (!f)
		return (struct unit_scale){1, strcmp(unit, "count") ? unit : ""};
	low = step_for(f, least * each);
	high = step_for(f, all * each);
	if (low != high && least * 100 < all)
		low = step_for(f, least * each * 100);
	return (struct unit_scale){low->factor / each, low->suffix};
}

static const struct {
	s64 per_count;
	const char *unit;
} counts[] = {
	{1, "count"}, {1000, "millicount"}, {1000000, "microcount"}, {1000000000, "nanocount"}};

const char *unit_of_counts(s64 per_count)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(counts) && counts[i].per_count != per_count)
		i++;
	return counts[i].unit;
}

s64 unit_per_count(const char *unit)
{
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		if (!strcmp(unit, counts[i].unit))
			return counts[i].per_count;
	}
	return 1;
}

void unit_format(const struct unit_scale *s, s64 value, char *out, size_t size)
{
	char number[64];
	int len = snprintf(number, sizeof(number), "%.2f", (double)value / s->factor);

	if (len > 3 && !strcmp(number + len - 3, ".00"))
		number[len - 3] = '\0';
	if (!strcmp(number, "0") || !strcmp(number, "-0"))
		snprintf(out, size, "0");
	else
		snprintf(out, size, "%s%s", number, s->suffix);
}

void unit_percent(s64 value, s64 total, char *out, size_t size)
{
	double ratio = total ? 100.0 * ((double)value / (double)total) : 0;

	if (fabs(ratio) >= 99.95 && fabs(ratio) <= 100.05)
		snprintf(out, size, "  100%%");
	else if (fabs(ratio) >= 1)
		snprintf(out, size, "%5.2f%%", ratio);
	else
		snprintf(out, size, "%5.2g%%", ratio);
}
