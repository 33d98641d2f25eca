/* SPDX-License-Identifier: Apache-2.0 */
/* Computes what came since the last take (stack_store_take): which part of each entry is reported,
 * and that it was. */
#include <errno.h>
#include <string.h>

#include "collect/session/stack_store_impl.h"

int stack_store_begin_reading(struct stack_store *s)
{
	if (!s->reading) {
		if (vec_reserve(&s->reads, s->entries.cap))
			return -ENOMEM;
		s->reads.len = s->entries.len;
		memset(s->reads.data, 0, s->reads.len * sizeof(*s->reads.data));
		s->reading = true;
	}
	vec_for_each(&s->reads, r)
		r->ongoing = (struct sample_count){0};
	return 0;
}

struct sample_count stack_entry_total(const struct stack_store *s, u32 number)
{
	struct sample_count n = s->entries.data[number].count;

	if (s->reading) {
		n.samples += s->reads.data[number].ongoing.samples;
		n.weight += s->reads.data[number].ongoing.weight;
	}
	return n;
}

static u64 shortfall(u64 total, u64 taken)
{
	return taken > total ? taken - total : 0;
}

/* What was reported of it stays reported. */
static struct sample_count hold(struct stack_read *r, struct sample_count total)
{
	struct sample_count owed = {.samples = shortfall(total.samples, r->taken.samples),
				    .weight = shortfall(total.weight, r->taken.weight)};

	r->next.samples = total.samples + owed.samples;
	r->next.weight = total.weight + owed.weight;
	return owed;
}

static void pay(u64 *next, u64 taken, u64 *owed)
{
	u64 part = *next - taken < *owed ? *next - taken : *owed;

	*next -= part;
	*owed -= part;
}

static bool is_alike(const struct stack_entry *a, const struct stack_entry *b)
{
	return a->owner == b->owner && a->key.tgid.nr == b->key.tgid.nr &&
	       a->key.tid.nr == b->key.tid.nr && a->key.cpu == b->key.cpu;
}

/* Settles the entries of one node, which are those from `begin` to `end` in the order of
 * `moved`. */
static void settle_node(struct stack_store *s, size_t begin, size_t end)
{
	const u32 *order = s->moved.data;

	for (size_t i = begin; i < end; i++) {
		struct stack_read *from = &s->reads.data[order[i]];
		struct sample_count owed = from->owed;

		for (size_t k = begin; k < end && (owed.samples || owed.weight); k++) {
			struct stack_read *to = &s->reads.data[order[k]];

			if (k == i ||
			    !is_alike(&s->entries.data[order[i]], &s->entries.data[order[k]]))
				continue;
			pay(&to->next.samples, to->taken.samples, &owed.samples);
			pay(&to->next.weight, to->taken.weight, &owed.weight);
		}
	}
}

/*
 * A wait that had not ended at the last take was reported under the cause and the outcome that it
 * had by then. When it is over, it may count under others, so what was reported is left out there.
 */
void stack_take_prepare(struct stack_store *s)
{
	const u32 *order = s->moved.data;
	bool owes = false;

	for (size_t begin = 0, end; begin < s->entries.len; begin = end, owes = false) {
		u32 node = s->entries.data[order[begin]].node;

		for (end = begin; end < s->entries.len && s->entries.data[order[end]].node == node;
		     end++) {
			struct stack_read *r = &s->reads.data[order[end]];

			r->owed = hold(r, stack_entry_total(s, order[end]));
			owes |= r->owed.samples || r->owed.weight;
		}
		if (owes)
			settle_node(s, begin, end);
	}
}

void stack_take_commit(struct stack_store *s)
{
	vec_for_each(&s->reads, r)
		r->taken = r->next;
}
