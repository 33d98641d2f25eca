/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of libcprof-heap.so: the draws and weights of its sampler, and the set of live
 * samples. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/pointer_set.h"
#include "../../preload/sampler.h"
#include "unit.h"

#define RATE SAMPLER_RATE_DEFAULT

static void check_near(double have, double want, double part)
{
	if (!(fabs(have - want) <= part * want))
		unit_fail(__FILE__, __LINE__, "%g is not within %g of %g", have, part, want);
}

/* ---- the sampler */

TEST(heap_sampler, rate_is_read_whole_or_not_at_all)
{
	CHECK_INT(sampler_rate(NULL), RATE);
	CHECK_INT(sampler_rate(""), RATE);
	CHECK_INT(sampler_rate("0"), 0);
	CHECK_INT(sampler_rate("1"), 1);
	CHECK_INT(sampler_rate("4096"), 4096);
	CHECK_INT(sampler_rate("1099511627776"), SAMPLER_RATE_MAX);
	CHECK_INT(sampler_rate("1099511627777"), RATE);
	CHECK_INT(sampler_rate("99999999999999999999999999"), RATE);
	CHECK_INT(sampler_rate("-1"), RATE);
	CHECK_INT(sampler_rate("4k"), RATE);
	CHECK_INT(sampler_rate(" 4"), RATE);
}

/* With 400,000 draws the standard error is 0.16 % of the mean; quantiles are those of the
 * exponential distribution. */
TEST(heap_sampler, draws_are_exponential)
{
	enum { draws = 400000 };
	struct sampler s = {0};
	double sum = 0, squares = 0;
	long beyond_half = 0, beyond_one = 0, beyond_three = 0;

	sampler_seed(&s);
	for (int i = 0; i < draws; i++) {
		double d = (double)sampler_draw(&s, RATE) / RATE;

		CHECK(d > 0 && d < 37);
		sum += d;
		squares += d * d;
		beyond_half += d > 0.5;
		beyond_one += d > 1;
		beyond_three += d > 3;
	}
	check_near(sum / draws, 1, 0.01);
	check_near(squares / draws, 2, 0.02);
	check_near((double)beyond_half / draws, exp(-0.5), 0.01);
	check_near((double)beyond_one / draws, exp(-1), 0.01);
	check_near((double)beyond_three / draws, exp(-3), 0.04);
}

TEST(heap_sampler, threads_draw_differently)
{
	struct sampler a = {0}, b = {0};
	int equal = 0;

	sampler_seed(&a);
	sampler_seed(&b);
	for (int i = 0; i < 100; i++)
		equal += sampler_draw(&a, RATE) == sampler_draw(&b, RATE);
	CHECK_INT(equal, 0);
}

TEST(heap_sampler, rate_one_is_all_and_zero_none)
{
	struct sampler s = {0};

	sampler_seed(&s);
	for (int i = 0; i < 100; i++) {
		CHECK_INT(sampler_draw(&s, 1), 0);
		CHECK(sampler_draw(&s, 0) == SAMPLER_NEVER);
	}
}

TEST(heap_sampler, weight_is_what_the_contract_says)
{
	static const uint64_t sizes[] = {1,      16,      1000,     4096,     100000,
					 524288, 5000000, 20000000, 30000000, UINT64_C(1) << 40};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		double size = (double)sizes[i];

		check_near((double)sampler_weight(sizes[i], RATE), size / -expm1(-size / RATE),
			   1e-6);
		CHECK_INT(sampler_weight(sizes[i], 1), sizes[i]);
	}
	CHECK_INT(sampler_weight(0, RATE), 0);
	CHECK_INT(sampler_weight(0, 1), 0);
	check_near((double)sampler_weight(1, SAMPLER_RATE_MAX), (double)SAMPLER_RATE_MAX, 1e-9);
}

static uint64_t mixed_size(uint32_t *random)
{
	static const uint32_t sizes[] = {8,   16,  16,   24,   32,    64,
					 100, 256, 1000, 4096, 70000, 1500000};

	*random = *random * 1664525u + 1013904223u;
	return sizes[(*random >> 16) % 12];
}

/* The mean of 20 runs of some 20,000 samples each has a standard error of 0.2 % for the bytes and 1
 * % for the blocks. */
TEST(heap_sampler, estimates_are_unbiased)
{
	struct sampler s = {0};
	double bytes = 0, blocks = 0, estimated_bytes = 0, estimated_blocks = 0;
	uint32_t random = 7;

	sampler_seed(&s);
	s.left = sampler_draw(&s, 8192);
	for (int i = 0; i < 20 * 200000; i++) {
		uint64_t size = mixed_size(&random);

		bytes += (double)size;
		blocks++;
		if (size < s.left) {
			s.left -= size;
			continue;
		}
		estimated_bytes += (double)sampler_weight(size, 8192);
		estimated_blocks += (double)sampler_weight(size, 8192) / (double)size;
		s.left = sampler_draw(&s, 8192);
	}
	check_near(estimated_bytes, bytes, 0.01);
	check_near(estimated_blocks, blocks, 0.05); /* five standard errors */
}

/* ---- the set */

static struct pointer_set set;

static void *address(uint64_t n)
{
	return (void *)(uintptr_t)(0x7f0000000000 + n * 16);
}

TEST(heap_set, holds_what_was_added_until_it_is_removed)
{
	CHECK(!pointer_set_may_hold(&set, address(1)));
	CHECK(!pointer_set_remove(&set, address(1)));
	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_ADDED);
	CHECK(pointer_set_may_hold(&set, address(1)));
	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_THERE);
	CHECK(!pointer_set_remove(&set, address(2)));
	CHECK(pointer_set_remove(&set, address(1)));
	CHECK(!pointer_set_may_hold(&set, address(1)));
	CHECK(!pointer_set_remove(&set, address(1)));
}

/* A realloc() that fails leaves its block in the set. */
TEST(heap_set, a_block_that_does_not_move_stays)
{
	CHECK(!pointer_set_move(&set, address(1)));
	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_ADDED);
	CHECK(pointer_set_move(&set, address(1)));
	CHECK(!pointer_set_move(&set, address(1)));
	pointer_set_stay(&set, address(1));
	CHECK(pointer_set_may_hold(&set, address(1)));
	CHECK(pointer_set_remove(&set, address(1)));
	CHECK(!pointer_set_may_hold(&set, address(1)));
}

/* Its end is reported once: here, or where the address is allocated or freed meanwhile. */
TEST(heap_set, a_block_that_moves_ends_once)
{
	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_ADDED);
	CHECK(pointer_set_move(&set, address(1)));
	CHECK(pointer_set_leave(&set, address(1)));
	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_FULL);
	CHECK(!pointer_set_remove(&set, address(1)));
	pointer_set_left(&set, address(1));
	CHECK(!pointer_set_may_hold(&set, address(1)));

	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_ADDED);
	CHECK(pointer_set_move(&set, address(1)));
	CHECK_INT(pointer_set_add(&set, address(1)), POINTER_SET_THERE);
	CHECK(!pointer_set_leave(&set, address(1)));
	CHECK(pointer_set_move(&set, address(1)));
	CHECK(pointer_set_remove(&set, address(1)));
	CHECK(!pointer_set_leave(&set, address(1)));
	CHECK(!pointer_set_may_hold(&set, address(1)));
}

TEST(heap_set, null_is_never_in)
{
	pointer_set_mark(&set, NULL);
	CHECK(pointer_set_may_hold(&set, NULL));
	CHECK(!pointer_set_remove(&set, NULL));
}

/* The promised limit is a million whatever the addresses, and from then on it must refuse. */
TEST(heap_set, is_bounded_and_says_so)
{
	enum { promised = 1000000, beyond = POINTER_SET_SLOTS + 1000 };
	uint64_t full = 0, first_full = 0, removed = 0;

	for (uint64_t i = 0; i < beyond; i++) {
		if (pointer_set_add(&set, address(i)) == POINTER_SET_FULL) {
			first_full = full ? first_full : i;
			full++;
		}
	}
	CHECK(first_full > promised);
	CHECK(full >= 1000 && full < POINTER_SET_SLOTS / 10);
	for (uint64_t i = 0; i < beyond; i++)
		removed += pointer_set_remove(&set, address(i));
	CHECK_INT(removed + full, beyond);
	for (uint32_t i = 0; i < POINTER_SET_SLOTS; i++)
		CHECK(!set.slots[i]);
}

/* More addresses share a filter byte than it can count: of one cache line, and of lines far
 * apart. */
TEST(heap_set, a_filter_byte_that_overflows_loses_nothing)
{
	enum { addresses = 600 };
	char *p[addresses];

	for (int i = 0; i < addresses; i++) {
		p[i] = (char *)0x10000000000 + i % 4 * 16 + ((uint64_t)(i / 4) << 42);
		CHECK_INT(pointer_set_filter_index(p[i]), pointer_set_filter_index(p[0]));
		CHECK_INT(pointer_set_add(&set, p[i]), POINTER_SET_ADDED);
	}
	for (int i = 0; i < addresses; i++) {
		CHECK(pointer_set_may_hold(&set, p[i]));
		CHECK(pointer_set_remove(&set, p[i]));
	}
}

enum { exchange_threads = 4, exchange_rounds = 200000, exchange_places = 1024 };

static _Atomic uintptr_t places[exchange_places];
static _Atomic long exchange_failures;

/* Puts its own addresses into the set and into shared slots, and removes what it finds in them. */
static void *exchange(void *number)
{
	uint64_t mine = (uint64_t)(uintptr_t)number << 24;

	for (uint64_t i = 0; i < exchange_rounds; i++) {
		void *p = address(mine + i), *found;

		if (pointer_set_add(&set, p) != POINTER_SET_ADDED)
			atomic_fetch_add(&exchange_failures, 1);
		found = (void *)atomic_exchange(&places[i * 7 % exchange_places], (uintptr_t)p);
		if (found &&
		    (!pointer_set_may_hold(&set, found) || !pointer_set_remove(&set, found)))
			atomic_fetch_add(&exchange_failures, 1);
	}
	return NULL;
}

TEST(heap_set, four_threads_lose_nothing)
{
	pthread_t ids[exchange_threads];
	long left = 0;

	for (uintptr_t i = 0; i < exchange_threads; i++)
		CHECK_INT(pthread_create(&ids[i], NULL, exchange, (void *)i), 0);
	for (int i = 0; i < exchange_threads; i++)
		pthread_join(ids[i], NULL);
	CHECK_INT(exchange_failures, 0);
	for (int i = 0; i < exchange_places; i++)
		left += places[i] && !pointer_set_remove(&set, (void *)places[i]);
	CHECK_INT(left, 0);
	for (uint32_t i = 0; i < POINTER_SET_SLOTS; i++)
		CHECK(!set.slots[i]);
}
