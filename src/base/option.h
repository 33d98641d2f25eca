/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One option of a command as a row of a table: what it is called, what help says about it, and which
 * member of an options struct it sets. A row says the type of its value, so that most need no code.
 */
#ifndef CPROF_BASE_OPTION_H
#define CPROF_BASE_OPTION_H

#include "base/error.h"
#include "base/types.h"

enum option_type {
	OPTION_CUSTOM, /* set() does it */
	OPTION_ON, /* bool: becomes true */
	OPTION_OFF, /* bool: becomes false */
	OPTION_COUNT, /* u32: counts how often it is given */
	OPTION_TEXT, /* const char *: the argument itself; if min is 1, it may not be empty */
	OPTION_DURATION, /* u64: nanoseconds */
	OPTION_NUMBER, /* u32: from min to max */
	OPTION_BYTES, /* u64: from min to max, with k, M or G behind the digits */
	OPTION_CHOICE, /* an enum, as wide as an int: min for the first word of `value`, "auto|always" */
};

enum option_group { /* headings of help, in this order */
		    OPTION_GROUP_TARGET,
		    OPTION_GROUP_SAMPLING,
		    OPTION_GROUP_VIEW,
		    OPTION_GROUP_FILTER,
		    OPTION_GROUP_OUTPUT,
		    OPTION_GROUP_OTHER,
};

struct option_row {
	char letter; /* 0: none */
	const char *name; /* long form without its dashes */
	const char *value; /* what help calls its value; NULL: it takes none */
	const char *help;
	u32 verbs; /* bits of the commands that take it */
	enum option_group group;
	enum option_type type;
	size_t offset; /* of the member, in the options struct */
	u64 min, max; /* OPTION_NUMBER, OPTION_BYTES; min: OPTION_CHOICE, OPTION_TEXT */
	/* For messages: '"X" is not EXPECTS', and of a choice 'unknown EXPECTS "X"'. */
	const char *expects;
	int (*set)(void *options, const char *value, struct error *err); /* OPTION_CUSTOM */
};

#define OPTION_SHOWN 128 /* bytes of what the user typed that messages repeat */

/* Reads `value` (NULL where the row takes none) into the row's member. 0, or -EINVAL with a text. */
int option_set(const struct option_row *row, void *options, const char *value,
	       struct error *err) MUST_CHECK;

/* "5s", "500ms", "1.5m", "1h", plain seconds; false for anything else and for more than a year. */
bool duration_parse(const char *text, u64 *ns);

#endif
