/* SPDX-License-Identifier: Apache-2.0 */
/* What samples of blocks represent. */
#include "collect/heap/heap_amount.h"

#include "unit.h"

TEST(heap_amount, every_block_at_rate_one)
{
	struct heap_amount got;

	got = heap_amount_scale(1, 100, 7);
	CHECK(got.blocks == 7 && got.bytes == 700);
	got = heap_amount_scale(1, 0, 7);
	CHECK(got.blocks == 7 && got.bytes == 0);
}

TEST(heap_amount, scaled_by_the_size)
{
	struct heap_amount got;

	/* 1 / (1 - exp(-1)) */
	got = heap_amount_scale(1 << 19, 1 << 19, 1);
	CHECK(got.blocks > 1.58197 && got.blocks < 1.58199);
	/* A small block represents a whole distance, and a huge one only itself. */
	got = heap_amount_scale(1 << 19, 16, 1);
	CHECK(got.bytes > (1 << 19) && got.bytes < (1 << 19) + 16);
	got = heap_amount_scale(1 << 19, 1 << 30, 1);
	CHECK(got.blocks == 1 && got.bytes == 1 << 30);
}

/* 10,000 rows of 1.27 blocks are 12,700 blocks, with a standard deviation of 44. */
TEST(heap_amount, rounding_is_right_in_the_mean)
{
	s64 sum = 0;

	for (u64 i = 0; i < 10000; i++) {
		struct sample_key key = {.stack = 0x1234567, .object = 600000 + 16 * i};
		s64 n = heap_amount_round(99, &key, 1.27);

		CHECK(n == 1 || n == 2);
		CHECK(heap_amount_round(99, &key, 1.27) == n);
		CHECK(heap_amount_round(99, &key, 0.9) <= n);
		sum += n;
	}
	CHECK(sum > 12700 - 5 * 44 && sum < 12700 + 5 * 44);
}

TEST(heap_amount, whole_numbers_stay)
{
	struct sample_key key = {.stack = ~0ull, .object = ~0ull};

	for (u64 seed = 0; seed < 1000; seed++) {
		CHECK(heap_amount_round(seed, &key, 0) == 0);
		CHECK(heap_amount_round(seed, &key, 1) == 1);
		CHECK(heap_amount_round(seed, &key, 1e9) == 1000000000);
	}
}
