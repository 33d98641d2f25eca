/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what is read of a map of live blocks: sums by stack, ages, growth and the peak. */
#include "collect/heap/live_set.h"

#include <bpf/bpf.h>
#include <string.h>

#include "base/clock.h"
#include "session_fixture.h"
#include "unit.h"

#define MS 1000000ull

struct bench {
	struct session_fixture session;
	struct live_set_options opt;
	struct live_set *set;
	u64 live[2], peak[2]; /* of the last profile, by stack: blocks */
	u64 bytes[2], peak_bytes[2];
};

static void bench_init(struct bench *b, const struct live_set_options *opt)
{
	const struct stack_kind kind = {.live = true};

	memset(b, 0, sizeof(*b));
	session_fixture_init(&b->session, &kind);
	session_fixture_put(&b->session, 1);
	session_fixture_put(&b->session, 2);
	b->opt = *opt;
	b->opt.rate = 1;
	b->opt.session = b->session.session;
	b->opt.map_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "live", sizeof(struct heap_block),
				       sizeof(struct heap_live), 10000, NULL);
	CHECK(b->opt.map_fd >= 0);
	CHECK_INT(live_set_new(&b->opt, &b->set), 0);
}

static void bench_release(struct bench *b)
{
	live_set_free(b->set);
	session_fixture_release(&b->session);
}

static struct sample_key key_of(u64 stack, u64 size)
{
	return (struct sample_key){.stack = stack, .object = size, .cause = HEAP_DRAWN};
}

static void allocate(struct bench *b, u64 address, u64 stack, u64 size, u64 time)
{
	const struct heap_block block = {.address = address, .tgid = {7}};
	const struct heap_live live = {.key = key_of(stack, size), .time = time};

	CHECK_INT(bpf_map_update_elem(b->opt.map_fd, &block, &live, BPF_ANY), 0);
	bpf_session_add(b->opt.session, &live.key, TALLY_COUNT, &(struct sample_count){1, 0});
}

static void release(struct bench *b, u64 address)
{
	const struct heap_block block = {.address = address, .tgid = {7}};

	CHECK_INT(bpf_map_delete_elem(b->opt.map_fd, &block), 0);
}

/* ---- what a profile has ---- */

static void note_values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
			s64 values[SAMPLE_VALUES_MAX])
{
	struct bench *b = arg;
	u64 at = key->stack - 1;

	CHECK(at < 2);
	b->live[at] += tally->live.samples;
	b->bytes[at] += tally->live.samples * key->object;
	b->peak[at] += tally->peak.samples;
	b->peak_bytes[at] += tally->peak.samples * key->object;
	values[0] = values[1] = (s64)tally->live.samples;
}

static void read_profile(struct bench *b)
{
	static const char *const types[] = {"samples", "space", NULL};
	const struct sample_mapping mapping = {.values = note_values, .arg = b};

	memset(b->live, 0, sizeof(b->live));
	memset(b->peak, 0, sizeof(b->peak));
	memset(b->bytes, 0, sizeof(b->bytes));
	memset(b->peak_bytes, 0, sizeof(b->peak_bytes));
	profile_free(session_fixture_read(&b->session, COLLECT_SO_FAR, &mapping, types));
}

TEST(live_set, blocks_count_by_stack_and_size)
{
	struct bench b;

	bench_init(&b, &(struct live_set_options){.leaks = false});
	for (u64 i = 0; i < 3000; i++)
		allocate(&b, i, 1, i % 2 ? 100 : 24, i);
	for (u64 i = 3000; i < 3010; i++)
		allocate(&b, i, 2, 1 << 20, i);
	CHECK_INT(live_set_read(b.set, 1 << 20), 0);
	read_profile(&b);
	CHECK_INT(b.live[0], 3000);
	CHECK_INT(b.bytes[0], 1500 * 124);
	CHECK_INT(b.live[1], 10);
	CHECK_INT(b.bytes[1], 10 << 20);
	for (u64 i = 0; i < 2999; i++)
		release(&b, i);
	/* What is read again replaces what was read before. */
	CHECK_INT(live_set_read(b.set, 1 << 20), 0);
	read_profile(&b);
	CHECK_INT(b.live[0], 1);
	CHECK_INT(b.bytes[0], 100);
	CHECK_INT(b.live[1], 10);
	bench_release(&b);
}

TEST(live_set, young_blocks_do_not_count)
{
	struct bench b;

	bench_init(&b, &(struct live_set_options){.older_than_ns = 50 * MS});
	for (u64 i = 1; i <= 100; i++)
		allocate(&b, i, 1, 8, i * MS);
	CHECK_INT(live_set_read(b.set, 100 * MS), 0);
	read_profile(&b);
	CHECK_INT(b.live[0], 50); /* those of 1 to 50 ms */
	CHECK_INT(live_set_read(b.set, 200 * MS), 0);
	read_profile(&b);
	CHECK_INT(b.live[0], 100);
	bench_release(&b);
}

/* ---- growth ---- */

static struct heap_growth growth_of(const struct bench *b, u64 stack)
{
	const struct sample_key key = key_of(stack, 0);
	struct heap_growth growth;

	CHECK(live_set_growth(b->set, &key, &growth));
	return growth;
}

/* Stack 1 grows from each look to the next; stack 2 shrinks once. */
TEST(live_set, growth_is_what_came_since_the_first_look)
{
	const struct sample_key none = {.stack = 3};
	struct heap_growth growth;
	struct bench b;

	bench_init(&b, &(struct live_set_options){.leaks = true});
	allocate(&b, 1, 1, 1000, 10 * MS);
	allocate(&b, 2, 2, 500, 20 * MS);
	allocate(&b, 3, 2, 500, 21 * MS);
	CHECK_INT(live_set_read(b.set, 100 * MS), 0);
	CHECK(growth_of(&b, 1).grown == 0 && !growth_of(&b, 1).only_grew);
	allocate(&b, 4, 1, 200, 110 * MS);
	release(&b, 3);
	CHECK_INT(live_set_read(b.set, 200 * MS), 0);
	CHECK(growth_of(&b, 1).grown == 200 && growth_of(&b, 1).only_grew);
	CHECK(growth_of(&b, 2).grown == -500 && !growth_of(&b, 2).only_grew);
	allocate(&b, 5, 1, 30, 210 * MS);
	allocate(&b, 6, 2, 10000, 210 * MS);
	allocate(&b, 7, 2, 10000, 220 * MS);
	CHECK_INT(live_set_read(b.set, 300 * MS), 0);
	growth = growth_of(&b, 1);
	CHECK(growth.grown == 230 && growth.only_grew);
	CHECK_INT(growth.oldest_ns, 290 * MS);
	CHECK_INT(growth.youngest_ns, 90 * MS);
	growth = growth_of(&b, 2);
	CHECK(growth.grown == 19500 && !growth.only_grew);
	CHECK_INT(growth.oldest_ns, 280 * MS);
	CHECK_INT(growth.youngest_ns, 80 * MS);
	CHECK(!live_set_growth(b.set, &none, &growth));
	bench_release(&b);
}

/* A stack that once held nothing is forgotten, but not that it has shrunk. */
TEST(live_set, what_was_empty_once_has_not_only_grown)
{
	const struct sample_key key = key_of(1, 0);
	struct heap_growth growth;
	struct bench b;

	bench_init(&b, &(struct live_set_options){.leaks = true});
	allocate(&b, 1, 1, 1000, 1);
	CHECK_INT(live_set_read(b.set, 100 * MS), 0);
	release(&b, 1);
	CHECK_INT(live_set_read(b.set, 200 * MS), 0);
	CHECK(!live_set_growth(b.set, &key, &growth));
	for (u64 i = 2; i < 6; i++) {
		allocate(&b, i, 1, 1000, i);
		CHECK_INT(live_set_read(b.set, 300 * MS), 0);
	}
	CHECK(growth_of(&b, 1).grown == 3000);
	CHECK(!growth_of(&b, 1).only_grew);
	bench_release(&b);
}

/* ---- the peak ---- */

TEST(live_set, the_peak_is_kept_when_blocks_are_freed)
{
	struct bench b;

	bench_init(&b, &(struct live_set_options){.peak = true});
	for (u64 i = 0; i < 100; i++)
		allocate(&b, i, 1, 1000, i);
	allocate(&b, 100, 2, 50, 100);
	CHECK_INT(live_set_watch(b.set, monotonic_ns(), 100050), 0);
	for (u64 i = 0; i < 90; i++)
		release(&b, i);
	allocate(&b, 101, 2, 60, 101);
	CHECK_INT(live_set_watch(b.set, monotonic_ns(), 10110), 0); /* less, so it does not look */
	CHECK_INT(live_set_read(b.set, monotonic_ns()), 0);
	read_profile(&b);
	CHECK_INT(b.live[0], 10);
	CHECK_INT(b.live[1], 2);
	CHECK_INT(b.peak[0], 100);
	CHECK_INT(b.peak_bytes[0], 100000);
	CHECK_INT(b.peak[1], 1);
	CHECK_INT(b.peak_bytes[1], 50);
	for (u64 i = 200; i < 400; i++)
		allocate(&b, i, 2, 1000, i);
	CHECK_INT(live_set_read(b.set, monotonic_ns()), 0); /* this is the new peak */
	read_profile(&b);
	CHECK_INT(b.peak[0], 10);
	CHECK_INT(b.peak[1], 202);
	CHECK_INT(b.peak_bytes[1], 200110);
	bench_release(&b);
}
