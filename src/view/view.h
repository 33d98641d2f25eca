/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computes what a report shows of a profile. Frames are grouped into nodes (functions, files, ...),
 * with the value of each node itself (flat) and including what it called (cum), and with who called
 * whom. The numbers are those of go tool pprof: flat goes to the innermost inlined function of the
 * leaf; cum counts a node once per stack even if it recurses, and so it is for an edge. Nodes are
 * distinct if what is shown of them differs. Percentages are of the whole profile, even if a filter
 * leaves out parts of it.
 */
#ifndef CPROF_VIEW_VIEW_H
#define CPROF_VIEW_VIEW_H

#include "profile/id_table.h"
#include "view/filter.h"

enum view_group {
	VIEW_FUNCTION,
	VIEW_FILE,
	VIEW_LINE, /* function and line */
	VIEW_MODULE,
	/* In these, each stack is one frame, which is what it belongs to. */
	VIEW_THREAD,
	VIEW_PROCESS, /* name and PID */
	VIEW_CONTAINER,
	VIEW_UNIT, /* of systemd */
	VIEW_LABEL, /* the value of view_options.label */
	VIEW_GROUPS,
};

struct view_options {
	int type; /* index of the sample type */
	enum view_group group;
	const char *label; /* a key, for VIEW_LABEL */
	bool by_module; /* functions of the same name in two modules count as two */
	struct filter_options filter;
};

struct view_node {
	char *name; /* what the report shows */
	string_id function, file; /* 0 if the grouping does not distinguish by it */
	string_id module; /* path of the mapping where it was first seen */
	s64 line, start_line; /* only for VIEW_LINE */
	s64 flat, cum;
	u64 seen; /* the last sample that was added to cum, plus one */
	u8 kind; /* enum profile_mapping_kind of its code */
	bool may_be_inlined; /* some location has it inlined */
	bool inlined, physical; /* how callers other than itself call it; set by view_count_edges */
};

struct view_edge {
	u32 from, to; /* nodes: caller, callee */
	s64 weight;
	u64 seen;
	bool inlined; /* inlined wherever it occurs */
};

struct view_frame {
	u32 node;
	bool inlined; /* into the next frame */
};

struct view {
	const struct profile *p; /* borrowed */
	struct view_options o;
	struct filter filter;
	VEC(struct view_node) nodes;
	VEC(struct view_edge) edges; /* set by view_count_edges */
	s64 total; /* sum of absolute values, before filters */
	/* indexes location_frames; has one entry more than there are locations */
	u32 *location_first;
	VEC(struct view_frame) location_frames; /* innermost first */
	VEC(struct view_frame) stack; /* filled by view_stack */
	struct id_table by_name, by_edge;
	u32 *of_function; /* for VIEW_FUNCTION: a function's node plus one */
};

/* `o` is copied, but its strings are borrowed. */
int view_new(const struct profile *p, const struct view_options *o, struct view **out,
	     struct error *err) MUST_CHECK;
void view_free(struct view *v);

s64 view_value(const struct view *v, size_t sample);

/* Fills v->stack with the sample's frames, leaf first. Returns 1 if it is shown, 0 if it is
 * filtered out, or -ENOMEM. */
int view_stack(struct view *v, size_t sample);

int view_count(struct view *v) MUST_CHECK; /* computes flat and cum of all nodes */
int view_count_edges(struct view *v) MUST_CHECK; /* computes those and the edges */
/* Computes those, and of the edges only what says whether nodes are inlined, which takes less
 * time. */
int view_count_inlining(struct view *v) MUST_CHECK;

enum view_order { VIEW_BY_FLAT, VIEW_BY_CUM };

/*
 * Returns the nodes with a value, largest first, and their number. The caller frees it. NULL means
 * that memory ran out.
 */
u32 *view_order(const struct view *v, enum view_order by, size_t *n);

u64 view_magnitude(s64 value);
s64 view_add(s64 a, s64 b); /* a sum that does not fit stays at the limit */

/* Names a location without lines: "[libfoo.so]" as go tool pprof does, or else "[unknown]". */
void view_unnamed(const struct profile *p, const struct profile_location *l, char *name,
		  size_t size);

#endif
