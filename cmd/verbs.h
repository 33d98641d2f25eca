/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs: what each is called, what help says about it, and the function that runs it. */
#ifndef CPROF_CMD_VERBS_H
#define CPROF_CMD_VERBS_H

#include "options.h"

struct verb_spec {
	const char *name;
	enum verb bit; /* 0: takes no options of the table */
	const char *summary;
	const char *synopsis; /* behind "cprof NAME" */
	const char *examples; /* lines for help; NULL: none */
	int (*run)(int argc, char **argv); /* argv[0] is the verb; an enum cprof_exit */
};

extern const struct verb_spec verb_table[]; /* a nameless one ends it */

const struct verb_spec *verb_by_name(const char *name); /* NULL if there is none */
/* Says on stderr that there is no such verb, and which one may have been meant. CPROF_EXIT_USAGE. */
int verb_unknown(const char *name);

#endif
