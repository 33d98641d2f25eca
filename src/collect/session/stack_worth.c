/* SPDX-License-Identifier: Apache-2.0 */
/* Says what stacks, and the labels of their entries, are worth before rare ones are merged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/session/stack_store_impl.h"
#include "profile/id_table.h"

#define FLOAT_ONE 0x3f800000u
#define STEP_BITS 20u
#define STEPS 1024u /* more than there are from 1 to the largest float */
#define LABEL_SLOTS (1u << 16)

int stack_worth_reserve(struct stack_store *s)
{
	s->label_worth = calloc((size_t)STACK_LEVELS * LABEL_SLOTS, sizeof(*s->label_worth));
	return s->label_worth ? 0 : -ENOMEM;
}

double stack_worth_of(const struct stack_store *s, const struct stack_entry *e)
{
	if (s->kind.worth)
		return s->kind.worth(s->kind.arg, &e->key, &e->count);
	return (double)(e->count.weight ? e->count.weight : e->count.samples);
}

struct sample_key stack_worth_labels(const struct stack_store *s, const struct sample_key *key,
				     u32 level)
{
	struct sample_key labels = {.stack = 0};

	if (level == 0) {
		labels.tid = key->tid;
		labels.cpu = key->cpu;
	}
	if (level <= 1 && !s->kind.chained)
		labels.object = key->object;
	if (level <= 2)
		labels.tgid = key->tgid;
	return labels;
}

/* Labels that share a slot may appear to be worth more than they are, but never less. */
static float *label_slot(struct stack_store *s, const struct sample_key *key, u32 level)
{
	struct sample_key labels = stack_worth_labels(s, key, level);
	u64 hash = hash_bytes(s->tree.seed, &labels, sizeof(labels));

	return &s->label_worth[level * LABEL_SLOTS + (hash & (LABEL_SLOTS - 1))];
}

u32 stack_worth_level(struct stack_store *s, const struct stack_entry *e, float least)
{
	u32 level = 0;

	while (level < STACK_LEVELS && *label_slot(s, &e->key, level) < least)
		level++;
	return level;
}

void stack_worth_sum(struct stack_store *s)
{
	struct stack_tree *t = &s->tree;

	for (size_t i = 0; i < t->nodes.len; i++)
		t->side.data[i].worth = 0;
	memset(s->label_worth, 0, sizeof(float) * STACK_LEVELS * LABEL_SLOTS);
	for (size_t i = 0; i < s->entries.len; i++) {
		const struct stack_entry *e = &s->entries.data[i];

		t->side.data[e->node].worth += s->worth.data[i];
		if (e->waker != TREE_ROOT)
			t->side.data[e->waker].worth += s->worth.data[i];
		for (u32 level = 0; level < STACK_LEVELS; level++)
			*label_slot(s, &e->key, level) += s->worth.data[i];
	}
	stack_tree_sum(t);
}

/* There are eight steps between powers of two: the first bits of a float from 1 on (IEEE 754). */
static u32 step_of(float worth)
{
	u32 bits;

	if (!(worth >= 1))
		return 0;
	memcpy(&bits, &worth, sizeof(bits));
	return (bits >> STEP_BITS) - (FLOAT_ONE >> STEP_BITS);
}

/* Returns the least value of a step. */
static float worth_at(u32 step)
{
	u32 bits = (step << STEP_BITS) + FLOAT_ONE;
	float worth;

	memcpy(&worth, &bits, sizeof(worth));
	return worth;
}

float stack_worth_guess(const struct stack_store *s, size_t target)
{
	const struct stack_store_size size = stack_store_size(s);
	const double tree = (double)stack_tree_bytes(&s->tree);
	const double node = tree / (double)s->tree.nodes.len;
	const double entry = ((double)(size.held + size.planned) - tree) /
			     (double)(s->entries.len + 1);
	u32 nodes[STEPS] = {0}, entries[STEPS] = {0}, at = STEPS - 1;
	double bytes = 0;

	for (size_t i = 0; i < s->tree.nodes.len; i++)
		nodes[step_of(s->tree.side.data[i].worth)]++;
	for (size_t i = 0; i < s->entries.len; i++)
		entries[step_of(s->worth.data[i])]++;
	while (at > 0) {
		bytes += node * nodes[at] + entry * entries[at];
		if (bytes > (double)target)
			break;
		at--;
	}
	return worth_at(at + 1);
}
