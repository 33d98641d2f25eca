/* SPDX-License-Identifier: Apache-2.0 */
/* What the reports share while they print: numbers in one unit, names that fit, colours. */
#ifndef CPROF_FORMAT_REPORT_PRINT_H
#define CPROF_FORMAT_REPORT_PRINT_H

#include "format/out.h"
#include "format/report.h"
#include "format/units.h"

struct report {
	const struct report_options *o;
	struct view *v;
	const char *unit; /* of the values */
	struct unit_scale scale;
	u32 *order; /* nodes, largest first */
	size_t n, shown;
	struct out *out;
	struct error *err;
};

#define REPORT_NUMBER 64

/* "1.50s", in the unit of the table or, without one, its own; "." for 0 when `dot`. */
void report_number(const struct report *r, s64 value, bool dot, char text[REPORT_NUMBER]);

/* "Type: cpu", when, how long, how much. */
void report_head(const struct report *r);

/* A name, escaped, in what is left of the line behind `used` columns. */
void report_name(const struct report *r, const char *name, size_t used);

/* Switches the colour, where colours are wanted. */
void report_paint(const struct report *r, enum out_color color);
/* Of a node's line; OUT_NO_COLOR: as the others. */
enum out_color report_node_color(const struct report *r, const struct view_node *n);

int report_top(struct report *r);
int report_tree(struct report *r);
int report_traces(struct report *r);
int report_list(struct report *r);

#endif
