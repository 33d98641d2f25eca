/* SPDX-License-Identifier: Apache-2.0 */
/* Counted stacks: keys, sums, and what they become in a profile. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collect/session/stack_store.h"
#include "short_memory.h"
#include "target/pid_space.h"
#include "unit.h"

struct bench {
	struct stack_store *store;
	struct module_set *modules;
	struct profile *p;
	struct target target;
	struct collect_options opt;
};

static void bench_init_kind(struct bench *b, const struct stack_kind *kind, bool two_types,
			    bool labels)
{
	memset(b, 0, sizeof(*b));
	b->opt.by_process = b->opt.by_thread = labels;
	b->opt.target = &b->target;
	CHECK_INT(stack_store_new(&b->opt, kind, &b->store), 0);
	CHECK_INT(module_set_new(NULL, NULL, &b->modules), 0);
	CHECK_INT(profile_new(&b->p), 0);
	if (two_types)
		CHECK_INT(profile_add_sample_type(b->p, "samples", "count"), 0);
	CHECK_INT(profile_add_sample_type(b->p, "cpu", "nanoseconds"), 0);
}

static void bench_release(struct bench *b)
{
	profile_free(b->p);
	stack_store_free(b->store);
	module_set_free(b->modules);
}

static void bench_init(struct bench *b, bool two_types)
{
	bench_init_kind(b, NULL, two_types, false);
}

/* Adds a module without a file behind it, because only its place in the address space matters
 * here. */
static u32 add_module(struct bench *b, const char *path, u64 start, u64 end, u64 offset)
{
	struct module *m = calloc(1, sizeof(*m));
	int number;

	CHECK(m);
	m->kind = MODULE_KIND_FILE;
	m->path = strdup(path);
	m->root = TARGET_ROOT_NONE;
	m->start = start;
	m->end = end;
	m->offset = offset;
	m->inode = start;
	number = module_set_add(b->modules, m);
	CHECK(number >= MODULE_FIRST_FILE);
	return (u32)number;
}

static void count(struct bench *b, u64 stack, u32 tgid, const u64 *frames, u32 n, u64 samples,
		  u64 weight)
{
	struct sample_key key = {.stack = stack, .tgid = {b->opt.by_process ? tgid : 0}};
	struct thread_id owner = {
		.tgid = {tgid}, .tid = {tgid + 1}, .comm = "worker", .leader_comm = "shop"};
	struct sample_count c = {.samples = samples, .weight = weight};

	stack_store_put(b->store, &key, &owner, frames, n);
	CHECK_INT(stack_store_add(b->store, &key, TALLY_COUNT, &c), 0);
}

static const struct profile_location *location_of(const struct bench *b, u32 sample, u32 depth)
{
	const struct profile_sample *s = &b->p->samples.data[sample];

	CHECK(depth < s->nlocations);
	return &b->p->locations.data[b->p->stack_locations.data[s->first_location + depth]];
}

static const struct profile_mapping *mapping_of(const struct bench *b,
						const struct profile_location *l)
{
	return &b->p->mappings.data[l->mapping];
}

static const char *only_name(const struct bench *b, const struct profile_location *l)
{
	CHECK_INT(l->nlines, 1);
	return profile_text(b->p,
			    b->p->functions.data[b->p->lines.data[l->first_line].function].name);
}

TEST(stack_store, counts_add_up_per_key)
{
	struct sample_key unknown = {.stack = 99};
	struct sample_count one = {.samples = 1};
	u64 frames[1];
	struct bench b;

	bench_init(&b, true);
	frames[0] = FRAME(add_module(&b, "/bin/a", 0x400000, 0x402000, 0x1000), 0x1234);
	count(&b, 7, 1, frames, 1, 3, 30);
	count(&b, 7, 1, frames, 1, 2, 20);
	CHECK_INT(stack_store_add(b.store, &unknown, TALLY_COUNT, &one), -ENOENT);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->samples.len, 1);
	CHECK_INT(b.p->values.data[0], 5);
	CHECK_INT(b.p->values.data[1], 50);
	bench_release(&b);
}

TEST(stack_store, one_sample_type_takes_the_weight)
{
	u64 frames[1] = {FRAME(MODULE_KERNEL, 0xffff81234567)};
	struct bench b;

	bench_init(&b, false);
	count(&b, 7, 1, frames, 1, 3, 4711);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->values.data[0], 4711);
	bench_release(&b);
}

TEST(stack_store, offsets_become_addresses_in_the_mapping)
{
	u64 frames[3];
	struct bench b;
	u32 m;

	bench_init(&b, true);
	m = add_module(&b, "/lib/x.so", 0x7f0000001000, 0x7f0000003000, 0x1000);
	frames[0] = FRAME(m, 0x1010); /* inside */
	frames[1] = FRAME(m, 0x9020); /* in another piece, after the first one */
	frames[2] = FRAME(m, 0x0030); /* and before it */
	count(&b, 1, 1, frames, 3, 1, 1);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(location_of(&b, 0, 0)->address, 0x7f0000001010);
	CHECK_INT(location_of(&b, 0, 1)->address, 0x7f0000009020);
	CHECK_INT(location_of(&b, 0, 2)->address, 0x7f0000000030);
	CHECK_INT(mapping_of(&b, location_of(&b, 0, 0))->start, 0x7f0000000000);
	CHECK_INT(mapping_of(&b, location_of(&b, 0, 0))->offset, 0);
	CHECK_INT(mapping_of(&b, location_of(&b, 0, 0))->limit, 0x7f000000a000);
	CHECK_INT(b.p->mappings.len, 1);
	bench_release(&b);
}

TEST(stack_store, kernel_addresses_get_their_upper_bits_back)
{
	u64 frames[1] = {FRAME(MODULE_KERNEL, 0xffffffff81000123ull)};
	struct bench b;

	bench_init(&b, true);
	count(&b, 1, 1, frames, 1, 1, 1);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(location_of(&b, 0, 0)->address, 0xffffffff81000123ull);
	CHECK_INT(mapping_of(&b, location_of(&b, 0, 0))->kind, PROFILE_MAPPING_KERNEL);
	CHECK_STR(profile_text(b.p, mapping_of(&b, location_of(&b, 0, 0))->path),
		  "[kernel.kallsyms]");
	bench_release(&b);
}

TEST(stack_store, a_cut_stack_says_why_at_its_root)
{
	u64 frames[2] = {FRAME(MODULE_KERNEL, 1), FRAME(MODULE_CUT, STACK_TOO_DEEP)};
	struct bench b;

	bench_init(&b, true);
	count(&b, 1, 1, frames, 2, 1, 1);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_STR(only_name(&b, location_of(&b, 0, 1)), "[stack cut: deeper than 1024 frames]");
	CHECK_INT(mapping_of(&b, location_of(&b, 0, 1))->kind, PROFILE_MAPPING_SYNTHETIC);
	bench_release(&b);
}

TEST(stack_store, equal_stacks_of_two_processes_are_one_without_labels)
{
	u64 frames[1];
	struct bench b;

	bench_init(&b, true);
	frames[0] = FRAME(add_module(&b, "/bin/a", 0x1000, 0x2000, 0), 0x10);
	count(&b, 5, 100, frames, 1, 1, 10);
	count(&b, 5, 200, frames, 1, 1, 10);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->samples.len, 1);
	CHECK_INT(b.p->values.data[1], 20);
	bench_release(&b);
}

TEST(stack_store, labels_tell_processes_and_threads_apart)
{
	const struct profile_label *l;
	u64 frames[1];
	struct bench b;

	bench_init_kind(&b, NULL, true, true);
	frames[0] = FRAME(add_module(&b, "/bin/a", 0x1000, 0x2000, 0), 0x10);
	count(&b, 5, 100, frames, 1, 1, 10);
	count(&b, 5, 200, frames, 1, 1, 10);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->samples.len, 2);
	CHECK_INT(b.p->samples.data[0].nlabels, 4);
	l = &b.p->labels.data[b.p->samples.data[0].first_label];
	CHECK_STR(profile_text(b.p, l[0].key), "comm");
	CHECK_STR(profile_text(b.p, l[0].str), "shop");
	bench_release(&b);
}

TEST(stack_store, jit_code_belongs_to_its_process)
{
	u64 frames[1] = {FRAME(MODULE_ANON, 0x7f1234)};
	struct bench b;

	bench_init_kind(&b, NULL, true, true); /* the kernel itself sets the tgid of such keys */
	count(&b, 5, (u32)getpid(), frames, 1, 1, 10);
	count(&b, 5, (u32)getppid(), frames, 1, 1, 10);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->mappings.len, 2);
	CHECK_INT(b.p->mappings.data[0].kind, PROFILE_MAPPING_JIT);
	CHECK_INT(location_of(&b, 0, 0)->address, 0x7f1234);
	CHECK(location_of(&b, 0, 0)->mapping != location_of(&b, 1, 0)->mapping);
	bench_release(&b);
}

TEST(stack_store, the_targets_program_is_mapping_0)
{
	struct process_info info = {.tgid = 1, .exe = "/bin/main"};
	u64 frames[2];
	struct bench b;

	bench_init(&b, true);
	CHECK_INT(vec_push(&b.target.processes, info), 0);
	frames[0] = FRAME(add_module(&b, "/lib/x.so", 0x1000, 0x2000, 0), 0x10);
	frames[1] = FRAME(add_module(&b, "/bin/main", 0x5000, 0x6000, 0), 0x20);
	count(&b, 5, 1, frames, 2, 1, 10);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_STR(profile_text(b.p, b.p->mappings.data[0].path), "/bin/main");
	CHECK(b.p->mappings.data[0].source == module_set_get(b.modules, FRAME_MODULE(frames[1])));
	vec_release(&b.target.processes);
	bench_release(&b);
}

TEST(module_set, files_are_found_again_by_device_and_inode)
{
	struct map_entry e = {.inode = 0x1000};
	struct bench b;
	u32 number;

	bench_init(&b, true);
	number = add_module(&b, "/bin/a", 0x1000, 0x2000, 0);
	CHECK_INT(module_set_find(b.modules, &e), number);
	e.dev_minor = 1;
	CHECK_INT(module_set_find(b.modules, &e), MODULE_NONE);
	CHECK(module_set_get(b.modules, MODULE_VDSO)->elf);
	CHECK(!module_set_get(b.modules, MODULE_MAX));
	bench_release(&b);
}

TEST(stack_store, what_finds_no_memory_is_counted_all_the_same)
{
	struct sample_count one = {.samples = 1, .weight = 1};
	struct thread_id owner = {.tgid = {1}, .tid = {1}};
	enum { KEYS = 2000 }; /* enough for the tables to grow several times */
	struct bench b;
	u32 module;
	s64 sum = 0;

	bench_init(&b, false);
	module = add_module(&b, "/bin/a", 0x400000, 0x402000, 0);
	for (u64 i = 0; i < KEYS; i++) {
		struct sample_key key = {.stack = i};
		u64 frame = FRAME(module, i);

		/* Every other stack finds no memory. */
		short_memory_after(i % 2 ? -1 : 0);
		stack_store_put(b.store, &key, &owner, &frame, 1);
		CHECK_INT(stack_store_add(b.store, &key, TALLY_COUNT, &one), 0);
		short_memory_after(-1);
	}
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	vec_for_each(&b.p->values, value)
		sum += *value;
	CHECK_INT(sum, KEYS);
	CHECK(stack_store_merged(b.store).stacks > 0);
	CHECK(stack_store_is_tight(b.store));
	CHECK_INT(b.p->samples.len, KEYS - stack_store_merged(b.store).stacks + 1);
	bench_release(&b);
}

TEST(stack_store, generated_code_without_memory_has_no_module_yet)
{
	const struct proc_pid self = pid_to_proc(getpid());
	struct module_set *set;
	struct module *m = NULL;
	long failed = 0;

	CHECK_INT(module_set_new(NULL, NULL, &set), 0);
	while (!m) {
		short_memory_after(failed++);
		m = module_set_jit(set, self);
		short_memory_after(-1);
	}
	CHECK(failed > 3); /* the entry, the module, the table, its buckets */
	CHECK(module_set_jit(set, self) == m);
	module_set_free(set);
}

TEST(stack_store, frames_of_a_bare_key_are_those_of_its_causes)
{
	struct sample_key bare = {.stack = 7}, lock = {.stack = 7, .object = 0x1000, .cause = 2};
	struct sample_key other = {.stack = 8, .cause = 2};
	struct sample_count n = {.samples = 2, .weight = 20};
	struct thread_id owner = {.tgid = {1}};
	u64 frames[1] = {FRAME(MODULE_KERNEL, 0xffff81234567)};
	struct bench b;

	bench_init(&b, true);
	stack_store_put(b.store, &bare, &owner, frames, 1);
	CHECK_INT(stack_store_add(b.store, &lock, TALLY_COUNT, &n), 0);
	CHECK_INT(stack_store_add(b.store, &lock, TALLY_COUNT, &n), 0);
	CHECK_INT(stack_store_add(b.store, &other, TALLY_COUNT, &n), -ENOENT);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->samples.len, 1);
	CHECK_INT(b.p->values.data[0], 4);
	CHECK_INT(b.p->values.data[1], 40);
	bench_release(&b);
}

TEST(stack_store, weights_of_a_cause_are_brought_to_a_sum)
{
	struct sample_key a = {.stack = 7}, z = {.stack = 8}, other = {.stack = 7, .cause = 3};
	struct sample_count one = {1, 10}, three = {3, 30};
	struct thread_id owner = {.tgid = {1}};
	u64 frames[2] = {FRAME(MODULE_KERNEL, 0xffff81234567),
			 FRAME(MODULE_KERNEL, 0xffff81234568)};
	struct bench b;

	bench_init(&b, true);
	stack_store_put(b.store, &a, &owner, frames, 1);
	stack_store_put(b.store, &z, &owner, frames + 1, 1);
	/* nothing was counted, so there is nothing to divide */
	stack_store_scale(b.store, 0, 1000);
	CHECK_INT(stack_store_add(b.store, &a, TALLY_COUNT, &one), 0);
	CHECK_INT(stack_store_add(b.store, &z, TALLY_COUNT, &three), 0);
	CHECK_INT(stack_store_add(b.store, &other, TALLY_COUNT, &one), 0);
	stack_store_scale(b.store, 0, 1000);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, NULL, b.p), 0);
	CHECK_INT(b.p->samples.len, 2);
	CHECK_INT(b.p->values.data[1], 250 + 10);
	CHECK_INT(b.p->values.data[3], 750);
	bench_release(&b);
}

static void both_values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
			s64 values[SAMPLE_VALUES_MAX])
{
	values[0] = (s64)tally->count.samples;
	values[1] = (s64)tally->count.weight;
}

TEST(stack_store, a_wakers_stack_follows_upside_down)
{
	const struct stack_kind kind = {.chained = true};
	struct sample_mapping mapping = {.values = both_values};
	struct sample_key waiter = {.stack = 7}, waker = {.stack = 9},
			  both = {.stack = 7, .object = 9};
	struct sample_key gone = {.stack = 7, .object = 11};
	struct sample_count one = {1, 10};
	struct thread_id owner = {.tgid = {1}};
	u64 waits[2], wakes[2];
	struct bench b;
	u32 m;

	bench_init_kind(&b, &kind, true, false);
	m = add_module(&b, "/bin/a", 0x400000, 0x402000, 0x1000);
	waits[0] = FRAME(m, 0x1010);
	waits[1] = FRAME(m, 0x1020);
	wakes[0] = FRAME(m, 0x1030);
	wakes[1] = FRAME(m, 0x1040);
	stack_store_put(b.store, &waiter, &owner, waits, 2);
	stack_store_put(b.store, &waker, &owner, wakes, 2);
	CHECK_INT(stack_store_add(b.store, &both, TALLY_COUNT, &one), 0);
	CHECK_INT(stack_store_add(b.store, &gone, TALLY_COUNT, &one), 0);
	CHECK_INT(stack_store_to_profile(b.store, b.modules, &b.opt, &mapping, b.p), 0);
	CHECK_INT(b.p->samples.len, 2);
	CHECK_INT(b.p->samples.data[1].nlocations, 5);
	CHECK_INT(location_of(&b, 1, 0)->address, 0x400040);
	CHECK_INT(location_of(&b, 1, 1)->address, 0x400030);
	CHECK_STR(only_name(&b, location_of(&b, 1, 2)), "--");
	CHECK_INT(location_of(&b, 1, 3)->address, 0x400010);
	CHECK_INT(location_of(&b, 1, 4)->address, 0x400020);
	/* If the frames of a waker were lost, only the waiter's stack is left. */
	CHECK_INT(b.p->samples.data[0].nlocations, 2);
	bench_release(&b);
}
