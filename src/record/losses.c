/* SPDX-License-Identifier: Apache-2.0 */
/* What a recording lost, in words: see losses.h. */
#include "record/losses.h"

#include <stdio.h>

struct reason {
	const char *text;
	u64 count;
};

/* "a 1, b 2": those that occurred. */
static void list_reasons(const struct reason *r, size_t n, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++) {
		if (r[i].count)
			used += (size_t)snprintf(out + used, size - used, "%s%s %llu",
						 used ? ", " : "", r[i].text,
						 (unsigned long long)r[i].count);
	}
}

void losses_text(const struct collect_stats *s, char *out, size_t size)
{
	const struct reason reasons[] = {
		{"ring buffer full", s->lost_ring},
		{"count table full", s->lost_table},
		{"interrupted another sample", s->lost_busy},
		{"wait table full", s->wait.lost_threads},
	};
	char list[LOSSES_SIZE];
	u64 total = 0;

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		total += reasons[i].count;
	list_reasons(reasons, ARRAY_LEN(reasons), list, sizeof(list));
	if (total)
		snprintf(out, size, "%llu (%s)", (unsigned long long)total, list);
	else
		snprintf(out, size, "0");
}

void losses_cuts(const struct collect_stats *s, char *out, size_t size)
{
	struct reason reasons[STACK_END_COUNT];

	for (u32 i = 0; i < STACK_END_COUNT; i++)
		reasons[i] = (struct reason){stack_end_text(i), i == STACK_WHOLE ? 0 : s->ends[i]};
	list_reasons(reasons, STACK_END_COUNT, out, size);
}

void losses_gaps(const struct gaps *g, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (u32 i = 0; i < GAP_COUNT && used < size; i++) {
		if (g->of[i].times)
			used += (size_t)snprintf(out + used, size - used, "%s%s (%s)",
						 used ? ", " : "", gap_text((enum gap)i),
						 error_reason(g->of[i].code));
	}
}
