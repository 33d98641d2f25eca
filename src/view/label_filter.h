/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selects samples by their labels:
 *
 *   KEY           samples with this label
 *   KEY=PATTERN   the whole value matches: equal, or by the wildcards of file names (`*`, `?`,
 *                 `[...]`), or as a regular expression for all of it
 *   KEY~RE        a regular expression is found in the value
 *
 * Numbers are compared as text, without their unit.
 */
#ifndef CPROF_VIEW_LABEL_FILTER_H
#define CPROF_VIEW_LABEL_FILTER_H

#include <regex.h>

#include "base/error.h"
#include "profile/profile.h"

struct label_filter {
	const struct profile *p;
	string_id key; /* UINT32_MAX if the profile has no such key */
	const char *pattern; /* NULL for any value; borrowed */
	bool found_anywhere;
	bool has_regex;
	regex_t regex;
	u8 *known; /* of each string: 0 not tried, 1 no, 2 yes */
};

/* `text` is borrowed. */
int label_filter_init(struct label_filter *f, const struct profile *p, const char *text,
		      struct error *err) MUST_CHECK;
void label_filter_release(struct label_filter *f);
bool label_filter_matches(const struct label_filter *f, const struct profile_sample *s);

#endif
