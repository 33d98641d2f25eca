/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as text: the tables of `cprof report`, with the numbers of go tool pprof. */
#ifndef CPROF_FORMAT_REPORT_H
#define CPROF_FORMAT_REPORT_H

#include "base/readers.h"
#include "format/format.h"
#include "view/view.h"

enum report_kind {
	REPORT_TOP, /* pprof -top */
	REPORT_TREE, /* pprof -tree: each function with its callers and callees */
	REPORT_PEEK, /* the same for functions that match; callers or callees only */
	REPORT_CALLERS,
	REPORT_CALLEES,
	REPORT_LIST, /* pprof -list: source lines */
	REPORT_TRACES, /* pprof -traces: every stack */
};

struct report_options {
	enum report_kind kind;
	const char *function; /* a regular expression: PEEK, CALLERS, CALLEES, LIST */
	struct view_options view;
	enum view_order order;
	u32 top; /* TOP, TREE, TRACES: at most so many entries; 0: all */
	u32 width; /* columns of the terminal; 0: unlimited */
	bool color, full_names;
	struct readers *readers; /* of sources, which may not answer; may be NULL */
};

/* 0; -ENOENT with a text when no function matches. */
int report_write(const struct profile *p, const struct report_options *o, const struct sink *to,
		 struct error *err) MUST_CHECK;

#endif
