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

#define VERB_ANY_TARGET "(-p PID[,PID...] | -n NAME | -a | --cgroup PATH | -- COMMAND [ARGS])"
#define VERB_PROCESSES "(-p PID[,PID...] | -n NAME | -- COMMAND [ARGS])"

/*
 * A verb is defined as `const struct verb_spec verb_<name>` in its own file in this folder. The build finds
 * it there and puts it into the table.
 */
struct verb_spec {
	const char *name;
	enum verb_group group;
	enum verb bit; /* 0: takes no options of the table */
	const char *summary;
	const char *synopsis; /* behind "cprof NAME" */
	const char *examples; /* lines for help; NULL: none */
	int words; /* without options: how many arguments it takes */
	int (*run)(int argc, char **argv); /* argv[0] is the verb; an enum cprof_exit */
};

extern const struct verb_spec *const verb_table[]; /* by name; NULL ends it */

const struct verb_spec *verb_by_name(const char *name); /* NULL if there is none */
/* Says on stderr that there is no such verb, and which one may have been meant. CPROF_EXIT_USAGE. */
int verb_unknown(const char *name);

#endif
