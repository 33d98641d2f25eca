/* SPDX-License-Identifier: Apache-2.0 */
/* How every verb with options begins. */
#ifndef CPROF_CMD_COMMAND_LINE_H
#define CPROF_CMD_COMMAND_LINE_H

#include "terminal.h"
#include "verbs.h"

/* Reads the options; false: there is nothing more to do, *status is what to exit with. */
bool command_line_read(const struct verb_spec *verb, int argc, char **argv, struct options *o,
		       struct terminal *t, int *status);

#endif
