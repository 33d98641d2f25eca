/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of item numbers: see id_table.h. */
#include "profile/id_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define FIRST_CAP 64u

void id_table_release(struct id_table *t)
{
	free(t->slots);
	*t = (struct id_table){0};
}

static void slot_put(struct id_slot *slots, size_t cap, struct id_slot item)
{
	size_t at = item.hash & (cap - 1);

	while (slots[at].id_plus_one)
		at = (at + 1) & (cap - 1);
	slots[at] = item;
}

int id_table_reserve(struct id_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : FIRST_CAP;
	struct id_slot *fresh;

	if (t->len + 1 <= t->cap / 4 * 3)
		return 0;
	fresh = calloc(cap, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++) {
		if (t->slots[i].id_plus_one)
			slot_put(fresh, cap, t->slots[i]);
	}
	free(t->slots);
	t->slots = fresh;
	t->cap = cap;
	return 0;
}

s64 id_table_find(const struct id_table *t, u32 hash, bool (*same)(const void *arg, u32 id),
		  const void *arg)
{
	size_t at;

	if (!t->cap)
		return -1;
	for (at = hash & (t->cap - 1); t->slots[at].id_plus_one; at = (at + 1) & (t->cap - 1)) {
		const struct id_slot *slot = &t->slots[at];

		if (slot->hash == hash && same(arg, slot->id_plus_one - 1))
			return slot->id_plus_one - 1;
	}
	return -1;
}

void id_table_add(struct id_table *t, u32 hash, u32 id)
{
	slot_put(t->slots, t->cap, (struct id_slot){.hash = hash, .id_plus_one = id + 1});
	t->len++;
}

/* ---- hashes ---------------------------------------------------------------------------------- */

__extension__ typedef unsigned __int128 u128;

/*
 * These differ in each process; they are the sixteen random bytes that the kernel provides
 * (getauxval(3), AT_RANDOM).
 */
static u64 secret[2];

__attribute__((constructor)) static void secret_init(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(secret, random, sizeof(secret));
	secret[1] |= 1;
}

/* The factor is secret, so it is not known which words cancel each other out. A secret initial
 * value alone would not achieve that. */
static u64 mix_keyed(u64 hash, u64 word)
{
	u128 product = (u128)(hash ^ word) * secret[1];

	return (u64)product ^ (u64)(product >> 64);
}

u64 hash_keyed(u64 seed, const void *data, size_t len)
{
	u64 hash = mix_keyed(seed ^ secret[0], len), word;
	const u8 *at = data;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = mix_keyed(hash, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, at, len);
		hash = mix_keyed(hash, word);
	}
	return mix_keyed(hash, secret[0]);
}

static u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 29);
}

u64 hash_bytes(u64 seed, const void *data, size_t len)
{
	const u8 *at = data;
	u64 hash = mix(seed, len), word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = mix(hash, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, at, len);
		hash = mix(hash, word);
	}
	return mix(hash, hash >> 32);
}
