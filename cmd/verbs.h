/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs: what each is called, what help says about it, and the function that runs it. */
#ifndef CPROF_CMD_VERBS_H
#define CPROF_CMD_VERBS_H

#include "options.h"

enum verb_group { /* as help lists them */
		  VERBS_RECORDING,
		  VERBS_READING,
		  VERBS_OTHER,
		  VERB_GROUP_COUNT,
};

/*
 * A verb is defined as `const struct verb_spec verb_<name>` in its own file in this folder. The build finds
 * it there and puts it into the table. One that records says which kind; the rest follows from that.
 */
struct verb_spec {
	const char *name;
	const char *examples; /* lines for help; NULL: none */
	int (*run)(const struct verb_spec *verb, int argc, char **argv); /* an enum cprof_exit */
	const struct profile_kind *kind; /* NULL: it does not record */
	/* Of those that do not record: */
	enum verb bit; /* 0: takes no options of the table */
	enum verb_group group;
	const char *summary;
	const char *synopsis; /* behind "cprof NAME" */
	int words; /* without options: how many arguments it takes */
};

extern const struct verb_spec *const verb_table[]; /* by name; NULL ends it */

const struct verb_spec *verb_by_name(const char *name); /* NULL if there is none */
const char *verb_summary(const struct verb_spec *v);
const char *verb_synopsis(const struct verb_spec *v);
u32 verb_bits(const struct verb_spec *v); /* enum verb: which options it takes; 0: none */
/* Says on stderr that there is no such verb, and which one may have been meant. CPROF_EXIT_USAGE. */
int verb_unknown(const char *name);

#endif
