/* SPDX-License-Identifier: Apache-2.0 */
/* How every verb with options begins. */
#ifndef CPROF_CMD_COMMAND_LINE_H
#define CPROF_CMD_COMMAND_LINE_H

#include "options.h"
#include "terminal.h"

/* Reads the options; false: there is nothing more to do, *status is what to exit with. */
bool command_line_read(enum verb verb, int argc, char **argv, struct options *o, struct terminal *t,
		       int *status);

#endif
