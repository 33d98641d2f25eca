/* SPDX-License-Identifier: Apache-2.0 */
/* Begins every verb that has options. */
#ifndef CPROF_CMD_COMMAND_LINE_H
#define CPROF_CMD_COMMAND_LINE_H

#include "terminal.h"
#include "verbs.h"

/* Reads the options. It is false if there is nothing more to do, and then *status is the exit
 * status. */
bool command_line_read(const struct verb_spec *verb, int argc, char **argv, struct options *o,
		       struct terminal *t, int *status);

#endif
