/* SPDX-License-Identifier: Apache-2.0 */
/* Merges all stacks of a view into one tree, for formats that draw or nest. */
#ifndef CPROF_VIEW_TREE_H
#define CPROF_VIEW_TREE_H

#include "view/view.h"

#define TREE_NONE UINT32_MAX

struct tree_node {
	/* TREE_NONE if there is none; siblings are in the order of their names */
	u32 parent, first_child, next_sibling;
	u32 frame; /* node of the view; TREE_NONE for the root */
	u32 depth; /* the root has 0 */
	s64 value; /* includes everything below */
	bool inlined; /* inlined into its parent wherever it occurs */
};

struct tree {
	VEC(struct tree_node) nodes; /* 0 is the root; parents come before their children */
	u32 max_depth;
};

/* Samples whose value is not positive are left out, because they would have no width. */
int tree_build(struct tree *t, struct view *v) MUST_CHECK;
void tree_release(struct tree *t);

#endif
