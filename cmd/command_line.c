/* SPDX-License-Identifier: Apache-2.0 */
/* Begins every verb that has options: see command_line.h. */
#include "command_line.h"

#include <stdio.h>

#include "exit_codes.h"
#include "help.h"

bool command_line_read(const struct verb_spec *verb, int argc, char **argv, struct options *o,
		       struct terminal *t, int *status)
{
	struct error err = {0};

	if (options_parse(o, verb, argc, argv, &err)) {
		terminal_init(t, NULL);
		terminal_failed(t, &err, err.code);
		*status = CPROF_EXIT_USAGE;
		return false;
	}
	if (o->help) {
		help_verb(stdout, verb);
		*status = CPROF_EXIT_OK;
		return false;
	}
	terminal_init(t, o);
	return true;
}
