/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the values of options: see option.h. */
#include "base/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_DURATION_NS (366ull * 24 * 3600 * 1000000000)

/* ---- what the user typed ---- */

/* Takes only digits, up to the value `max`, and steps past them. */
static bool take_digits(const char **text, u64 max, u64 *out)
{
	const char *c = *text;
	u64 value = 0;

	for (; isdigit((unsigned char)*c); c++) {
		if (__builtin_mul_overflow(value, (u64)10, &value) ||
		    __builtin_add_overflow(value, (u64)(*c - '0'), &value) || value > max)
			return false;
	}
	if (c == *text)
		return false;
	*text = c;
	*out = value;
	return true;
}

struct unit {
	const char *name;
	u64 factor;
};

static const struct unit *unit_by_name(const struct unit *units, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(units[i].name, name))
			return &units[i];
	}
	return NULL;
}

/* Reads the digits after the point, such as ".25", as `*fraction` / `*scale`. Without a point it
 * gives 0 / 1. */
static bool take_fraction(const char **text, u64 *fraction, u64 *scale)
{
	const char *start;

	*fraction = 0;
	*scale = 1;
	if (**text != '.')
		return true;
	start = ++*text;
	if (!take_digits(text, 999999, fraction))
		return false;
	for (; start < *text && *scale <= 1000000; start++)
		*scale *= 10;
	return *scale <= 1000000;
}

bool duration_parse(const char *text, u64 *ns)
{
	static const struct unit units[] = {
		{"", 1000000000},   {"ms", 1000000},      {"s", 1000000000},
		{"m", 60000000000}, {"h", 3600000000000},
	};
	u64 whole, fraction, scale, value;
	const struct unit *unit;

	if (!take_digits(&text, MAX_DURATION_NS, &whole) ||
	    !take_fraction(&text, &fraction, &scale))
		return false;
	unit = unit_by_name(units, ARRAY_LEN(units), text);
	if (!unit || __builtin_mul_overflow(whole, unit->factor, &value) || value > MAX_DURATION_NS)
		return false;
	*ns = value + fraction * unit->factor / scale;
	return true;
}

static bool bytes_parse(const char *text, u64 max, u64 *bytes)
{
	static const struct unit units[] = {
		{"", 1},        {"k", 1 << 10}, {"K", 1 << 10}, {"m", 1 << 20},
		{"M", 1 << 20}, {"g", 1 << 30}, {"G", 1 << 30},
	};
	const struct unit *unit;
	u64 number;

	if (!take_digits(&text, max, &number))
		return false;
	unit = unit_by_name(units, ARRAY_LEN(units), text);
	if (!unit || number > max / unit->factor)
		return false;
	*bytes = number * unit->factor;
	return true;
}

/* Returns the position of `word` in "one|two|three", or -1 if it is not there. */
static int choice_of(const char *choices, const char *word)
{
	for (int i = 0;; i++) {
		size_t len = strcspn(choices, "|");

		if (strlen(word) == len && !strncmp(choices, word, len))
			return i;
		if (!choices[len])
			return -1;
		choices += len + 1;
	}
}

/* ---- members ---- */

static int misfit(const struct option_row *row, const char *value, struct error *err)
{
	return error_set(err, -EINVAL, "\"%.*s\" is not %s", OPTION_SHOWN, value, row->expects);
}

static int set_text(const struct option_row *row, void *member, const char *value,
		    struct error *err)
{
	if (!*value && row->min)
		return error_set(err, -EINVAL, "%s", row->expects);
	*(const char **)member = value;
	return 0;
}

static int set_number(const struct option_row *row, void *member, const char *value,
		      struct error *err)
{
	const char *end = value;
	u64 number;

	if (!take_digits(&end, row->max, &number) || *end || number < row->min)
		return misfit(row, value, err);
	*(u32 *)member = (u32)number;
	return 0;
}

static int set_bytes(const struct option_row *row, void *member, const char *value,
		     struct error *err)
{
	u64 bytes;

	if (!bytes_parse(value, row->max, &bytes) || bytes < row->min)
		return misfit(row, value, err);
	*(u64 *)member = bytes;
	return 0;
}

static int set_choice(const struct option_row *row, void *member, const char *value,
		      struct error *err)
{
	int choice = choice_of(row->value, value);
	char names[128];

	if (choice >= 0) {
		*(int *)member = (int)row->min + choice;
		return 0;
	}
	names[0] = '\0';
	for (const char *c = row->value; *c; c += strcspn(c, "|"), c += *c == '|')
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s",
			 names[0] ? ", " : "", (int)strcspn(c, "|"), c);
	return error_set(err, -EINVAL, "unknown %s \"%.*s\": one of %s", row->expects, OPTION_SHOWN,
			 value, names);
}

int option_set(const struct option_row *row, void *options, const char *value, struct error *err)
{
	void *member = (char *)options + row->offset;

	switch (row->type) {
	case OPTION_CUSTOM:
		return row->set(options, value, err);
	case OPTION_ON:
	case OPTION_OFF:
		*(bool *)member = row->type == OPTION_ON;
		return 0;
	case OPTION_COUNT:
		++*(u32 *)member;
		return 0;
	case OPTION_TEXT:
		return set_text(row, member, value, err);
	case OPTION_DURATION:
		return duration_parse(value, member) ? 0 : misfit(row, value, err);
	case OPTION_NUMBER:
		return set_number(row, member, value, err);
	case OPTION_BYTES:
		return set_bytes(row, member, value, err);
	case OPTION_CHOICE:
		return set_choice(row, member, value, err);
	}
	return -EINVAL;
}
