/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs: their names, their help, and the functions that run them. */
#ifndef CPROF_CMD_VERBS_H
#define CPROF_CMD_VERBS_H

#include "options.h"

enum verb_group { /* in the order of help */
		  VERBS_RECORDING,
		  VERBS_READING,
		  VERBS_OTHER,
		  VERB_GROUP_COUNT,
};

/*
 * A verb is defined as `const struct verb_spec verb_<name>` in its own file in this folder, where
 * the build finds it and adds it to the table. A recording verb names its kind, and everything else
 * follows from that.
 */
struct verb_spec {
	const char *name;
	const char *examples; /* lines for help; NULL if there are none */
	/* returns an enum cprof_exit */
	int (*run)(const struct verb_spec *verb, int argc, char **argv);
	const struct profile_kind *kind; /* NULL if it does not record */
	/* For verbs that do not record. */
	enum verb bit; /* 0 if it takes no options of the table */
	enum verb_group group;
	const char *summary;
	const char *synopsis; /* after "cprof NAME" */
	int words; /* without options: the number of its arguments */
};

extern const struct verb_spec *const verb_table[]; /* by name; NULL ends it */

const struct verb_spec *verb_by_name(const char *name); /* NULL if there is none */
const char *verb_summary(const struct verb_spec *v);
const char *verb_synopsis(const struct verb_spec *v);
/* Returns which options it takes, as enum verb; 0 if none. */
u32 verb_bits(const struct verb_spec *v);
/* Prints on stderr that there is no such verb, and which one may have been meant. Returns
 * CPROF_EXIT_USAGE. */
int verb_unknown(const char *name);

#endif
