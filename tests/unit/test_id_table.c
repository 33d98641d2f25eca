/* SPDX-License-Identifier: Apache-2.0 */
/* Tables whose keys come from somebody who knows how they are hashed. */
#include <stdlib.h>
#include <string.h>

#include "format/read.h"
#include "profile/id_table.h"
#include "unit.h"

#define KEYS 20000u
#define FACTOR 0x9e3779b97f4a7c15ull

/* Finds the number that gives 1 when multiplied by FACTOR, with Newton's iteration. */
static u64 inverse_factor(void)
{
	u64 x = FACTOR;

	for (int i = 0; i < 6; i++)
		x *= 2 - FACTOR * x;
	return x;
}

static u64 unshift(u64 value, int by)
{
	u64 x = value;

	for (int i = 0; i < 64 / by; i++)
		x = value ^ (x >> by);
	return x;
}

/* Undoes a step of hash_bytes() up to the word that went in. */
static u64 unmix(u64 hash)
{
	return unshift(hash, 29) * inverse_factor();
}

static u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * FACTOR;
	return hash ^ (hash >> 29);
}

/* Returns words that hash_bytes() and hash_fold() map to one number. */
static u64 colliding(u32 i)
{
	const u64 last = ((u64)(i ^ 0x12345678u) << 32) | i, start = mix(0, sizeof(u64));

	return unmix(unshift(unmix(last), 32)) ^ start;
}

static int compare(const void *a, const void *b)
{
	const u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

TEST(id_table, keys_that_were_made_to_collide_do_not)
{
	u32 *hashes = malloc(KEYS * sizeof(*hashes)), equal = 0;

	for (u32 i = 0; i < KEYS; i++) {
		u64 key = colliding(i);

		CHECK_INT(hash_fold(hash_bytes(0, &key, sizeof(key))), 0x12345678);
		hashes[i] = hash_fold(hash_keyed(0, &key, sizeof(key)));
	}
	qsort(hashes, KEYS, sizeof(*hashes), compare);
	for (u32 i = 1; i < KEYS; i++)
		equal += hashes[i] == hashes[i - 1];
	CHECK(equal < 20);
	free(hashes);
}

/* These pairs of words cancel out each other's difference whatever the initial value was. */
TEST(id_table, differences_do_not_cancel_out)
{
	const u64 top = 1ull << 63, then = top | 1ull << 34;
	u32 same = 0;

	for (u64 i = 0; i < 1000; i++) {
		const u64 a[] = {i, 7 * i}, b[] = {i ^ top, (7 * i) ^ then};

		CHECK_INT(hash_bytes(i, a, sizeof(a)), hash_bytes(i, b, sizeof(b)));
		same += hash_keyed(i, a, sizeof(a)) == hash_keyed(i, b, sizeof(b));
	}
	CHECK_INT(same, 0);
}

static void put_varint(u8 **at, u64 value)
{
	for (; value >= 0x80; value >>= 7)
		*(*at)++ = (u8)(value | 0x80);
	*(*at)++ = (u8)value;
}

/* Writes a field of a message of profile.proto, whose only field is an id. */
static void put_id(u8 **at, u8 field, u64 id)
{
	u8 message[16], *end = message;

	*end++ = 1 << 3;
	put_varint(&end, id);
	*(*at)++ = (u8)(field << 3 | 2);
	put_varint(at, (u64)(end - message));
	memcpy(*at, message, (size_t)(end - message));
	*at += end - message;
}

/* Without a secret, two hundred thousand locations would be compared with each other for
 * minutes. */
TEST(id_table, a_profile_of_such_ids_is_read)
{
	enum { LOCATIONS = 200000 };
	u8 *data = malloc(LOCATIONS * 16 + 16), *at = data;
	struct profile *p = NULL;
	struct error err = {0};

	memcpy(at, "\x0a\x00\x32\x00", 4); /* a sample type, the empty string */
	at += 4;
	for (u32 i = 0; i < LOCATIONS; i++)
		put_id(&at, 4, colliding(i));
	CHECK_INT(format_read_bytes((struct bytes){data, (size_t)(at - data)}, NULL, &p, &err), 0);
	CHECK_INT(p->locations.len, LOCATIONS);
	profile_free(p);
	free(data);
}
