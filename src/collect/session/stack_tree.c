/* SPDX-License-Identifier: Apache-2.0 */
/* Stores stacks as paths of one tree: see stack_tree.h. */
#include "collect/session/stack_tree.h"

#include <math.h>
#include <sys/random.h>

#define NODES_MAX (TREE_CUT - 1)
#define SEEN_BITS (1u << 19)

/*
 * A node's hash is that of its path from the root, so the hashes of a whole stack are known before
 * any node has been read: see prefetch().
 */
static u32 path_hash(const struct stack_tree *t, u32 caller, u64 frame)
{
	u64 hash = (frame ^ t->seed ^ (u64)caller << 32) * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ hash >> 32 ^ caller) * 0xff51afd7ed558ccdull;
	return (u32)(hash >> 32);
}

static void note_frame(struct stack_tree *t, u64 frame)
{
	u32 bit = path_hash(t, 0, frame) & (SEEN_BITS - 1);
	u64 *word = &t->seen[bit / 64], mask = 1ull << bit % 64;

	t->nseen += !(*word & mask);
	*word |= mask;
}

static void link_node(struct stack_tree *t, u32 number)
{
	u32 *head = chains_head(&t->index, t->side.data[number].hash);

	t->nodes.data[number].next = *head;
	*head = number + 1;
}

static void link_all(struct stack_tree *t)
{
	/* The root has no parent. */
	for (size_t i = 1; i < t->nodes.len; i++)
		link_node(t, (u32)i);
}

int stack_tree_init(struct stack_tree *t)
{
	*t = (struct stack_tree){.seen = calloc(SEEN_BITS / 64, sizeof(*t->seen))};
	/* Without random bytes the hash still works. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed = 0;
	if (!t->seen || vec_push(&t->nodes, (struct tree_node){.frame = 0}) ||
	    vec_push(&t->side, (union tree_side){.hash = 0}))
		return -ENOMEM;
	return 0;
}

void stack_tree_release(struct stack_tree *t)
{
	vec_release(&t->nodes);
	vec_release(&t->side);
	chains_release(&t->index);
	free(t->seen);
	t->seen = NULL;
}

size_t stack_tree_bytes(const struct stack_tree *t)
{
	return t->nodes.len * (sizeof(struct tree_node) + sizeof(union tree_side)) +
	       t->index.count * sizeof(u32);
}

size_t stack_tree_distinct(const struct stack_tree *t)
{
	u32 unseen = t->nseen < SEEN_BITS ? SEEN_BITS - t->nseen : 1;

	return (size_t)(SEEN_BITS * -log((double)unseen / SEEN_BITS));
}

int stack_tree_reserve(struct stack_tree *t, size_t n)
{
	size_t want = t->nodes.len + n;
	int fresh;

	if (want > NODES_MAX || vec_reserve(&t->nodes, want) || vec_reserve(&t->side, t->nodes.cap))
		return -ENOMEM;
	fresh = chains_reserve(&t->index, want);
	if (fresh == 1)
		link_all(t);
	return fresh < 0 ? fresh : 0;
}

/* Returns TREE_ROOT if there is none. */
static u32 find_child(const struct stack_tree *t, u32 parent, u64 frame, u32 hash)
{
	u32 at = chains_first(&t->index, hash);

	for (; at; at = t->nodes.data[at - 1].next) {
		const struct tree_node *n = &t->nodes.data[at - 1];

		if (n->frame == frame && n->parent == parent)
			return at - 1;
	}
	return TREE_ROOT;
}

static u32 add_child(struct stack_tree *t, u32 parent, u64 frame, u32 hash)
{
	u32 number = (u32)t->nodes.len++;

	t->nodes.data[number] = (struct tree_node){.frame = frame, .parent = parent};
	t->side.data[number].hash = hash;
	link_node(t, number);
	note_frame(t, frame);
	return number;
}

u32 stack_tree_child(struct stack_tree *t, u32 parent, u64 frame)
{
	u32 hash = path_hash(t, t->side.data[parent].hash, frame);
	u32 known = find_child(t, parent, frame, hash);

	return known != TREE_ROOT ? known : add_child(t, parent, frame, hash);
}

/*
 * The nodes of a path are scattered over the memory, and reading one after the other would wait for
 * each: 200 ns a frame in a large tree. So they are fetched in parallel.
 */
static void prefetch(const struct stack_tree *t, const u32 *hashes, u32 n)
{
	for (u32 i = 0; i < n; i++)
		__builtin_prefetch(chains_head(&t->index, hashes[i]));
	for (u32 i = 0; i < n; i++) {
		u32 first = chains_first(&t->index, hashes[i]);

		if (first)
			__builtin_prefetch(&t->nodes.data[first - 1]);
	}
}

/* Adds them below `at`, from the root side on. Below a new node, all are new. */
static u32 add_path(struct stack_tree *t, u32 at, const u64 *frames, u32 nframes)
{
	u32 hashes[STACK_MAX_FRAMES], hash = t->side.data[at].hash;
	bool known = true;

	for (u32 i = 0; i < nframes; i++)
		hashes[i] = hash = path_hash(t, hash, frames[nframes - 1 - i]);
	prefetch(t, hashes, nframes);
	for (u32 i = 0; i < nframes; i++) {
		u64 frame = frames[nframes - 1 - i];
		u32 child = known ? find_child(t, at, frame, hashes[i]) : TREE_ROOT;

		known = child != TREE_ROOT;
		at = known ? child : add_child(t, at, frame, hashes[i]);
	}
	return at;
}

/* Returns how many frames at the leaf become a separate path. */
static u32 kernel_part(const u64 *frames, u32 nframes)
{
	u32 n = 0;

	while (n < nframes && FRAME_MODULE(frames[n]) == MODULE_KERNEL)
		n++;
	return n > 1 && n < nframes ? n : 0;
}

int stack_tree_put(struct stack_tree *t, struct proc_pid tgid, const u64 *frames, u32 nframes,
		   u32 *leaf)
{
	u32 kernel = kernel_part(frames, nframes), path, at = TREE_ROOT;

	if (nframes > STACK_MAX_FRAMES || stack_tree_reserve(t, (size_t)nframes + 2))
		return -ENOMEM;
	/* It comes before the node that refers to it: see stack_tree_sum(). */
	path = add_path(t, TREE_ROOT, frames, kernel);
	if (tgid.nr)
		at = stack_tree_child(t, at, FRAME(MODULE_PROCESS, tgid.nr));
	at = add_path(t, at, frames + kernel, nframes - kernel);
	*leaf = kernel ? stack_tree_child(t, at, FRAME(MODULE_PATH, path)) : at;
	return 0;
}

u32 stack_tree_frames(const struct stack_tree *t, u32 leaf, u64 *frames, u32 max)
{
	u32 at = leaf, n = 0;

	if (FRAME_MODULE(t->nodes.data[leaf].frame) == MODULE_PATH) {
		n = stack_tree_frames(t, (u32)FRAME_OFF(t->nodes.data[leaf].frame), frames, max);
		at = t->nodes.data[leaf].parent;
	}
	for (; at != TREE_ROOT && n < max; at = t->nodes.data[at].parent)
		frames[n++] = t->nodes.data[at].frame;
	return n;
}

void stack_tree_path(const struct stack_tree *t, u32 leaf, struct tree_path *out)
{
	u64 last;

	out->nframes = stack_tree_frames(t, leaf, out->frames, ARRAY_LEN(out->frames));
	last = out->nframes ? out->frames[out->nframes - 1] : 0;
	out->tgid.nr = FRAME_MODULE(last) == MODULE_PROCESS ? (u32)FRAME_OFF(last) : 0;
	out->nframes -= FRAME_MODULE(last) == MODULE_PROCESS;
}

/* ---- dropping nodes ---- */

/* Parents come before their children, and paths before the nodes that refer to them. */
void stack_tree_sum(struct stack_tree *t)
{
	for (size_t i = t->nodes.len - 1; i > TREE_ROOT; i--) {
		const struct tree_node *n = &t->nodes.data[i];

		t->side.data[n->parent].worth += t->side.data[i].worth;
		if (FRAME_MODULE(n->frame) == MODULE_PATH)
			t->side.data[FRAME_OFF(n->frame)].worth += t->side.data[i].worth;
	}
}

/* Parents come first, so one look at each node's parent is enough. The chains are invalid from here
 * on. */
void stack_tree_mark(struct stack_tree *t, float least)
{
	u32 kept = 1;

	t->nodes.data[TREE_ROOT].next = TREE_ROOT;
	for (size_t i = 1; i < t->nodes.len; i++) {
		struct tree_node *n = &t->nodes.data[i];

		if (t->side.data[i].worth >= least)
			n->next = kept++;
		else
			n->next = t->nodes.data[n->parent].next | TREE_CUT;
	}
}

u32 stack_tree_moved(const struct stack_tree *t, u32 node)
{
	return t->nodes.data[node].next;
}

static void renumber(struct stack_tree *t)
{
	for (size_t i = 1; i < t->nodes.len; i++) {
		struct tree_node *n = &t->nodes.data[i];

		n->parent = stack_tree_moved(t, n->parent) & ~TREE_CUT;
		if (FRAME_MODULE(n->frame) == MODULE_PATH)
			n->frame = FRAME(MODULE_PATH,
					 stack_tree_moved(t, (u32)FRAME_OFF(n->frame)) & ~TREE_CUT);
	}
}

void stack_tree_compact(struct stack_tree *t)
{
	size_t kept = 1;

	renumber(t);
	for (size_t i = 1; i < t->nodes.len; i++) {
		if (!(t->nodes.data[i].next & TREE_CUT))
			t->nodes.data[kept++] = t->nodes.data[i];
	}
	t->nodes.len = kept;
	memset(t->seen, 0, SEEN_BITS / 8);
	t->nseen = 0;
	t->side.data[TREE_ROOT].hash = 0;
	for (size_t i = 1; i < kept; i++) {
		const struct tree_node *n = &t->nodes.data[i];

		t->side.data[i].hash = path_hash(t, t->side.data[n->parent].hash, n->frame);
		note_frame(t, n->frame);
	}
	chains_clear(&t->index);
	link_all(t);
}

void stack_tree_trim(struct stack_tree *t)
{
	vec_shrink(&t->nodes, t->nodes.len);
	vec_shrink(&t->side, t->nodes.len);
	chains_shrink(&t->index, t->nodes.len);
	link_all(t);
}
