/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that run the verbs: each is one file in this folder and one entry in verb_table (verbs.c). */
#ifndef CPROF_CMD_COMMANDS_H
#define CPROF_CMD_COMMANDS_H

/* argv[0] is the verb; the result is an enum cprof_exit. */
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
