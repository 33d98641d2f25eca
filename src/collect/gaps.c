/* SPDX-License-Identifier: Apache-2.0 */
/* Records what a profile lacks: see gaps.h. */
#include "collect/gaps.h"

void gaps_note(struct gaps *g, enum gap which, int code)
{
	if (!code)
		return;
	if (!g->of[which].times++)
		g->of[which].code = code;
}

void gaps_add(struct gaps *g, const struct gaps *more)
{
	for (u32 i = 0; i < GAP_COUNT; i++) {
		if (!g->of[i].times)
			g->of[i].code = more->of[i].code;
		g->of[i].times += more->of[i].times;
	}
}

const char *gap_text(enum gap which)
{
#define GAP_TEXT_(name, text) [name] = text,
	static const char *const texts[] = {GAPS(GAP_TEXT_)};
#undef GAP_TEXT_

	return texts[which];
}
