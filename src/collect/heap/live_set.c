/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the live blocks: see live_set.h. */
#include "collect/heap/live_set.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "collect/heap/heap_amount.h"
#include "collect/session/map_walk.h"

#define LOOK_NS 500000000ull /* between two looks for growth */
#define COST_SHARE 20 /* looks take at most this fraction of cprof's time */
#define FALLEN_WORDS 8192u /* of 64 bits */
#define PEAK_STEP 100 /* a peak is read again when it has grown by this fraction */

struct live_stack_key {
	u64 stack;
	struct global_pid tgid;
	u32 pad;
};

struct live_stack { /* blocks with one stack of one process, of all sizes */
	struct live_stack_key key;
	u64 oldest, youngest; /* times of allocation */
	double bytes, before, first;
	u32 looks, rises;
	bool fell;
	UT_hash_handle hh;
};

struct live_set {
	struct live_set_options opt;
	struct stack_store *store;
	struct live_stack *stacks;
	u64 *fallen; /* a bit, by hash, for each stack that was forgotten when it held nothing */
	u64 next_look_ns, look_cost_ns;
	u64 read_ns; /* when it was last read */
	u64 peak_gauge; /* the kernel's estimate when the peak was last read */
	double peak_bytes;
};

/* ---- reading the map ---- */

typedef int (*live_fn)(struct live_set *l, const struct heap_live *block, void *arg);

struct block_walk {
	struct live_set *live;
	live_fn fn;
	void *arg;
};

static int hand_block(void *arg, const void *key, const void *value)
{
	const struct block_walk *w = arg;

	return w->fn(w->live, value, w->arg);
}

/* A block is put into the map after its frames have been sent. */
static void take_stacks(void *arg)
{
	bpf_session_take_stacks(((const struct block_walk *)arg)->live->opt.session);
}

static int each_block(struct live_set *l, live_fn fn, void *arg)
{
	struct block_walk w = {l, fn, arg};

	return map_walk(&(struct map_walk){.fd = l->opt.map_fd,
					   .key_size = sizeof(struct heap_block),
					   .value_size = sizeof(struct heap_live),
					   .entry = hand_block,
					   .batch = take_stacks,
					   .arg = &w});
}

static struct live_stack_key stack_key(const struct sample_key *key)
{
	return (struct live_stack_key){.stack = key->stack, .tgid = key->tgid};
}

static u64 fallen_bit(const struct live_stack_key *key, u64 *mask)
{
	u64 hash = (key->stack ^ key->tgid.nr) * 0x9e3779b97f4a7c15ull;

	*mask = 1ull << (hash >> 58);
	return (hash >> 32) & (FALLEN_WORDS - 1);
}

static struct live_stack *stack_new(struct live_set *l, const struct live_stack_key *key)
{
	struct live_stack *s = calloc(1, sizeof(*s));
	u64 mask, word = fallen_bit(key, &mask);

	if (!s)
		return NULL;
	s->key = *key;
	s->fell = l->fallen[word] & mask;
	HASH_ADD(hh, l->stacks, key, sizeof(s->key), s);
	if (HASH_ADDED(s))
		return s;
	free(s);
	return NULL;
}

static struct live_stack *stack_of(struct live_set *l, const struct sample_key *key)
{
	struct live_stack_key want = stack_key(key);
	struct live_stack *s;

	HASH_FIND(hh, l->stacks, &want, sizeof(want), s);
	return s ? s : stack_new(l, &want);
}

static void stack_free(struct live_set *l, struct live_stack *s)
{
	HASH_DEL(l->stacks, s);
	free(s);
}

/* The number of stacks that once held something is unbounded, and all that must be known is that
 * they did. */
static void forget(struct live_set *l, struct live_stack *s)
{
	u64 mask, word = fallen_bit(&s->key, &mask);

	l->fallen[word] |= mask;
	stack_free(l, s);
}

/* ---- looks ---- */

static int note_growth(struct live_set *l, const struct heap_live *block, double bytes)
{
	struct live_stack *s = stack_of(l, &block->key);

	if (!s)
		return -ENOMEM;
	if (s->bytes == 0 || block->time < s->oldest)
		s->oldest = block->time;
	if (s->bytes == 0 || block->time > s->youngest)
		s->youngest = block->time;
	s->bytes += bytes;
	return 0;
}

static double bytes_of(const struct live_set *l, const struct heap_live *block)
{
	const struct sample_count one = {.samples = 1, .weight = block->weight};

	return heap_amount_of(l->opt.rate, &block->key, &one).bytes;
}

/* Lost frames are already counted as lost samples. */
static void count_live(struct live_set *l, const struct heap_live *block)
{
	const struct sample_count one = {.samples = 1, .weight = block->weight};

	(void)stack_store_add(l->store, &block->key, TALLY_LIVE, &one);
}

static int look_at(struct live_set *l, const struct heap_live *block, void *arg)
{
	double *total = arg, bytes = bytes_of(l, block);

	*total += bytes;
	if (l->opt.peak)
		count_live(l, block);
	return l->opt.leaks ? note_growth(l, block, bytes) : 0;
}

static void look_begins(struct live_set *l)
{
	struct live_stack *s, *next;

	stack_store_forget_live(l->store);
	HASH_ITER(hh, l->stacks, s, next) {
		s->before = s->bytes;
		s->bytes = 0;
	}
}

static void look_ends(struct live_set *l, double total)
{
	struct live_stack *s, *next;

	HASH_ITER(hh, l->stacks, s, next) {
		if (!s->looks++)
			s->first = s->bytes;
		s->fell |= s->bytes < s->before;
		s->rises += s->bytes > s->before;
		if (s->bytes == 0)
			forget(l, s);
	}
	if (!l->opt.peak || total <= l->peak_bytes)
		return;
	l->peak_bytes = total;
	stack_store_live_is_peak(l->store);
}

static int look(struct live_set *l)
{
	double total = 0;
	int err;

	look_begins(l);
	err = each_block(l, look_at, &total);
	look_ends(l, total);
	return err;
}

int live_set_watch(struct live_set *l, u64 now_ns, u64 bytes)
{
	bool rose = l->opt.peak && bytes > l->peak_gauge + l->peak_gauge / PEAK_STEP;
	int err;

	if ((!l->opt.leaks && !rose) || now_ns < l->next_look_ns)
		return 0;
	err = look(l);
	l->look_cost_ns = monotonic_ns() - now_ns;
	l->next_look_ns = now_ns + l->look_cost_ns * COST_SHARE;
	if (l->opt.leaks && l->next_look_ns < now_ns + LOOK_NS && !l->opt.peak)
		l->next_look_ns = now_ns + LOOK_NS;
	if (bytes > l->peak_gauge)
		l->peak_gauge = bytes;
	return err;
}

/* ---- live blocks ---- */

static int count_block(struct live_set *l, const struct heap_live *block, void *arg)
{
	const u64 *now_ns = arg;

	if (!l->opt.older_than_ns || block->time + l->opt.older_than_ns <= *now_ns)
		count_live(l, block);
	return 0;
}

int live_set_read(struct live_set *l, u64 now_ns)
{
	int err = 0, code;

	l->read_ns = now_ns;
	if (l->opt.leaks || l->opt.peak)
		err = look(l);
	stack_store_forget_live(l->store);
	code = each_block(l, count_block, &now_ns);
	return err ? err : code;
}

static int await_block(struct live_set *l, const struct heap_live *block, void *arg)
{
	stack_store_await(arg, &block->key, bytes_of(l, block));
	return 0;
}

int live_set_await(struct live_set *l, struct stack_store *store)
{
	return each_block(l, await_block, store);
}

static u64 age(const struct live_set *l, u64 time)
{
	return l->read_ns > time ? l->read_ns - time : 0;
}

bool live_set_growth(const struct live_set *l, const struct sample_key *key,
		     struct heap_growth *out)
{
	struct live_stack_key want = stack_key(key);
	struct live_stack *s;

	if (!l || !l->opt.leaks)
		return false;
	HASH_FIND(hh, l->stacks, &want, sizeof(want), s);
	if (!s || s->bytes <= 0)
		return false;
	*out = (struct heap_growth){
		.oldest_ns = age(l, s->oldest),
		.youngest_ns = age(l, s->youngest),
		.grown = s->bytes - s->first,
		.only_grew = !s->fell && s->rises > 1,
	};
	return true;
}

/* ---- creation and end ---- */

int live_set_new(const struct live_set_options *opt, struct live_set **out)
{
	struct live_set *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fallen = calloc(FALLEN_WORDS, sizeof(*l->fallen));
	if (!l->fallen) {
		free(l);
		return -ENOMEM;
	}
	l->opt = *opt;
	l->store = bpf_session_store(opt->session);
	*out = l;
	return 0;
}

void live_set_free(struct live_set *l)
{
	struct live_stack *s, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->stacks, s, next)
		stack_free(l, s);
	free(l->fallen);
	free(l);
}
