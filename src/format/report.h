/* SPDX-License-Identifier: Apache-2.0 */
/* Writes reports as text: the tables of `cprof report`, with the numbers of go tool pprof. */
#ifndef CPROF_FORMAT_REPORT_H
#define CPROF_FORMAT_REPORT_H

#include "base/readers.h"
#include "format/format.h"
#include "view/view.h"

enum report_kind {
	REPORT_TOP, /* pprof -top */
	REPORT_TREE, /* pprof -tree: each function with its callers and callees */
	/* the same for functions that match, optionally with only callers or callees */
	REPORT_PEEK,
	REPORT_CALLERS,
	REPORT_CALLEES,
	REPORT_LIST, /* pprof -list: source lines */
	REPORT_TRACES, /* pprof -traces: every stack */
	REPORT_TAGS, /* pprof -tags: the values of each label */
};

struct report_options {
	enum report_kind kind;
	const char *function; /* a regular expression: PEEK, CALLERS, CALLEES, LIST */
	struct view_options view;
	enum view_order order;
	u32 top; /* TOP, TREE, TRACES, TAGS: the most entries to show (of a label); 0 for all */
	/* TOP of functions: processes come first, if the profile has several */
	bool processes;
	u32 width; /* columns of the terminal; 0 for no limit */
	bool color, full_names;
	struct readers *readers; /* for sources, whose file system may not answer; may be NULL */
};

/* Returns 0, or -ENOENT with a text if no function matches. */
int report_write(const struct profile *p, const struct report_options *o, const struct sink *to,
		 struct error *err) MUST_CHECK;

#endif
