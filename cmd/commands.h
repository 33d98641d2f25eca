/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs: each is one file here, and one entry in verb_table (main.c). */
#ifndef CPROF_CMD_COMMANDS_H
#define CPROF_CMD_COMMANDS_H

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

int cmd_allocs(int argc, char **argv);
int cmd_block(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_cpu(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_heap(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_mutex(int argc, char **argv);
int cmd_offcpu(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_wall(int argc, char **argv);

#endif
