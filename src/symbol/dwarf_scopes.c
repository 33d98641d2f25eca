/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the trees of DWARF for a batch of addresses: see dwarf_scopes.h. */
#include "symbol/dwarf_scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "symbol/dwarf_forms.h"
#include "symbol/dwarf_index.h"

#define MAX_DEPTH 512u /* levels of the tree, including blocks and namespaces */
/* The time that libdw takes for a DIE and a unit, in nanoseconds. */
#define DIE_STEPS 40
#define UNIT_STEPS 500

/*
 * Sets `marks` to `mark` for all addresses that the DIE's ranges cover. Returns their number, or
 * -E2BIG. `any` says whether the DIE has ranges.
 */
static long mark_ranges(struct dwarf_scopes *s, Dwarf_Die *die, u32 *marks, u32 mark, bool *any)
{
	struct die_ranges ranges;
	u64 start, end;
	long marked = 0;
	int more;

	*any = false;
	die_ranges_begin(&ranges, s->splits, s->budget, die);
	while ((more = die_ranges_next(&ranges, &start, &end)) > 0) {
		size_t i = sorted_from(s->vaddrs, s->n, start), first = i;

		*any = true;
		for (; i < s->n && s->vaddrs[i] < end; i++)
			marks[i] = mark;
		marked += (long)(i - first);
		if (i > first && !budget_take(s->budget, BUDGET_INFO, i - first))
			return -E2BIG;
	}
	return more < 0 ? more : marked;
}

static int walk(struct dwarf_scopes *s, Dwarf_Die *parent, u32 scope, u32 depth);

/* Visits a function or inlined function, which is kept and entered if it covers a wanted
 * address. */
static int visit_code(struct dwarf_scopes *s, Dwarf_Die *die, u32 parent, u32 depth)
{
	u32 number = (u32)s->scopes.len;
	struct dwarf_scope scope = {.die = *die, .parent = parent};
	bool any;
	long marked;

	if (parent != NO_SCOPE) {
		scope.depth = s->scopes.data[parent].depth + 1;
		if (scope.depth >= DWARF_MAX_INLINES)
			return 0;
	}
	marked = mark_ranges(s, die, s->scope_of, number, &any);
	if (marked < 0)
		return (int)marked;
	if (!marked)
		return !any && s->everywhere ? walk(s, die, NO_SCOPE, depth) : 0;
	/* Up to half of the vector may be unused. */
	if (!budget_reserve(s->budget, BUDGET_INFO, 2 * sizeof(scope)))
		return -E2BIG;
	return vec_push(&s->scopes, scope) ? -ENOMEM : walk(s, die, number, depth);
}

/* Returns 1, 0, or -E2BIG. */
static int covers_wanted(struct dwarf_scopes *s, Dwarf_Die *die)
{
	struct die_ranges ranges;
	u64 start, end;
	bool any = false;
	int more;

	die_ranges_begin(&ranges, s->splits, s->budget, die);
	while ((more = die_ranges_next(&ranges, &start, &end)) > 0) {
		size_t i = sorted_from(s->vaddrs, s->n, start);

		any = true;
		if (i < s->n && s->vaddrs[i] < end)
			return 1;
	}
	return more < 0 ? more : !any; /* without its own ranges it is as wide as its parent */
}

static int visit_block(struct dwarf_scopes *s, Dwarf_Die *die, u32 scope, u32 depth)
{
	int covers = s->everywhere ? 1 : scope == NO_SCOPE ? 0 : covers_wanted(s, die);

	return covers > 0 ? walk(s, die, scope, depth) : covers;
}

static int visit(struct dwarf_scopes *s, Dwarf_Die *die, u32 scope, u32 depth)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		return visit_code(s, die, NO_SCOPE, depth);
	case DW_TAG_inlined_subroutine:
		return scope == NO_SCOPE ? 0 : visit_code(s, die, scope, depth);
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		return visit_block(s, die, scope, depth);
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return scope == NO_SCOPE || s->everywhere ? walk(s, die, NO_SCOPE, depth) : 0;
	default:
		return 0;
	}
}

static int walk(struct dwarf_scopes *s, Dwarf_Die *parent, u32 scope, u32 depth)
{
	Dwarf_Off before = dwarf_dieoffset(parent);
	Dwarf_Die die;

	if (depth >= MAX_DEPTH || dwarf_child(parent, &die))
		return 0;
	do {
		Dwarf_Off off = dwarf_dieoffset(&die);
		int err;

		/*
		 * DW_AT_sibling may point anywhere. Only forward steps are sure to end, and they
		 * see each DIE once.
		 */
		if (off <= s->last)
			return 0;
		/* To find the sibling, libdw has read all DIEs in between. */
		if (!budget_look(s->budget, BUDGET_INFO, DIE_STEPS + (off - before)))
			return -E2BIG;
		s->last = off;
		before = off;
		err = visit(s, &die, scope, depth + 1);
		if (err)
			return err;
	} while (!dwarf_siblingof(&die, &die));
	return 0;
}

/* ---- the units ------------------------------------------------------------------------------- */

/* Sorts the addresses by their units with a counting sort. */
static int order_by_unit(struct dwarf_scopes *s)
{
	size_t sum = 0, *next = calloc(s->units.len + 1, sizeof(*next));

	s->by_unit = malloc(s->n * sizeof(*s->by_unit));
	if (!next || !s->by_unit) {
		free(next);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->unit_of[i] != NO_UNIT)
			next[s->unit_of[i]]++;
	}
	for (size_t u = 0; u < s->units.len; u++) {
		s->units.data[u].first = sum;
		sum += next[u];
		next[u] = s->units.data[u].first;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->unit_of[i] != NO_UNIT)
			s->by_unit[next[s->unit_of[i]]++] = (u32)i;
	}
	s->with_unit = sum;
	free(next);
	return 0;
}

/* Lists the units and finds out which unit each address belongs to. */
static int list_units(struct dwarf_scopes *s, Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;
	int end;

	while (!(end = dwarf_get_units(dwarf, cu, &cu, &version, &type, &die, NULL))) {
		struct dwarf_unit u = {.die = die, .split = NO_SPLIT};
		long marked;

		if (!budget_look(s->budget, BUDGET_INFO, UNIT_STEPS) ||
		    !budget_reserve(s->budget, BUDGET_INFO, 2 * sizeof(u)))
			return -E2BIG;
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		marked = mark_ranges(s, &die, s->unit_of, (u32)s->units.len, &u.has_ranges);
		if (marked < 0)
			return (int)marked;
		if (vec_push(&s->units, u))
			return -ENOMEM;
	}
	s->damaged = end < 0;
	return order_by_unit(s);
}

static size_t unit_end(const struct dwarf_scopes *s, size_t unit)
{
	return unit + 1 < s->units.len ? s->units.data[unit + 1].first : s->with_unit;
}

static bool unit_is_unresolved(const struct dwarf_scopes *s, size_t unit)
{
	for (size_t i = s->units.data[unit].first; i < unit_end(s, unit); i++) {
		if (s->scope_of[s->by_unit[i]] == NO_SCOPE)
			return true;
	}
	return false;
}

/*
 * Looks for the split units of skeletons with addresses. Those of skeletons that do not say where
 * their code is are only needed if there are addresses left over.
 */
static int open_splits(struct dwarf_scopes *s)
{
	int err = 0;

	for (size_t i = 0; s->splits && i < s->units.len && !err; i++) {
		struct dwarf_unit *u = &s->units.data[i];

		if (u->has_ranges ? u->first < unit_end(s, i) : s->with_unit < s->n)
			err = split_units_add(s->splits, &u->die, &u->split);
	}
	return err || !s->splits ? err : split_units_open(s->splits);
}

static int walk_unit(struct dwarf_scopes *s, struct dwarf_unit *u)
{
	const struct split_unit *split = split_units_at(s->splits, u->split);
	Dwarf_Die root = split ? split->die : u->die;

	s->last = dwarf_dieoffset(&root);
	return walk(s, &root, NO_SCOPE, 0);
}

/*
 * Methods of local classes may be inside types and abstract functions, which are entered only for
 * units with addresses left over.
 */
static int walk_wanted_unit(struct dwarf_scopes *s, size_t unit)
{
	struct dwarf_unit *u = &s->units.data[unit];
	int err = walk_unit(s, u);

	if (err || !unit_is_unresolved(s, unit))
		return err;
	s->everywhere = true;
	err = walk_unit(s, u);
	s->everywhere = false;
	return err;
}

/* Results from a part of a unit's tree may lack inlined functions. */
static void forget_units(struct dwarf_scopes *s, size_t from)
{
	size_t first = from < s->units.len ? s->units.data[from].first : s->with_unit;

	for (size_t i = first; i < s->with_unit; i++)
		s->unit_of[s->by_unit[i]] = NO_UNIT;
	for (size_t i = 0; i < s->n; i++) {
		if (s->unit_of[i] == NO_UNIT)
			s->scope_of[i] = NO_SCOPE;
	}
}

/*
 * Walks the units that give the ranges of their code, and then the few that do not. If the budget
 * runs out, the units that were walked completely are kept.
 */
static int walk_units(struct dwarf_scopes *s)
{
	size_t walked = 0;
	int err = 0;

	while (walked < s->units.len && !err) {
		if (s->units.data[walked].first < unit_end(s, walked))
			err = walk_wanted_unit(s, walked);
		walked += !err;
	}
	for (size_t u = 0; u < s->units.len && !err && s->with_unit < s->n; u++) {
		if (!s->units.data[u].has_ranges)
			err = walk_unit(s, &s->units.data[u]);
	}
	if (err != -E2BIG)
		return err;
	forget_units(s, walked);
	return 0;
}

bool dwarf_scopes_unit(const struct dwarf_scopes *s, size_t which, Dwarf_Die *unit)
{
	u32 scope = s->scope_of[which];
	const struct split_unit *split;

	if (scope != NO_SCOPE) {
		split = split_unit_of(s->splits, s->scopes.data[scope].die.cu);
		if (split)
			*unit = split->skeleton;
		return split || dwarf_diecu(&s->scopes.data[scope].die, unit, NULL, NULL);
	}
	if (s->unit_of[which] == NO_UNIT)
		return false;
	*unit = s->units.data[s->unit_of[which]].die;
	return true;
}

int dwarf_scopes_init(struct dwarf_scopes *s, Dwarf *dwarf, struct split_units *splits,
		      struct budget *budget, const u64 *vaddrs, size_t n)
{
	int err;

	*s = (struct dwarf_scopes){.budget = budget, .splits = splits, .vaddrs = vaddrs, .n = n};
	s->scope_of = malloc(n * sizeof(*s->scope_of));
	s->unit_of = malloc(n * sizeof(*s->unit_of));
	if (!s->scope_of || !s->unit_of)
		return -ENOMEM;
	memset(s->scope_of, 0xff, n * sizeof(*s->scope_of));
	memset(s->unit_of, 0xff, n * sizeof(*s->unit_of));
	err = list_units(s, dwarf);
	if (!err)
		err = open_splits(s);
	return err ? err : walk_units(s);
}

void dwarf_scopes_release(struct dwarf_scopes *s)
{
	vec_release(&s->scopes);
	vec_release(&s->units);
	free(s->scope_of);
	free(s->unit_of);
	free(s->by_unit);
}
