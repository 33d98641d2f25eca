/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a report says of a profile: frames grouped into nodes (functions, files, ...), what each did itself
 * (flat) and with what it called (cum), and who called whom. The numbers are those of go tool pprof:
 * flat goes to the innermost inlined function of the leaf; cum counts a node once a stack however often it
 * recurses, an edge likewise; nodes are told apart by what is shown of them. Percentages are of the whole
 * profile, also when a filter leaves parts of it out.
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
	VIEW_THREAD, /* each stack is one frame: the thread it belongs to */
};

struct view_options {
	int type; /* index of the sample type */
	enum view_group group;
	bool by_module; /* functions of one name in two modules are two */
	struct filter_options filter;
};

struct view_node {
	char *name; /* what is shown */
	string_id function, file; /* 0 where the group does not tell them apart */
	string_id module; /* path of the mapping it was first met in */
	s64 line, start_line; /* VIEW_LINE */
	s64 flat, cum;
	u64 seen; /* the last sample that was counted into cum, plus one */
	u8 kind; /* enum profile_mapping_kind of its code */
	bool inlined,
		physical; /* how its callers, other than itself, have it; after view_count_edges */
};

struct view_edge {
	u32 from, to; /* nodes: caller, callee */
	s64 weight;
	u64 seen;
	bool inlined; /* always */
};

struct view_frame {
	u32 node;
	bool inlined; /* into the frame behind it */
};

struct view {
	const struct profile *p; /* borrowed */
	struct view_options o;
	struct filter filter;
	VEC(struct view_node) nodes;
	VEC(struct view_edge) edges; /* after view_count_edges */
	s64 total; /* of absolute values, before filters */
	u32 *location_first; /* in location_frames; one more than there are locations */
	VEC(struct view_frame) location_frames; /* innermost first */
	VEC(struct view_frame) stack; /* of view_stack */
	struct id_table by_name, by_edge;
	u32 *of_function; /* a function's node plus one: VIEW_FUNCTION */
};

/* `o` is copied; its strings are borrowed. */
int view_new(const struct profile *p, const struct view_options *o, struct view **out,
	     struct error *err) MUST_CHECK;
void view_free(struct view *v);

s64 view_value(const struct view *v, size_t sample);

/* Fills v->stack with the sample's frames, leaf first. 1: it is shown, 0: it is filtered out, or -ENOMEM. */
int view_stack(struct view *v, size_t sample);

int view_count(struct view *v) MUST_CHECK; /* flat and cum of all nodes */
int view_count_edges(struct view *v) MUST_CHECK; /* those and the edges */

enum view_order { VIEW_BY_FLAT, VIEW_BY_CUM };

/*
 * The nodes with a value, largest first, and how many; the caller frees it. NULL: no memory.
 */
u32 *view_order(const struct view *v, enum view_order by, size_t *n);

u64 view_magnitude(s64 value);
s64 view_add(s64 a, s64 b); /* stays at the limit when it does not fit */

/* What stands for a location without lines: "[libfoo.so]" as in go tool pprof, else "[unknown]". */
void view_unnamed(const struct profile *p, const struct profile_location *l, char *name,
		  size_t size);
const char *view_basename(const char *path);

#endif
