/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds full names of C++ functions: see dwarf_qualify.h.
 *
 * libdw does not know the parents of a DIE. DIEs are in the file in preorder, so the parents of one
 * are the namespaces and classes whose range of offsets contains it. Those of each unit are listed
 * once.
 */
#include "symbol/dwarf_qualify.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"
#include "base/vec.h"
#include "symbol/dwarf_forms.h"

#define MAX_DEPTH 64u
#define MAX_REFERENCES 8 /* limits an origin of an origin ...; real chains have two */
#define MAX_NAME 65536u
#define DIE_STEPS 120
#define NO_PARENT UINT32_MAX

struct container {
	Dwarf_Off start, end;
	u32 parent;
	const char *name; /* borrowed from libdw; NULL if it has none */
	bool is_namespace;
};

struct unit_containers {
	Dwarf_CU *unit;
	bool is_cxx;
	VEC(struct container) list; /* by start */
	UT_hash_handle hh;
};

struct dwarf_qualifier {
	struct unit_containers *units;
	VEC(char *) names;
	struct budget *budget;
	const struct split_units *splits;
};

int dwarf_qualifier_new(struct budget *budget, const struct split_units *splits,
			struct dwarf_qualifier **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->budget = budget;
	(*out)->splits = splits;
	return 0;
}

void dwarf_qualifier_free(struct dwarf_qualifier *q)
{
	struct unit_containers *u, *next;

	if (!q)
		return;
	HASH_ITER(hh, q->units, u, next) {
		HASH_DEL(q->units, u);
		vec_release(&u->list);
		free(u);
	}
	vec_for_each(&q->names, name)
		free(*name);
	vec_release(&q->names);
	free(q);
}

static bool is_container(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

static int list_containers(struct dwarf_qualifier *q, struct unit_containers *u, Dwarf_Die *parent,
			   u32 parent_index, Dwarf_Off end, u32 depth)
{
	Dwarf_Die die, next;
	int more;

	if (depth >= MAX_DEPTH || dwarf_child(parent, &die))
		return 0;
	do {
		Dwarf_Off start = dwarf_dieoffset(&die), upto = end;
		int tag = dwarf_tag(&die), err;

		more = dwarf_siblingof(&die, &next);
		if (!more)
			upto = dwarf_dieoffset(&next);
		/* DW_AT_sibling may point anywhere, so only forward steps are sure to end. */
		if (upto <= start ||
		    !budget_look(q->budget, BUDGET_INFO, DIE_STEPS + (more ? 0 : upto - start)))
			return 0;
		if (is_container(tag)) {
			struct container c = {.start = start,
					      .end = upto,
					      .parent = parent_index,
					      .name = dwarf_forms_text(q->splits, &die, DW_AT_name),
					      .is_namespace = tag == DW_TAG_namespace};

			/* Up to half of the vector may be unused. */
			if (!budget_reserve(q->budget, BUDGET_INFO, 2 * sizeof(c)) ||
			    vec_push(&u->list, c))
				return -ENOMEM;
			err = list_containers(q, u, &die, (u32)u->list.len - 1, upto, depth + 1);
			if (err)
				return err;
		}
		die = next;
	} while (!more);
	return 0;
}

static bool is_cxx(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case 0x2b: /* from C++17 and C++20, newer than elfutils 0.188 */
	case 0x2c:
		return true;
	default:
		return false;
	}
}

static struct unit_containers *containers_of(struct dwarf_qualifier *q, Dwarf_Die *unit)
{
	Dwarf_CU *key = unit->cu;
	struct unit_containers *u;

	HASH_FIND(hh, q->units, &key, sizeof(key), u);
	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->unit = key;
	u->is_cxx = is_cxx(unit);
	HASH_ADD(hh, q->units, unit, sizeof(u->unit), u);
	if (!HASH_ADDED(u)) {
		free(u);
		return NULL;
	}
	if (u->is_cxx)
		list_containers(q, u, unit, NO_PARENT, UINT64_MAX, 0);
	return u;
}

/* Inlined and out-of-line copies refer to the abstract function, which refers to its declaration in
 * a class. */
static void follow_to_declaration(const struct split_units *splits, Dwarf_Die *die)
{
	Dwarf_Die to;

	for (int i = 0; i < MAX_REFERENCES && dwarf_forms_follow(splits, die, &to); i++)
		*die = to;
}

static u32 innermost(const struct unit_containers *u, Dwarf_Off off)
{
	size_t after = sorted_from_by(u->list.data, u->list.len, start, off);
	u32 at;

	if (!after)
		return NO_PARENT;
	at = (u32)after - 1;
	while (at != NO_PARENT && off >= u->list.data[at].end)
		at = u->list.data[at].parent;
	return at;
}

/* The outermost one comes first. The chain is short, so it is followed again for each part. */
static bool append_containers(const struct unit_containers *u, u32 at, char *out, size_t size)
{
	const struct container *c;
	const char *name;
	size_t used;

	if (at == NO_PARENT)
		return true;
	c = &u->list.data[at];
	if (!append_containers(u, c->parent, out, size))
		return false;
	name = c->name ? c->name : c->is_namespace ? "(anonymous namespace)" : NULL;
	if (!name)
		return true;
	used = strlen(out);
	return snprintf(out + used, size - used, "%s::", name) < (int)(size - used);
}

const char *dwarf_qualify(struct dwarf_qualifier *q, Dwarf_Die *function, const char *name)
{
	char full[MAX_NAME];
	struct unit_containers *u;
	Dwarf_Die die = *function, unit;
	char *copy;
	size_t used;
	u32 at;

	full[0] = '\0';
	follow_to_declaration(q->splits, &die);
	if (!dwarf_diecu(&die, &unit, NULL, NULL))
		return NULL;
	u = containers_of(q, &unit);
	at = u ? innermost(u, dwarf_dieoffset(&die)) : NO_PARENT;
	if (at == NO_PARENT || !append_containers(u, at, full, sizeof(full)))
		return NULL;
	used = strlen(full);
	if (snprintf(full + used, sizeof(full) - used, "%s", name) >= (int)(sizeof(full) - used))
		return NULL;
	copy = strdup(full);
	if (copy && vec_push(&q->names, copy)) {
		free(copy);
		return NULL;
	}
	return copy;
}
