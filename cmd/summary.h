/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the closing summary: what was sampled, what was lost and why, and the cost of cprof
 * itself. */
#ifndef CPROF_CMD_SUMMARY_H
#define CPROF_CMD_SUMMARY_H

#include "base/readers.h"
#include "collect/collector.h"
#include "symbol/symbolize.h"
#include "terminal.h"

struct summary {
	const struct collect_stats *stats;
	const struct symbolize_stats *names;
	const struct lines *kind; /* what only this kind reports */
	const char *downloads; /* what came of downloading debug files; "" for nothing, or NULL */
	u64 elapsed_ns;
	u32 frequency; /* 0 if it was not sampled at a rate */
};

/* Prints two lines on stderr, and one for each thing that is worth knowing. */
void summary_print(struct terminal *t, const struct summary *s);

/* Prints one line for each file that did not answer, at most four; none if all did. */
void summary_unanswered(struct terminal *t, const struct readers_unanswered *u);

/* Prints one line that says which parts of files were not read; none if all were. */
void summary_left_out(struct terminal *t, const struct left_out *l);

#endif
