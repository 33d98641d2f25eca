/* SPDX-License-Identifier: Apache-2.0 */
/* Describes what a recording lost: see losses.h. */
#include "record/losses.h"

#include <stdio.h>

struct reason {
	const char *text;
	u64 count;
};

u64 losses_total(const struct collect_stats *s)
{
	u64 total = 0;

	for (u32 i = 0; i < s->nlosses; i++)
		total += s->losses[i].samples;
	return total;
}

/* Writes those that occurred as "a 1, b 2". */
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
	struct reason reasons[LOSSES_MAX] = {0};
	char list[LOSSES_SIZE];
	u64 total = losses_total(s);

	for (u32 i = 0; i < s->nlosses; i++)
		reasons[i] = (struct reason){s->losses[i].why, s->losses[i].samples};
	list_reasons(reasons, s->nlosses, list, sizeof(list));
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
