/* SPDX-License-Identifier: Apache-2.0 */
/* How a stack_store looks inside: for stack_store.c and stack_profile.c only. */
#ifndef CPROF_COLLECT_STACK_STORE_IMPL_H
#define CPROF_COLLECT_STACK_STORE_IMPL_H

#include "base/hash.h"
#include "collect/stack_store.h"

struct stack { /* shared by every key with the same frames */
	u64 hash;
	UT_hash_handle hh;
	u32 nframes;
	struct proc_pid tgid; /* who had it first: says what JIT frames mean */
	u64 frames[];
};

struct stack_entry {
	struct sample_key key;
	struct sample_tally tally;
	struct stack_owner owner;
	struct stack *stack;
	UT_hash_handle hh;
};

struct stack_store {
	struct stack *stacks;
	struct stack_entry *entries;
};

#endif
