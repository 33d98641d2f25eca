/* SPDX-License-Identifier: Apache-2.0 */
/* Collects what budgets did not allow: see left_out.h. */
#include "symbol/left_out.h"

#include <stdio.h>

void left_out_add(struct left_out *l, const char *file, enum budget_part part, enum budget_end end)
{
	if (l->parts < LEFT_OUT_LISTED)
		snprintf(l->listed[l->parts], sizeof(l->listed[0]), "%s of %.80s (%s)",
			 budget_part_text(part), file, budget_end_text(end));
	l->parts++;
}

void left_out_note(struct left_out *l, const char *file, const struct budget *b)
{
	for (int part = 0; part < BUDGET_PARTS; part++) {
		enum budget_end end = budget_lost(b, (enum budget_part)part);

		if (end != BUDGET_OPEN && end != BUDGET_STOPPED)
			left_out_add(l, file, (enum budget_part)part, end);
	}
}

void left_out_text(const struct left_out *l, char *out, size_t size)
{
	u32 listed = l->parts < LEFT_OUT_LISTED ? l->parts : LEFT_OUT_LISTED;
	size_t used = 0;

	if (size)
		out[0] = '\0';
	for (u32 i = 0; i < listed && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
					 l->listed[i]);
	if (l->parts > listed && used < size)
		snprintf(out + used, size - used, " and %u more", l->parts - listed);
}
