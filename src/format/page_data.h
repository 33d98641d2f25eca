/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile in the form that the HTML page uses: distinct strings, modules, functions and frames,
 * one tree of all stacks, and the samples as numbers of its nodes. Two profiles that are compared
 * share one set of tables, so that what is equal in both is one node.
 */
#ifndef CPROF_FORMAT_PAGE_DATA_H
#define CPROF_FORMAT_PAGE_DATA_H

#include "profile/id_table.h"
#include "profile/profile.h"

/* Each node takes some 60 bytes here and 40 in the browser; 100,000 stacks of a large program have
 * 1.5 million. */
#define PAGE_NODES_MAX (16u << 20)

enum page_kind { PAGE_USER, PAGE_LIBRARY, PAGE_KERNEL, PAGE_JIT, PAGE_MARK };

struct page_bytes {
	VEC(u8) b;
};

struct page_text {
	char *data; /* NUL-terminated strings, which may contain NULs as well */
	size_t len;
};

/* These are compared as bytes, so none of them may have padding. */
struct page_module {
	u32 path, build_id, kind; /* kind: enum page_kind */
};

struct page_function {
	u32 name, module; /* functions of the same name in two source files of a module are one */
};

struct page_frame {
	s64 line;
	u32 function;
	u32 place; /* number of the source file's string * 2, plus 1 if inlined */
};

struct page_node {
	u32 parent, frame; /* node 0 is the root of all stacks */
};

/* The same tree without lines and inlining, numbered in the order of the nodes that come first. */
struct page_merged {
	u32 parent, function;
};

struct page_texts {
	VEC(struct page_text) list;
	struct id_table index;
};

struct page_data {
	struct page_texts strings; /* number 0 is "" */
	struct page_texts label_sets; /* encoded by page_data_add; number 0 means no label */
	VEC(struct page_module) modules;
	VEC(struct page_function) functions;
	VEC(struct page_frame) frames;
	VEC(struct page_node) nodes;
	VEC(struct page_merged) merged;
	VEC(u32) merged_of; /* for each node */
	struct id_table by_module, by_function, by_frame, by_node, by_merged;
	u64 *divisors; /* for each sample type: a divisor of all its values */
	size_t ntypes;
};

struct page_sample {
	u32 node, label_set;
};

/* Holds the samples of one profile. Their values stay in the profile, in the order of its
 * samples. */
struct page_samples {
	const struct profile *p;
	int *types; /* for each sample type of the page: that of the profile, or -1 */
	VEC(struct page_sample) list;
};

/* `p` provides the sample types. */
int page_data_init(struct page_data *d, const struct profile *p) MUST_CHECK;
void page_data_release(struct page_data *d);

/*
 * Adds the stacks of `p`, whose types are matched with those of `types_of` by name and unit.
 * Returns -E2BIG for more than PAGE_NODES_MAX nodes, because inlining can expand the stacks of a
 * small file beyond any memory.
 */
int page_data_add(struct page_data *d, const struct profile *types_of, const struct profile *p,
		  struct page_samples *out) MUST_CHECK;
void page_samples_release(struct page_samples *s);

/* Returns the value of sample `i` for the page's type `type`. */
s64 page_samples_value(const struct page_samples *s, size_t i, size_t type);

/* returns its number, or a negative errno */
s64 page_string(struct page_data *d, const char *text);

/* Appends LEB128, with zigzag encoding for signed values. Returns 0 or -ENOMEM. */
int page_put(struct page_bytes *b, u64 value) MUST_CHECK;
int page_put_signed(struct page_bytes *b, s64 value) MUST_CHECK;

#endif
