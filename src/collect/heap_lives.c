/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks that are alive: see heap_lives.h. */
#include "collect/heap_lives.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "collect/heap_amount.h"

#define BATCH 1024
#define LOOK_NS 500000000ull /* between two looks for growth */
#define COST_SHARE 20 /* looks take at most one part in so many of cprof's time */
#define PEAK_STEP 100 /* a peak is looked at anew when it has grown by one part in so many */

struct live_group { /* blocks with one key */
	struct sample_key key;
	struct sample_count now, peak;
	UT_hash_handle hh;
};

struct live_stack_key {
	u64 stack;
	struct global_pid tgid;
	u32 pad;
};

struct live_stack { /* blocks with one stack of one process, of all sizes */
	struct live_stack_key key;
	struct heap_growth growth; /* ages are times of allocation until the end */
	double bytes, before, first;
	u32 looks, rises;
	bool fell;
	UT_hash_handle hh;
};

struct heap_lives {
	struct heap_lives_options opt;
	struct live_group *groups;
	struct live_stack *stacks;
	u64 next_look_ns, look_cost_ns;
	u64 peak_gauge; /* the kernel's estimate when the peak was last read */
	double peak_bytes;
};

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* ---- reading the map ---- */

typedef int (*live_fn)(struct heap_lives *l, const struct heap_live *block, void *arg);

static int each_block(struct heap_lives *l, live_fn fn, void *arg)
{
	struct heap_block *blocks = calloc(BATCH, sizeof(*blocks));
	struct heap_live *values = calloc(BATCH, sizeof(*values));
	int err = blocks && values ? 0 : -ENOMEM;
	u64 position = 0; /* opaque to us */
	bool first = true;

	while (!err) {
		u32 n = BATCH;
		int code = bpf_map_lookup_batch(l->opt.map_fd, first ? NULL : &position, &position,
						blocks, values, &n, NULL);

		/* ENOENT: that was the last batch. */
		for (u32 i = 0; (!code || code == -ENOENT) && i < n && !err; i++)
			err = fn(l, &values[i], arg);
		if (!err)
			err = code;
		first = false;
	}
	free(blocks);
	free(values);
	return err == -ENOENT ? 0 : err;
}

static struct live_group *group_of(struct heap_lives *l, const struct sample_key *key)
{
	struct live_group *g;

	HASH_FIND(hh, l->groups, key, sizeof(*key), g);
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->key = *key;
	HASH_ADD(hh, l->groups, key, sizeof(g->key), g);
	if (HASH_ADDED(g))
		return g;
	free(g);
	return NULL;
}

static struct live_stack_key stack_key(const struct sample_key *key)
{
	return (struct live_stack_key){.stack = key->stack, .tgid = key->tgid};
}

static struct live_stack *stack_of(struct heap_lives *l, const struct sample_key *key)
{
	struct live_stack_key want = stack_key(key);
	struct live_stack *s;

	HASH_FIND(hh, l->stacks, &want, sizeof(want), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = want;
	HASH_ADD(hh, l->stacks, key, sizeof(s->key), s);
	if (HASH_ADDED(s))
		return s;
	free(s);
	return NULL;
}

/* ---- looks ---- */

static int look_at(struct heap_lives *l, const struct heap_live *block, void *arg)
{
	const struct sample_count one = {.samples = 1, .weight = block->weight};
	double *total = arg, bytes = heap_amount_of(l->opt.rate, &block->key, &one).bytes;
	struct live_group *g = group_of(l, &block->key);
	struct live_stack *s = stack_of(l, &block->key);

	if (!g || !s)
		return -ENOMEM;
	g->now.samples++;
	g->now.weight += block->weight;
	if (s->bytes == 0 || block->time < s->growth.oldest_ns)
		s->growth.oldest_ns = block->time;
	if (s->bytes == 0 || block->time > s->growth.youngest_ns)
		s->growth.youngest_ns = block->time;
	s->bytes += bytes;
	*total += bytes;
	return 0;
}

static void look_begins(struct heap_lives *l)
{
	struct live_group *g, *next_group;
	struct live_stack *s, *next_stack;

	HASH_ITER(hh, l->groups, g, next_group)
		g->now = (struct sample_count){0};
	HASH_ITER(hh, l->stacks, s, next_stack) {
		s->before = s->bytes;
		s->bytes = 0;
	}
}

static void look_ends(struct heap_lives *l, double total)
{
	bool highest = total > l->peak_bytes;
	struct live_group *g, *next_group;
	struct live_stack *s, *next_stack;

	HASH_ITER(hh, l->stacks, s, next_stack) {
		if (!s->looks++)
			s->first = s->bytes;
		s->fell |= s->bytes < s->before;
		s->rises += s->bytes > s->before;
	}
	if (!highest)
		return;
	l->peak_bytes = total;
	HASH_ITER(hh, l->groups, g, next_group)
		g->peak = g->now;
}

static int look(struct heap_lives *l)
{
	double total = 0;
	int err;

	look_begins(l);
	err = each_block(l, look_at, &total);
	look_ends(l, total);
	return err;
}

int heap_lives_watch(struct heap_lives *l, u64 now_ns, u64 bytes)
{
	bool rose = l->opt.peak && bytes > l->peak_gauge + l->peak_gauge / PEAK_STEP;
	int err;

	if ((!l->opt.leaks && !rose) || now_ns < l->next_look_ns)
		return 0;
	err = look(l);
	l->look_cost_ns = now() - now_ns;
	l->next_look_ns = now_ns + l->look_cost_ns * COST_SHARE;
	if (l->opt.leaks && l->next_look_ns < now_ns + LOOK_NS && !l->opt.peak)
		l->next_look_ns = now_ns + LOOK_NS;
	if (bytes > l->peak_gauge)
		l->peak_gauge = bytes;
	return err;
}

/* ---- the end ---- */

struct ending {
	u64 now_ns;
	struct bpf_session *session;
};

static int count_block(struct heap_lives *l, const struct heap_live *block, void *arg)
{
	const struct ending *e = arg;
	struct sample_tally *tally;

	if (l->opt.older_than_ns && block->time + l->opt.older_than_ns > e->now_ns)
		return 0;
	/* Frames that were lost are counted as lost samples already. */
	tally = bpf_session_tally(e->session, &block->key);
	if (tally) {
		tally->live.samples++;
		tally->live.weight += block->weight;
	}
	return 0;
}

static void finish_growth(struct heap_lives *l, u64 now_ns)
{
	struct live_stack *s, *next;

	HASH_ITER(hh, l->stacks, s, next) {
		struct heap_growth *g = &s->growth;

		g->oldest_ns = now_ns > g->oldest_ns ? now_ns - g->oldest_ns : 0;
		g->youngest_ns = now_ns > g->youngest_ns ? now_ns - g->youngest_ns : 0;
		g->grown = s->bytes - s->first;
		g->only_grew = !s->fell && s->rises > 1;
	}
}

static void count_peak(struct heap_lives *l, struct bpf_session *session)
{
	struct live_group *g, *next;

	HASH_ITER(hh, l->groups, g, next) {
		struct sample_tally *tally = bpf_session_tally(session, &g->key);

		if (tally)
			tally->peak = g->peak;
	}
}

int heap_lives_finish(struct heap_lives *l, u64 now_ns, struct bpf_session *session)
{
	struct ending e = {.now_ns = now_ns, .session = session};
	int err = 0;

	if (l->opt.leaks || l->opt.peak)
		err = look(l);
	if (l->opt.leaks)
		finish_growth(l, now_ns);
	if (l->opt.peak)
		count_peak(l, session);
	return err ? err : each_block(l, count_block, &e);
}

const struct heap_growth *heap_lives_growth(const struct heap_lives *l,
					    const struct sample_key *key)
{
	struct live_stack_key want = stack_key(key);
	struct live_stack *s;

	if (!l || !l->opt.leaks)
		return NULL;
	HASH_FIND(hh, l->stacks, &want, sizeof(want), s);
	return s && s->bytes > 0 ? &s->growth : NULL;
}

/* ---- life ---- */

int heap_lives_new(const struct heap_lives_options *opt, struct heap_lives **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->opt = *opt;
	return 0;
}

void heap_lives_free(struct heap_lives *l)
{
	struct live_group *g, *next_group;
	struct live_stack *s, *next_stack;

	if (!l)
		return;
	HASH_ITER(hh, l->groups, g, next_group) {
		HASH_DEL(l->groups, g);
		free(g);
	}
	HASH_ITER(hh, l->stacks, s, next_stack) {
		HASH_DEL(l->stacks, s);
		free(s);
	}
	free(l);
}
