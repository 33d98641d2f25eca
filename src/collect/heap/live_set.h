/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks that are alive, read from the kernel's map: at the end, and while recording where somebody
 * wants to know which stacks only ever grew (--leaks) or what was alive at the highest point (--peak).
 */
#ifndef CPROF_COLLECT_HEAP_LIVES_H
#define CPROF_COLLECT_HEAP_LIVES_H

#include "base/bpf_shared.h"
#include "collect/session/bpf_session.h"

struct heap_lives;

struct heap_lives_options {
	int map_fd; /* struct heap_block to struct heap_live */
	struct bpf_session *session; /* borrowed, outlives it */
	u64 rate;
	u64 older_than_ns; /* younger blocks do not count at the end */
	bool leaks, peak;
};

/* Of all blocks of one stack. */
struct heap_growth {
	u64 oldest_ns, youngest_ns; /* ages at the end */
	double grown; /* bytes at the end, less those at the first look */
	bool only_grew; /* from each look to the next, and more than once */
};

int heap_lives_new(const struct heap_lives_options *opt, struct heap_lives **out) MUST_CHECK;
void heap_lives_free(struct heap_lives *l);

/* While recording, again and again: looks at the map when it is time. `bytes`: what the kernel estimates. */
int heap_lives_watch(struct heap_lives *l, u64 now_ns, u64 bytes) MUST_CHECK;
/*
 * Once, when recording has stopped: adds what is alive, and what was at the peak, to the session's stacks. A negative
 * errno where some of it could not be read; the rest is there.
 */
int heap_lives_finish(struct heap_lives *l, u64 now_ns) MUST_CHECK;
/* stack_store_await() for every block. */
int heap_lives_await(struct heap_lives *l, struct stack_store *store) MUST_CHECK;

/* NULL when nobody asked, or when nothing of that stack is alive. After heap_lives_finish(). */
const struct heap_growth *heap_lives_growth(const struct heap_lives *l,
					    const struct sample_key *key);

#endif
