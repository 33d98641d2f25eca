/* SPDX-License-Identifier: Apache-2.0 */
/* Computes the optimal string alignment distance: see nearest.h. */
#include "nearest.h"

#include <string.h>

#define WORD_MAX 32 /* longer words are cut, because only near ones matter */

static u32 min(u32 a, u32 b)
{
	return a < b ? a : b;
}

u32 word_distance(const char *a, const char *b)
{
	u32 d[WORD_MAX + 1][WORD_MAX + 1];
	size_t na = strnlen(a, WORD_MAX), nb = strnlen(b, WORD_MAX);

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (u32)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (u32)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			u32 replace = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = min(replace, min(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[na][nb];
}

bool word_is_near(const char *typed, u32 distance)
{
	return distance <= 1 + strlen(typed) / 4;
}
