/* SPDX-License-Identifier: Apache-2.0 */
/* What was counted, in user space: see stack_store.h. */
#include "collect/stack_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "collect/stack_store_impl.h"

int stack_store_new(struct stack_store **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void stack_store_free(struct stack_store *s)
{
	struct stack_entry *e, *next_entry;
	struct stack *k, *next_stack;

	if (!s)
		return;
	HASH_ITER(hh, s->entries, e, next_entry) {
		HASH_DEL(s->entries, e);
		free(e);
	}
	HASH_ITER(hh, s->stacks, k, next_stack) {
		HASH_DEL(s->stacks, k);
		free(k);
	}
	free(s);
}

static struct stack *stack_intern(struct stack_store *s, u64 hash, struct proc_pid tgid,
				  const u64 *frames, u32 nframes)
{
	struct stack *k;

	HASH_FIND(hh, s->stacks, &hash, sizeof(hash), k);
	if (k)
		return k;
	k = malloc(sizeof(*k) + nframes * sizeof(*frames));
	if (!k)
		return NULL;
	k->hash = hash;
	k->tgid = tgid;
	k->nframes = nframes;
	memcpy(k->frames, frames, nframes * sizeof(*frames));
	HASH_ADD(hh, s->stacks, hash, sizeof(k->hash), k);
	if (HASH_ADDED(k))
		return k;
	free(k);
	return NULL;
}

int stack_store_put(struct stack_store *s, const struct sample_key *key,
		    const struct stack_owner *owner, const u64 *frames, u32 nframes)
{
	struct stack_entry *e;

	HASH_FIND(hh, s->entries, key, sizeof(*key), e);
	if (e)
		return 0;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->key = *key;
	e->owner = *owner;
	e->stack = stack_intern(s, key->stack, owner->tgid, frames, nframes);
	if (!e->stack) {
		free(e);
		return -ENOMEM;
	}
	HASH_ADD(hh, s->entries, key, sizeof(e->key), e);
	if (HASH_ADDED(e))
		return 0;
	free(e);
	return -ENOMEM;
}

struct sample_tally *stack_store_tally(struct stack_store *s, const struct sample_key *key)
{
	struct stack_entry *e;

	HASH_FIND(hh, s->entries, key, sizeof(*key), e);
	return e ? &e->tally : NULL;
}

/* The entry for a key that shares its frames with one that came before; NULL: none did, or no memory. */
static struct sample_tally *tally_derive(struct stack_store *s, const struct sample_key *key)
{
	struct sample_key base = *key;
	struct stack_entry *from;

	base.object = 0;
	base.cause = base.outcome = 0;
	HASH_FIND(hh, s->entries, &base, sizeof(base), from);
	if (!from ||
	    stack_store_put(s, key, &from->owner, from->stack->frames, from->stack->nframes))
		return NULL;
	return stack_store_tally(s, key);
}

int stack_store_count(struct stack_store *s, const struct sample_key *key,
		      const struct sample_count *n)
{
	struct sample_tally *tally = stack_store_tally(s, key);

	if (!tally)
		tally = tally_derive(s, key);
	if (!tally)
		return -ENOENT;
	tally->count.samples += n->samples;
	tally->count.weight += n->weight;
	return 0;
}

void stack_store_scale(struct stack_store *s, u16 cause, u64 total)
{
	struct stack_entry *e, *next;
	u64 sum = 0;

	HASH_ITER(hh, s->entries, e, next) {
		if (e->key.cause == cause)
			sum += e->tally.count.weight;
	}
	HASH_ITER(hh, s->entries, e, next) {
		struct sample_count *n = &e->tally.count;

		if (sum && e->key.cause == cause)
			n->weight = (u64)((double)n->weight * (double)total / (double)sum);
	}
}
