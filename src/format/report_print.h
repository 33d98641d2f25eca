/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the reports share while they print: numbers in one unit, names that fit, and
 * colours. */
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

/* Formats "1.50s" in the unit of the table or, without one, in its own unit; 0 becomes "." if
 * `dot`. */
void report_number(const struct report *r, s64 value, bool dot, char text[REPORT_NUMBER]);

/* Prints the head of a report: "Type: cpu", when, how long, how much. */
void report_head(const struct report *r);

/* Prints a name, escaped, in what is left of the line after `used` columns. */
void report_name(const struct report *r, const char *name, size_t used);

/* Switches the colour if colours are wanted. */
void report_paint(const struct report *r, enum out_color color);
/* Prints the numbers of a node: flat and its share, the share of the sum so far, cumulative and its
 * share. */
void report_node_numbers(const struct report *r, const struct view_node *n, s64 sum);
/* Returns the colour of a node's line; OUT_NO_COLOR for the usual one. */
enum out_color report_node_color(const struct report *r, const struct view_node *n);

int report_top(struct report *r);
int report_tree(struct report *r);
int report_traces(struct report *r);
int report_list(struct report *r);
int report_tags(struct report *r);

/* Prints the processes with their containers or units, if there are several. */
int report_processes(const struct report *r);

#endif
