/* SPDX-License-Identifier: Apache-2.0 */
/* Merging rare stacks: sums stay the same, large stacks stay as they are, and memory falls. */
#include <errno.h>
#include <string.h>

#include "collect/session/stack_store.h"
#include "short_memory.h"
#include "unit.h"

#define MERGED "[too many stacks]"
#define NO_MODULE 900u /* frames of no module, each of which is shown as [unknown] at its offset */

struct bench {
	struct stack_store *store;
	struct module_set *modules;
	struct profile *p;
	struct target target;
	struct collect_options opt;
};

static void bench_init(struct bench *b, const struct stack_kind *kind, bool threads)
{
	memset(b, 0, sizeof(*b));
	b->opt.target = &b->target;
	b->opt.by_thread = threads;
	CHECK_INT(stack_store_new(&b->opt, kind, &b->store), 0);
	CHECK_INT(module_set_new(NULL, NULL, &b->modules), 0);
	CHECK_INT(profile_new(&b->p), 0);
	CHECK_INT(profile_add_sample_type(b->p, "samples", "count"), 0);
	CHECK_INT(profile_add_sample_type(b->p, "cpu", "nanoseconds"), 0);
}

static void bench_release(struct bench *b)
{
	profile_free(b->p);
	stack_store_free(b->store);
	module_set_free(b->modules);
}

static void put(struct bench *b, u64 stack, u32 tid, const u64 *frames, u32 n)
{
	struct sample_key key = {.stack = stack, .tid = {b->opt.by_thread ? tid : 0}};
	struct thread_id owner = {.tgid = {77}, .tid = {tid}, .comm = "worker"};

	stack_store_put(b->store, &key, &owner, frames, n);
}

static int count(struct bench *b, u64 stack, u32 tid, u64 weight)
{
	struct sample_key key = {.stack = stack, .tid = {b->opt.by_thread ? tid : 0}};

	return stack_store_add(b->store, &key, TALLY_COUNT, &(struct sample_count){1, weight});
}

static size_t size_of(const struct bench *b)
{
	struct stack_store_size size = stack_store_size(b->store);

	return size.held + size.planned;
}

static void merge(struct bench *b, size_t target)
{
	stack_store_merge_begin(b->store);
	stack_store_merge(b->store, target);
}

/* What the kernel sent four map changes ago is no longer counted. */
static void pass_epochs(struct bench *b)
{
	for (int i = 0; i < 4; i++)
		stack_store_epoch(b->store);
}

static void convert(struct bench *b, const struct sample_mapping *mapping)
{
	CHECK_INT(stack_store_to_profile(b->store, b->modules, &b->opt, mapping, b->p), 0);
}

static s64 total(const struct bench *b, u32 type)
{
	s64 sum = 0;

	vec_for_each(&b->p->samples, s)
		sum += b->p->values.data[s->first_value + type];
	return sum;
}

static const struct profile_location *frame_at(const struct bench *b,
					       const struct profile_sample *s, u32 depth)
{
	return &b->p->locations.data[b->p->stack_locations.data[s->first_location + depth]];
}

static const char *name_at(const struct bench *b, const struct profile_sample *s, u32 depth)
{
	const struct profile_location *l = frame_at(b, s, depth);

	return profile_text(b->p,
			    b->p->functions.data[b->p->lines.data[l->first_line].function].name);
}

static bool is_merged(const struct bench *b, const struct profile_sample *s)
{
	return s->nlocations && !strcmp(name_at(b, s, 0), MERGED);
}

/* The root (1) calls `caller`, which calls a leaf that only this stack has. */
static void put_rare(struct bench *b, u64 number, u64 caller, u64 weight)
{
	u64 frames[3] = {FRAME(NO_MODULE, 0x1000000 + number), FRAME(NO_MODULE, caller),
			 FRAME(NO_MODULE, 1)};

	put(b, 1000 + number, 1, frames, 3);
	CHECK_INT(count(b, 1000 + number, 1, weight), 0);
}

enum { RARE = 20000 };

static void put_many(struct bench *b)
{
	for (u64 i = 0; i < RARE; i++)
		put_rare(b, i, i % 2 ? 2 : 3, 10);
}

TEST(stack_merge, rare_stacks_end_below_the_frame_that_they_share)
{
	u64 hot[3] = {FRAME(NO_MODULE, 0x50), FRAME(NO_MODULE, 2), FRAME(NO_MODULE, 1)};
	size_t before, merged = 0;
	struct bench b;

	bench_init(&b, NULL, false);
	put_many(&b);
	put(&b, 5, 1, hot, 3);
	CHECK_INT(count(&b, 5, 1, 1000000), 0);
	pass_epochs(&b);
	before = size_of(&b);
	merge(&b, before / 4);
	CHECK(size_of(&b) <= before / 4);
	convert(&b, NULL);
	CHECK_INT(total(&b, 0), RARE + 1);
	CHECK_INT(total(&b, 1), RARE * 10 + 1000000);
	vec_for_each(&b.p->samples, s) {
		CHECK_INT(s->nlocations, 3);
		CHECK_INT(frame_at(&b, s, 2)->address, 1);
		if (!is_merged(&b, s))
			continue;
		merged++;
		CHECK_INT(b.p->values.data[s->first_value], RARE / 2);
		CHECK_INT(b.p->values.data[s->first_value + 1], RARE / 2 * 10);
		CHECK(frame_at(&b, s, 1)->address == 2 || frame_at(&b, s, 1)->address == 3);
	}
	CHECK_INT(merged, 2);
	CHECK_INT(b.p->samples.len, 3);
	CHECK_INT(stack_store_merged(b.store).stacks, RARE);
	CHECK(stack_store_merged(b.store).share > 0.16 && stack_store_merged(b.store).share < 0.17);
	bench_release(&b);
}

TEST(stack_merge, what_comes_afterwards_is_a_stack_of_its_own)
{
	struct bench b;
	s64 again = 0;

	bench_init(&b, NULL, false);
	put_many(&b);
	pass_epochs(&b);
	merge(&b, size_of(&b) / 4);
	for (int i = 0; i < 3; i++)
		put_rare(&b, 7, 2, 100);
	convert(&b, NULL);
	CHECK_INT(total(&b, 1), RARE * 10 + 300);
	vec_for_each(&b.p->samples, s)
		again += is_merged(&b, s) ? 0 : b.p->values.data[s->first_value + 1];
	CHECK_INT(again, 300);
	bench_release(&b);
}

TEST(stack_merge, the_kernel_may_count_under_keys_that_were_merged)
{
	struct bench b;

	bench_init(&b, NULL, false);
	put_many(&b);
	pass_epochs(&b);
	put_rare(&b, RARE, 2, 10); /* its frames have been sent since */
	merge(&b, size_of(&b) / 4);
	CHECK_INT(count(&b, 1000 + RARE, 1, 5000), 0);
	CHECK_INT(count(&b, 1000 + 7, 1, 700), 0); /* this one was not announced */
	convert(&b, NULL);
	CHECK_INT(total(&b, 1), (RARE + 1) * 10 + 5000 + 700);
	vec_for_each(&b.p->samples, s) {
		s64 value = b.p->values.data[s->first_value + 1];

		CHECK(is_merged(&b, s));
		if (s->nlocations == 1)
			CHECK_INT(value, 700);
		else if (frame_at(&b, s, 1)->address == 2)
			CHECK_INT(value, RARE / 2 * 10 + 10 + 5000);
	}
	CHECK_INT(b.p->samples.len, 3);
	bench_release(&b);
}

TEST(stack_merge, a_wait_that_goes_on_keeps_its_stack)
{
	const u64 frames[3] = {FRAME(NO_MODULE, 0x60), FRAME(NO_MODULE, 2), FRAME(NO_MODULE, 1)};
	const struct sample_key base = {.stack = 5}, wait = {.stack = 5, .cause = 3};
	struct bench b;
	s64 kept = 0;

	bench_init(&b, NULL, false);
	put(&b, 5, 1, frames, 3);
	pass_epochs(&b);
	put_many(&b);
	pass_epochs(&b);
	stack_store_merge_begin(b.store);
	stack_store_await(b.store, &base, 1e9);
	stack_store_merge(b.store, size_of(&b) / 4);
	CHECK_INT(stack_store_add(b.store, &wait, TALLY_COUNT, &(struct sample_count){1, 12345}),
		  0);
	convert(&b, NULL);
	vec_for_each(&b.p->samples, s)
		kept += is_merged(&b, s) ? 0 : b.p->values.data[s->first_value + 1];
	CHECK_INT(kept, 12345);
	bench_release(&b);
}

TEST(stack_merge, labels_go_before_frames_do)
{
	const u64 frames[3] = {FRAME(NO_MODULE, 0x60), FRAME(NO_MODULE, 2), FRAME(NO_MODULE, 1)};
	enum { THREADS = 20000 };
	int heavy = 0, others = 0;
	size_t before;
	struct bench b;

	bench_init(&b, NULL, true);
	for (u32 tid = 1; tid <= THREADS; tid++) {
		put(&b, 5, tid, frames, 3);
		CHECK_INT(count(&b, 5, tid, tid == 9 ? 1000000 : 1), 0);
	}
	pass_epochs(&b);
	before = size_of(&b);
	merge(&b, before / 4);
	CHECK(size_of(&b) <= before / 4);
	convert(&b, NULL);
	CHECK_INT(total(&b, 1), THREADS - 1 + 1000000);
	/* Some rare threads share their slot of the labels' weights with enough others, and
	 * stay. */
	CHECK(b.p->samples.len >= 2 && b.p->samples.len < THREADS / 4);
	vec_for_each(&b.p->samples, s) {
		CHECK_INT(s->nlocations, 3);
		CHECK(!is_merged(&b, s));
		heavy += b.p->values.data[s->first_value + 1] == 1000000 && s->nlabels == 2;
		others += b.p->values.data[s->first_value + 1] > THREADS / 2 && !s->nlabels;
	}
	CHECK_INT(heavy, 1);
	CHECK_INT(others, 1);
	CHECK_INT(stack_store_merged(b.store).stacks, 0);
	bench_release(&b);
}

TEST(stack_merge, many_rounds_lose_nothing_and_need_no_memory)
{
	struct bench b;
	u64 put_in = 0;

	bench_init(&b, NULL, false);
	for (u64 round = 0; round < 30; round++) {
		for (u64 i = 0; i < 2000; i++, put_in++)
			put_rare(&b, put_in, i % 64, 1 + i);
		pass_epochs(&b);
		short_memory_after(0);
		merge(&b, 100000);
		short_memory_after(-1);
		CHECK(size_of(&b) <= 100000);
	}
	convert(&b, NULL);
	CHECK_INT(total(&b, 0), put_in);
	CHECK(b.p->samples.len > 100 && b.p->samples.len < 500);
	bench_release(&b);
}

TEST(stack_merge, kernel_frames_are_shared_and_stay_in_order)
{
	u64 frames[5] = {FRAME(MODULE_KERNEL, 0xffff81000003), FRAME(MODULE_KERNEL, 0xffff81000002),
			 FRAME(MODULE_KERNEL, 0xffff81000001), FRAME(NO_MODULE, 0),
			 FRAME(NO_MODULE, 1)};
	struct bench b;

	bench_init(&b, NULL, false);
	for (u64 i = 0; i < 100; i++) {
		frames[3] = FRAME(NO_MODULE, 0x100 + i);
		put(&b, i, 1, frames, 5);
		CHECK_INT(count(&b, i, 1, i == 50 ? 1000 : 1), 0);
	}
	pass_epochs(&b);
	merge(&b, size_of(&b) / 2);
	convert(&b, NULL);
	CHECK_INT(total(&b, 1), 1099);
	vec_for_each(&b.p->samples, s) {
		if (is_merged(&b, s))
			continue;
		CHECK_INT(s->nlocations, 5);
		CHECK_INT(frame_at(&b, s, 0)->address, 0xffffffff81000003);
		CHECK_INT(frame_at(&b, s, 2)->address, 0xffffffff81000001);
		CHECK_INT(frame_at(&b, s, 3)->address, 0x100 + 50);
		CHECK_INT(b.p->values.data[s->first_value + 1], 1000);
	}
	CHECK_INT(b.p->samples.len, 2);
	bench_release(&b);
}

/* ---- rules of the kinds ---- */

static void add_sizes(void *arg, struct sample_key *key, struct sample_count *n)
{
	n->weight = n->samples * key->object;
	key->cause = 9;
}

static u32 skip_marked(void *arg, const u64 *frames, u32 nframes)
{
	return FRAME_OFF(frames[0]) == 0xbad ? nframes : 0;
}

static void bytes(void *arg, const struct sample_key *key, const struct sample_tally *t,
		  s64 values[SAMPLE_VALUES_MAX])
{
	bool sums = key->cause == 9;

	values[0] = (s64)(sums ? t->count.weight : t->count.samples * key->object);
	values[1] = (s64)(sums ? t->live.weight : t->live.samples * key->object);
}

static const struct stack_kind heap_like = {
	.live = true, .forget_object = add_sizes, .skip = skip_marked};
static const struct sample_mapping bytes_mapping = {.values = bytes};

static void allocate(struct bench *b, u64 number, u64 size, u64 leaf)
{
	const u64 frames[2] = {FRAME(NO_MODULE, leaf), FRAME(NO_MODULE, 1)};
	const struct sample_key key = {.stack = number, .object = size, .cause = 1};
	const struct thread_id owner = {.tgid = {1}};

	stack_store_put(b->store, &key, &owner, frames, 2);
	CHECK_INT(stack_store_add(b->store, &key, TALLY_COUNT, &(struct sample_count){1, 0}), 0);
}

TEST(stack_merge, sizes_add_up_and_what_is_alive_finds_its_stack)
{
	enum { BLOCKS = 10000 };
	s64 allocated = 0, alive = 0;
	struct bench b;

	bench_init(&b, &heap_like, false);
	for (u64 i = 1; i <= BLOCKS; i++) {
		allocate(&b, i, i, 0x1000 + i % 5000);
		allocated += (s64)i;
	}
	pass_epochs(&b);
	stack_store_merge_begin(b.store);
	for (u64 i = 1; i <= BLOCKS; i += 10)
		stack_store_await(b.store,
				  &(struct sample_key){.stack = i, .object = i, .cause = 1}, 1);
	stack_store_merge(b.store, size_of(&b) / 8);
	for (u64 i = 1; i <= BLOCKS; i += 10) {
		struct sample_key key = {.stack = i, .object = i, .cause = 1};

		CHECK_INT(stack_store_add(b.store, &key, TALLY_LIVE, &(struct sample_count){1, 0}),
			  0);
		alive += (s64)i;
	}
	convert(&b, &bytes_mapping);
	CHECK_INT(total(&b, 0), allocated);
	CHECK_INT(total(&b, 1), alive);
	/* None was counted without its callers. */
	vec_for_each(&b.p->samples, s)
		CHECK_INT(s->nlocations, 2);
	bench_release(&b);
}

TEST(stack_merge, what_is_left_out_is_merged_with_nothing_that_is_shown)
{
	struct bench b;

	bench_init(&b, &heap_like, false);
	for (u64 i = 1; i <= 5000; i++)
		allocate(&b, i, 100, i % 2 ? 0xbad : 0x1000 + i);
	pass_epochs(&b);
	merge(&b, size_of(&b) / 8);
	convert(&b, &bytes_mapping);
	CHECK_INT(total(&b, 0), 2500 * 100);
	bench_release(&b);
}

TEST(stack_merge, wakers_are_merged_with_their_waits)
{
	const struct stack_kind kind = {.chained = true};
	const struct thread_id owner = {.tgid = {1}};
	enum { WAITS = 5000 };
	size_t before;
	struct bench b;

	bench_init(&b, &kind, false);
	for (u64 i = 1; i <= WAITS; i++) {
		const u64 waits[2] = {FRAME(NO_MODULE, 0x1000 + i), FRAME(NO_MODULE, 1)};
		const u64 wakes[2] = {FRAME(NO_MODULE, 0x9000 + i), FRAME(NO_MODULE, 2)};
		const struct sample_key waiter = {.stack = i}, waker = {.stack = WAITS + i};
		const struct sample_key both = {.stack = i, .object = WAITS + i, .cause = 3};

		stack_store_put(b.store, &waiter, &owner, waits, 2);
		stack_store_put(b.store, &waker, &owner, wakes, 2);
		CHECK_INT(
			stack_store_add(b.store, &both, TALLY_COUNT, &(struct sample_count){1, 8}),
			0);
	}
	pass_epochs(&b);
	before = size_of(&b);
	merge(&b, before / 8);
	CHECK(size_of(&b) <= before / 8);
	convert(&b, NULL);
	CHECK_INT(total(&b, 1), WAITS * 8);
	CHECK_INT(b.p->samples.len, 1);
	CHECK_INT(b.p->samples.data[0].nlocations, 5); /* 2, merged, --, merged, 1 */
	CHECK_INT(frame_at(&b, &b.p->samples.data[0], 0)->address, 2);
	CHECK_STR(name_at(&b, &b.p->samples.data[0], 1), MERGED);
	CHECK_STR(name_at(&b, &b.p->samples.data[0], 2), "--");
	CHECK_STR(name_at(&b, &b.p->samples.data[0], 3), MERGED);
	bench_release(&b);
}

TEST(stack_merge, nothing_new_is_taken_in_above_the_limit)
{
	struct bench b;

	bench_init(&b, NULL, false);
	stack_store_limit(b.store, 200000);
	for (u64 i = 0; i < RARE; i++)
		put_rare(&b, i, 2, 1);
	CHECK(stack_store_is_tight(b.store));
	CHECK(size_of(&b) < 201000);
	CHECK(stack_store_merged(b.store).stacks > RARE / 2);
	convert(&b, NULL);
	CHECK_INT(total(&b, 0), RARE);
	bench_release(&b);
}

TEST(stack_merge, addresses_of_jitted_code_stay_with_their_process)
{
	const u64 frames[3] = {FRAME(NO_MODULE, 5), FRAME(MODULE_ANON, 0x7f1234),
			       FRAME(NO_MODULE, 1)};
	struct bench b;

	bench_init(&b, NULL, false);
	for (u32 tgid = 1; tgid <= 2; tgid++) {
		const struct sample_key key = {.stack = 5, .tgid = {tgid}};
		const struct thread_id owner = {.tgid = {tgid}};

		stack_store_put(b.store, &key, &owner, frames, 3);
		CHECK_INT(stack_store_add(b.store, &key, TALLY_COUNT, &(struct sample_count){1, 9}),
			  0);
	}
	convert(&b, NULL);
	CHECK_INT(b.p->samples.len, 2);
	CHECK(frame_at(&b, &b.p->samples.data[0], 1)->mapping !=
	      frame_at(&b, &b.p->samples.data[1], 1)->mapping);
	bench_release(&b);
}

/* These stacks were sent before merging began, and their counts come after it. They still count
 * below the frame that they share. */
static void count_after_merging(size_t part)
{
	enum { SENT = 2000 };
	struct bench b;

	bench_init(&b, NULL, false);
	put_many(&b);
	for (u64 i = 0; i < SENT; i++) {
		const u64 frames[] = {FRAME(NO_MODULE, 0x100 + i), FRAME(NO_MODULE, 4),
				      FRAME(NO_MODULE, 5), FRAME(NO_MODULE, 1)};

		put(&b, 100000 + i, 1, frames, ARRAY_LEN(frames));
	}
	CHECK_INT(count(&b, 100000, 1, RARE * 10), 0); /* so that their frame is worth keeping */
	merge(&b, size_of(&b) / part);
	for (u64 i = 0; i < SENT; i++)
		CHECK_INT(count(&b, 100000 + i, 1, 1), 0);
	convert(&b, NULL);
	CHECK_INT(total(&b, 1), RARE * 20 + SENT);
	vec_for_each(&b.p->samples, s)
		CHECK(!is_merged(&b, s) || s->nlocations > 1);
	bench_release(&b);
}

TEST(stack_merge, what_stands_for_nothing_yet_keeps_its_place_through_all_rounds)
{
	for (size_t part = 2; part <= 6; part++)
		count_after_merging(part);
}
