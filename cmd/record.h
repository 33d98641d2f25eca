/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recipe that every recording verb follows: select the target, record, name, write, sum up. A verb
 * says what kind of profile it is and which collector gathers it.
 */
#ifndef CPROF_CMD_RECORD_H
#define CPROF_CMD_RECORD_H

#include "collect/collector.h"
#include "options.h"
#include "terminal.h"

struct record_verb {
	const char *name; /* "cpu": names the output file */
	enum verb verb; /* whose options it takes */
	/* By privileged means; and by those everybody has, or NULL where there are none. */
	int (*collector_new)(const struct collect_options *opt, struct collector **out,
			     struct error *err);
	int (*fallback_new)(const struct collect_options *opt, struct collector **out,
			    struct error *err);
	bool samples; /* by a clock or counter; else every occurrence is seen */
	const char *why_empty; /* when nothing was lost; NULL: no CPU time was used */
	bool live; /* heap: blocks are followed until they are freed */
	bool preloads; /* a command is started with libcprof-heap.so in front of its allocator */
	/* What can be told of the profile once its functions have names; NULL: nothing. */
	int (*refine)(struct profile *p, const struct options *o);
	/* Says what should not be overlooked in it; NULL: nothing. */
	void (*report)(struct terminal *t, const struct profile *p, const struct collect_stats *s);
	/* A label and its text: such samples are in the profile, but not in tables and folded stacks. */
	const char *hidden_key, *hidden_text;
};

/* A recording verb, whole: from its command line to its exit status (exit_codes.h). */
int record_main(const struct record_verb *kind, int argc, char **argv);

#endif
