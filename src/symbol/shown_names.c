/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps demangled names by their linkage names: see shown_names.h. */
#include "symbol/shown_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "symbol/demangle.h"

struct shown_name {
	char *raw, *shown; /* `shown` is NULL if it equals `raw` */
	UT_hash_handle hh;
};

struct shown_names {
	struct shown_name *table;
};

int shown_names_new(struct shown_names **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void name_free(struct shown_name *n)
{
	free(n->raw);
	free(n->shown);
	free(n);
}

void shown_names_free(struct shown_names *names)
{
	struct shown_name *n, *next;

	if (!names)
		return;
	HASH_ITER(hh, names->table, n, next) {
		HASH_DEL(names->table, n);
		name_free(n);
	}
	free(names);
}

static struct shown_name *name_add(struct shown_names *names, const char *raw)
{
	struct shown_name *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->raw = strdup(raw);
	if (n->raw)
		HASH_ADD_KEYPTR(hh, names->table, n->raw, strlen(n->raw), n);
	if (!n->raw || !HASH_ADDED(n)) {
		name_free(n);
		return NULL;
	}
	n->shown = demangle_name(raw);
	return n;
}

const char *shown_names_get(struct shown_names *names, struct budget *budget, const char *raw)
{
	struct shown_name *n;

	HASH_FIND_STR(names->table, raw, n);
	if (!n) {
		/* The profile keeps both the shown name and the raw one. */
		if (!budget_reserve(budget, BUDGET_NAMES, sizeof(*n) + 4 * strlen(raw)))
			return NULL;
		n = name_add(names, raw);
	}
	return n && n->shown ? n->shown : raw;
}
