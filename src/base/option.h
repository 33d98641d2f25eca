/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One option of a command as a row of a table: its name, its help text, and the member of an
 * options struct that it sets. The row gives the type of the value, so most options need no code.
 */
#ifndef CPROF_BASE_OPTION_H
#define CPROF_BASE_OPTION_H

#include "base/error.h"
#include "base/types.h"

enum option_type {
	OPTION_CUSTOM, /* set() handles it */
	OPTION_ON, /* bool: becomes true */
	OPTION_OFF, /* bool: becomes false */
	OPTION_COUNT, /* u32: counts how often it is given */
	OPTION_TEXT, /* const char *: the argument itself, which may not be empty if min is 1 */
	OPTION_DURATION, /* u64: nanoseconds */
	OPTION_NUMBER, /* u32: from min to max */
	OPTION_BYTES, /* u64: from min to max, with k, M or G after the digits */
	/* an enum, as wide as an int: the first word of `value` ("auto|always") sets it to min */
	OPTION_CHOICE,
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
	char letter; /* 0 if it has no short form */
	const char *name; /* the long form without its dashes */
	const char *value; /* what help calls its value; NULL if it takes none */
	const char *help;
	u32 verbs; /* bits of the commands that accept it; 0 in a table of one kind of profile */
	enum option_group group;
	enum option_type type;
	size_t offset; /* offset of the member in the options struct */
	/* used by OPTION_NUMBER and OPTION_BYTES; min also by OPTION_CHOICE and OPTION_TEXT */
	u64 min, max;
	/* This fills messages: '"X" is not EXPECTS', and for a choice 'unknown EXPECTS "X"'. */
	const char *expects;
	int (*set)(void *options, const char *value, struct error *err); /* for OPTION_CUSTOM */
	/*
	 * For a value out of a list: returns the value at this index and sets what help says about
	 * it, which may be "". NULL ends the list.
	 */
	const char *(*value_at)(u32 index, const char **summary);
	/* printed above that list in help; NULL if help leaves the list out */
	const char *values_title;
};

/* The end of a row says which member of `struct_` it sets, and from what. */
#define ROW_MEMBER(type_, struct_, member_) \
	.type = OPTION_##type_, .offset = offsetof(struct_, member_)
#define ROW_TEXT(struct_, member_, needs_) \
	ROW_MEMBER(TEXT, struct_, member_), .min = 1, .expects = (needs_)
#define ROW_DURATION(struct_, member_, what_) \
	ROW_MEMBER(DURATION, struct_, member_), .expects = (what_)
#define ROW_NUMBER(struct_, member_, min_, max_, what_) \
	ROW_MEMBER(NUMBER, struct_, member_), .min = (min_), .max = (max_), .expects = (what_)
#define ROW_BYTES(struct_, member_, min_, max_, what_) \
	ROW_MEMBER(BYTES, struct_, member_), .min = (min_), .max = (max_), .expects = (what_)
#define ROW_CHOICE(struct_, member_, first_, what_) \
	ROW_MEMBER(CHOICE, struct_, member_), .min = (first_), .expects = (what_)

#define OPTION_SHOWN 128 /* how many bytes of the user's input are repeated in messages */

/* Parses `value` (NULL if the row takes none) into the row's member. Returns 0, or -EINVAL with a
 * text. */
int option_set(const struct option_row *row, void *options, const char *value,
	       struct error *err) MUST_CHECK;

/* Parses "5s", "500ms", "1.5m", "1h" or plain seconds. It returns false for anything else and for
 * more than a year. */
bool duration_parse(const char *text, u64 *ns);

#endif
