/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores stacks as paths of one tree. A node is a frame and its caller, so callers that many stacks
 * share are stored once. A stack is known by the node of its leaf.
 *
 * The kernel's frames at the leaf are the same below many user stacks, so they are a separate path
 * from the root, and one node of MODULE_PATH with its number refers to them.
 *
 * A stack with JIT frames has a meaning in its process only. It begins below a node of
 * MODULE_PROCESS, which names that process, and shares its callers only with stacks of the same
 * process.
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

/* For each node; while nodes are dropped, none is looked up. */
union tree_side {
	u32 hash;
	float worth;
};

struct stack_tree {
	VEC(struct tree_node) nodes;
	VEC(union tree_side) side; /* has space for all nodes; its length is not used */
	struct chains index;
	u64 seed; /* for the hash, because a target chooses its own frames */
	u64 *seen; /* a bit for each frame that some node has, by hash */
	u32 nseen;
};

/* A path from a leaf up, without the node of the process. */
struct tree_path {
	u32 nframes;
	struct proc_pid tgid; /* the process that JIT frames belong to; 0 if there are none */
	/* leaf first; enough for a whole stack, a mark and the process */
	u64 frames[STACK_MAX_FRAMES + 2];
};

int stack_tree_init(struct stack_tree *t) MUST_CHECK;
void stack_tree_release(struct stack_tree *t);
size_t stack_tree_bytes(const struct stack_tree *t);

/* Returns how many different frames there are, roughly (linear counting); at most some 20
 * million. */
size_t stack_tree_distinct(const struct stack_tree *t);

/* Makes space for `n` more nodes, so that adding them cannot fail. -ENOMEM leaves everything
 * unchanged. */
int stack_tree_reserve(struct stack_tree *t, size_t n) MUST_CHECK;
/* Returns the node of a frame that `parent` calls. The space must have been reserved. */
u32 stack_tree_child(struct stack_tree *t, u32 parent, u64 frame);
/* Returns the node of a whole stack, leaf first; for `tgid` see struct tree_path. -ENOMEM leaves
 * everything unchanged. */
int stack_tree_put(struct stack_tree *t, struct proc_pid tgid, const u64 *frames, u32 nframes,
		   u32 *leaf) MUST_CHECK;
/* Gives at most `max` frames from `leaf` on, leaf first, and returns their number. */
u32 stack_tree_frames(const struct stack_tree *t, u32 leaf, u64 *frames, u32 max);
void stack_tree_path(const struct stack_tree *t, u32 leaf, struct tree_path *out);

/*
 * Drops nodes, which takes no memory: fill `side.worth` for each node, sum, mark what is worth less
 * than `least`, look up where each node goes, compact, trim. Nodes that are added after compacting
 * need no space to be reserved as long as they are no more than those that were dropped.
 */
void stack_tree_sum(struct stack_tree *t); /* adds the worth of its callees to every caller */
void stack_tree_mark(struct stack_tree *t, float least);
#define TREE_CUT (1u << 31)
/* Returns the new number of a node; for a dropped one that of its deepest ancestor that stays, and
 * TREE_CUT. */
u32 stack_tree_moved(const struct stack_tree *t, u32 node);
void stack_tree_compact(struct stack_tree *t);
void stack_tree_trim(struct stack_tree *t);

#endif
