/* SPDX-License-Identifier: Apache-2.0 */
/* Prints help texts, made from verb_table and option_table. */
#ifndef CPROF_CMD_HELP_H
#define CPROF_CMD_HELP_H

#include <stdio.h>

#include "verbs.h"

void help_overview(FILE *to); /* what `cprof` alone prints */
void help_verb(FILE *to, const struct verb_spec *verb);
/* Prints one option a line, for completions: letter, name, value and help, separated by tabs. */
void help_list_options(FILE *to, const struct verb_spec *verb);
/* Prints the values that an option may take, one a line: those in its help, those of its row's
 * table, and for -f the formats that the verb writes. */
void help_list_values(FILE *to, const struct verb_spec *verb, const char *option);

#endif
