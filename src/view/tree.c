/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tree of all stacks: see tree.h. */
#include "view/tree.h"

#include <errno.h>
#include <string.h>

struct wanted_child {
	const struct tree *t;
	u32 parent, frame;
};

static bool same_child(const void *arg, u32 id)
{
	const struct wanted_child *w = arg;
	const struct tree_node *n = &w->t->nodes.data[id];

	return n->parent == w->parent && n->frame == w->frame;
}

/* Returns the child of `parent` for `frame`, creating it if necessary. */
static s64 child(struct tree *t, struct id_table *index, u32 parent, struct view_frame frame)
{
	const u32 key[] = {parent, frame.node};
	u32 hash = hash_fold(hash_keyed(0, key, sizeof(key)));
	struct wanted_child w = {t, parent, frame.node};
	struct tree_node n = {.parent = parent,
			      .first_child = TREE_NONE,
			      .next_sibling = TREE_NONE,
			      .frame = frame.node,
			      .depth = t->nodes.data[parent].depth + 1,
			      .inlined = true};
	s64 id = id_table_find(index, hash, same_child, &w);

	if (id >= 0)
		return id;
	if (t->nodes.len >= ID_TABLE_MAX_ID)
		return -E2BIG;
	if (id_table_reserve(index) || vec_push(&t->nodes, n))
		return -ENOMEM;
	if (n.depth > t->max_depth)
		t->max_depth = n.depth;
	id_table_add(index, hash, (u32)t->nodes.len - 1);
	return (s64)t->nodes.len - 1;
}

static int add_stack(struct tree *t, struct id_table *index, const struct view *v, s64 value)
{
	s64 at = 0;

	t->nodes.data[0].value = view_add(t->nodes.data[0].value, value);
	for (size_t i = v->stack.len; i-- > 0;) {
		struct view_frame frame = v->stack.data[i];

		at = child(t, index, (u32)at, frame);
		if (at < 0)
			return (int)at;
		t->nodes.data[at].value = view_add(t->nodes.data[at].value, value);
		t->nodes.data[at].inlined &= frame.inlined;
	}
	return 0;
}

/* The order is descending by parent and name, so that pushing each in front of its siblings gives
 * ascending lists. */
struct naming {
	const struct tree *t;
	const struct view *v;
};

static int sibling_compare(const void *left, const void *right, void *arg)
{
	const struct naming *x = arg;
	const struct tree_node *a = &x->t->nodes.data[*(const u32 *)left];
	const struct tree_node *b = &x->t->nodes.data[*(const u32 *)right];

	return strcmp(x->v->nodes.data[b->frame].name, x->v->nodes.data[a->frame].name);
}

static int link_siblings(struct tree *t, const struct view *v)
{
	size_t n = t->nodes.len - 1;
	struct naming x = {t, v};
	u32 *order = malloc((n + 1) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = (u32)i + 1;
	if (n)
		qsort_r(order, n, sizeof(*order), sibling_compare, &x);
	for (size_t i = 0; i < n; i++) {
		struct tree_node *node = &t->nodes.data[order[i]];
		struct tree_node *parent = &t->nodes.data[node->parent];

		node->next_sibling = parent->first_child;
		parent->first_child = order[i];
	}
	free(order);
	return 0;
}

int tree_build(struct tree *t, struct view *v)
{
	struct tree_node root = {.parent = TREE_NONE,
				 .first_child = TREE_NONE,
				 .next_sibling = TREE_NONE,
				 .frame = TREE_NONE};
	struct id_table index = {0};
	int ret = vec_push(&t->nodes, root);

	for (size_t i = 0; i < v->p->samples.len && !ret; i++) {
		s64 value = view_value(v, i);

		if (value <= 0)
			continue;
		ret = view_stack(v, i);
		if (ret > 0)
			ret = add_stack(t, &index, v, value);
	}
	id_table_release(&index);
	return ret ? ret : link_siblings(t, v);
}

void tree_release(struct tree *t)
{
	vec_release(&t->nodes);
}
