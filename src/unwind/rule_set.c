/* SPDX-License-Identifier: Apache-2.0 */
/* The numbered rules that all modules of a session share, found again through an open-addressed
 * hash. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/rows.h"

struct rule_set {
	struct unwind_rule *rules; /* owned by the caller */
	u32 capacity, len;
	u32 limit; /* the present maximum, see rule_set_allow() */
	u64 overflows;
	u32 mask;
	u16 *slots; /* rule number; 0 if free, because rule 0 is never looked up through a slot */
};

_Static_assert(UNWIND_MAX_RULES <= 1u << 16, "a rule number fits a slot");

static u32 rule_hash(const struct unwind_rule *rule)
{
	u64 parts[2], h;

	memcpy(parts, rule, sizeof(parts));
	h = (parts[0] ^ (parts[1] * 0x9e3779b97f4a7c15ull)) * 0xd6e8feb86659fd93ull;
	return (u32)(h >> 32);
}

static void rule_set_preset(struct rule_set *set)
{
	static const struct unwind_rule fixed[UNWIND_RULE_FIRST_FREE] = {
		[UNWIND_RULE_NONE] = {.cfa = UNWIND_CFA_NONE},
		[UNWIND_RULE_STOP] = {.cfa = UNWIND_CFA_STOP},
		[UNWIND_RULE_CHAIN] = {.cfa = UNWIND_CFA_CHAIN},
		[UNWIND_RULE_LATER] = {.cfa = UNWIND_CFA_LATER},
	};

	set->rules[UNWIND_RULE_NONE] = fixed[UNWIND_RULE_NONE];
	set->len = 1;
	for (u32 i = 1; i < UNWIND_RULE_FIRST_FREE; i++)
		rule_set_number(set, &fixed[i]);
}

int rule_set_new(struct unwind_rule *rules, u32 capacity, struct rule_set **out)
{
	struct rule_set *set;
	u32 slots = 8;

	if (capacity < UNWIND_RULE_FIRST_FREE || capacity > UNWIND_MAX_RULES)
		return -EINVAL;
	while (slots < capacity * 2)
		slots *= 2;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	set->slots = calloc(slots, sizeof(*set->slots));
	if (!set->slots) {
		free(set);
		return -ENOMEM;
	}
	set->rules = rules;
	set->capacity = set->limit = capacity;
	set->mask = slots - 1;
	rule_set_preset(set);
	*out = set;
	return 0;
}

void rule_set_free(struct rule_set *set)
{
	if (!set)
		return;
	free(set->slots);
	free(set);
}

u32 rule_set_len(const struct rule_set *set)
{
	return set->len;
}

u64 rule_set_overflows(const struct rule_set *set)
{
	return set->overflows;
}

void rule_set_allow(struct rule_set *set, u32 n)
{
	set->limit = n < set->capacity - set->len ? set->len + n : set->capacity;
}

u32 rule_set_number(struct rule_set *set, const struct unwind_rule *rule)
{
	u32 slot = rule_hash(rule) & set->mask;

	if (rule->cfa == UNWIND_CFA_NONE)
		return UNWIND_RULE_NONE;
	while (set->slots[slot]) {
		u32 number = set->slots[slot];

		if (!memcmp(&set->rules[number], rule, sizeof(*rule)))
			return number;
		slot = (slot + 1) & set->mask;
	}
	if (set->len >= set->limit) {
		set->overflows++;
		return UNWIND_RULE_NONE;
	}
	set->rules[set->len] = *rule;
	set->slots[slot] = (u16)set->len;
	return set->len++;
}

/* Few rules are in use by many rows, so each rule is looked up once. */
struct renumbering {
	const struct unwind_rule *rules;
	u32 nrules;
	struct rule_set *set;
	u16 numbers[UNWIND_MAX_RULES]; /* 0 if not looked up yet, or if it is UNWIND_RULE_NONE */
};

static u16 new_number(struct renumbering *r, u32 old)
{
	if (old >= r->nrules)
		return UNWIND_RULE_NONE;
	if (!r->numbers[old])
		r->numbers[old] = (u16)rule_set_number(r->set, &r->rules[old]);
	return r->numbers[old];
}

int rows_renumber(struct rows *rows, const struct unwind_rule *rules, u32 nrules,
		  struct rule_set *set)
{
	struct renumbering *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->rules = rules;
	r->nrules = nrules;
	r->set = set;
	for (u32 i = 0; i < rows->nwords; i++)
		rows->words[i] = UNWIND_ROW(rows->words[i] >> 16,
					    new_number(r, UNWIND_ROW_RULE(rows->words[i])));
	for (u32 i = 0; i < rows->nblocks; i++)
		rows->blocks[i].rule = new_number(r, rows->blocks[i].rule);
	free(r);
	return 0;
}
