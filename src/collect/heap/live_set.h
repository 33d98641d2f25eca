/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the live blocks from the kernel's map: at the end, and while recording if the user wants to
 * know which stacks only ever grew (--leaks) or what was alive at the peak (--peak).
 */
#ifndef CPROF_COLLECT_LIVE_SET_H
#define CPROF_COLLECT_LIVE_SET_H

#include "base/bpf_shared.h"
#include "collect/session/bpf_session.h"

struct live_set;

struct live_set_options {
	int map_fd; /* maps struct heap_block to struct heap_live */
	struct bpf_session *session; /* borrowed, and must outlive it */
	u64 rate;
	u64 older_than_ns; /* younger blocks do not count at the end */
	bool leaks, peak;
};

/* Describes all blocks of one stack. */
struct heap_growth {
	u64 oldest_ns, youngest_ns; /* ages */
	double grown; /* bytes now, minus bytes at the first look */
	/* it never fell from one look to the next, and rose twice; the first look may be one of
	 * these */
	bool only_grew;
};

int live_set_new(const struct live_set_options *opt, struct live_set **out) MUST_CHECK;
void live_set_free(struct live_set *l);

/* Call it repeatedly while recording; it reads the map when it is time. `bytes` is the kernel's
 * estimate. */
int live_set_watch(struct live_set *l, u64 now_ns, u64 bytes) MUST_CHECK;
/*
 * Adds the live blocks, and those that were alive at the peak, to the session's stacks at any time.
 * They replace what the last call added. Returns a negative errno where some of them could not be
 * read; the others were added.
 */
int live_set_read(struct live_set *l, u64 now_ns) MUST_CHECK;
/* Calls stack_store_await() for every block. */
int live_set_await(struct live_set *l, struct stack_store *store) MUST_CHECK;

/* Returns the growth as of the last live_set_read(). Returns false if growth was not requested, or
 * if nothing of that stack is alive. */
bool live_set_growth(const struct live_set *l, const struct sample_key *key,
		     struct heap_growth *out);

#endif
