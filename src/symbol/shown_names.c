/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps demangled names by their linkage names: see shown_names.h. */
#include "symbol/shown_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "symbol/demangler.h"

struct shown_name {
	char *raw, *shown; /* `shown` is NULL if it equals `raw` */
	UT_hash_handle hh;
};

struct shown_names {
	struct shown_name *table;
	struct demangler *demangler;
};

int shown_names_new(struct shown_names **out)
{
	struct shown_names *names = calloc(1, sizeof(*names));
	int err = names ? demangler_new(&names->demangler) : -ENOMEM;

	if (err) {
		free(names);
		return err;
	}
	*out = names;
	return 0;
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
	demangler_free(names->demangler);
	free(names);
}

static struct shown_name *name_add(struct shown_names *names, struct budget *budget,
				   const char *raw)
{
	struct shown_name *n = calloc(1, sizeof(*n));
	bool gave_up;

	if (!n)
		return NULL;
	n->raw = strdup(raw);
	if (n->raw)
		HASH_ADD_KEYPTR(hh, names->table, n->raw, strlen(n->raw), n);
	if (!n->raw || !HASH_ADDED(n)) {
		name_free(n);
		return NULL;
	}
	n->shown = demangler_name(names->demangler, raw, &gave_up);
	if (gave_up)
		budget_lose(budget, BUDGET_NAMES, BUDGET_TIME);
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
		n = name_add(names, budget, raw);
	}
	return n && n->shown ? n->shown : raw;
}

struct helper_cost shown_names_cost(struct shown_names *names)
{
	return demangler_end(names->demangler);
}
