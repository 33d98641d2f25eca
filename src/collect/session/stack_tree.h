/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks as paths of one tree: a node is a frame and its caller, so that callers which many stacks share are
 * stored once. A stack is known by the node of its leaf.
 *
 * The kernel's frames at the leaf are the same below many users' stacks, so they are a path of their own from the root,
 * and one node of MODULE_PATH with its number stands for them.
 *
 * A stack with JIT frames means something in its process only. It begins below a node of MODULE_PROCESS, which
 * names that process, and shares its callers with stacks of the same process alone.
 */
#ifndef CPROF_COLLECT_STACK_TREE_H
#define CPROF_COLLECT_STACK_TREE_H

#include "base/bpf_shared.h"
#include "base/vec.h"
#include "collect/session/chains.h"

#define TREE_ROOT 0u

struct tree_node {
	u64 frame; /* 0 for the root */
	u32 parent; /* a lower number than its own */
	u32 next; /* of the chain */
};

/* Of each node; while nodes are dropped, nobody looks for any. */
union tree_side {
	u32 hash;
	float worth;
};

struct stack_tree {
	VEC(struct tree_node) nodes;
	VEC(union tree_side) side; /* has room for all nodes; its length means nothing */
	struct chains index;
	u64 seed; /* of the hash: a target chooses its own frames */
	u64 *seen; /* a bit for each frame that some node has, by hash */
	u32 nseen;
};

/* A path from a leaf up, without the node of the process. */
struct tree_path {
	u32 nframes;
	struct proc_pid tgid; /* the process that JIT frames belong to; 0: there are none */
	u64 frames[STACK_MAX_FRAMES + 2]; /* leaf first; a whole stack, a mark, the process */
};

int stack_tree_init(struct stack_tree *t) MUST_CHECK;
void stack_tree_release(struct stack_tree *t);
size_t stack_tree_bytes(const struct stack_tree *t);

/* How many different frames there are, roughly (linear counting); at most some 20 million. */
size_t stack_tree_distinct(const struct stack_tree *t);

/* Makes room for `n` more nodes, so that adding them cannot fail. -ENOMEM: nothing has changed. */
int stack_tree_reserve(struct stack_tree *t, size_t n) MUST_CHECK;
/* The node of a frame that `parent` calls. Room must have been reserved. */
u32 stack_tree_child(struct stack_tree *t, u32 parent, u64 frame);
/* The node of a whole stack, leaf first; `tgid`: see struct tree_path. -ENOMEM: nothing has changed. */
int stack_tree_put(struct stack_tree *t, struct proc_pid tgid, const u64 *frames, u32 nframes,
		   u32 *leaf) MUST_CHECK;
/* At most `max` frames from `leaf` on, leaf first; how many there are. */
u32 stack_tree_frames(const struct stack_tree *t, u32 leaf, u64 *frames, u32 max);
void stack_tree_path(const struct stack_tree *t, u32 leaf, struct tree_path *out);

/*
 * Drops nodes, which takes no memory: fill `side.worth` for each node, sum, mark what is worth less than `least`, ask where
 * each node goes, compact, trim. Nodes that are added after compacting need no room to be reserved as long as they are
 * no more than those that were dropped.
 */
void stack_tree_sum(struct stack_tree *t); /* adds to every caller what its callees are worth */
void stack_tree_mark(struct stack_tree *t, float least);
#define TREE_CUT (1u << 31)
/* The new number of a node; of a dropped one that of its deepest ancestor which stays, and TREE_CUT. */
u32 stack_tree_moved(const struct stack_tree *t, u32 node);
void stack_tree_compact(struct stack_tree *t);
void stack_tree_trim(struct stack_tree *t);

#endif
