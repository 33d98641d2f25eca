/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles expressions that are not too large: see expression.h. */
#include "view/expression.h"

#include <stdlib.h>
#include <string.h>

/* Returns the largest number of an "{m,n}", and 1 for a brace that is not a count. */
static u64 count_at(const char *brace)
{
	u64 largest = 1;
	char *end;

	for (const char *at = brace + 1; *at >= '0' && *at <= '9'; at = end + 1) {
		u64 number = strtoull(at, &end, 10);

		largest = number > largest ? number : largest;
		if (*end != ',')
			break;
	}
	return largest;
}

static bool is_too_large(const char *text)
{
	u64 repeats = 1;

	if (strlen(text) > EXPRESSION_MAX)
		return true;
	for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
		u64 count = count_at(at);

		if (count > EXPRESSION_REPEATS_MAX / repeats)
			return true;
		repeats *= count;
	}
	return false;
}

int expression_compile(regex_t *out, const char *text)
{
	return is_too_large(text) ? REG_ESPACE : regcomp(out, text, REG_EXTENDED | REG_NOSUB);
}
