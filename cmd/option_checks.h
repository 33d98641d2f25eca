/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what no single option shows: which of them go together, and what is missing. */
#ifndef CPROF_CMD_OPTION_CHECKS_H
#define CPROF_CMD_OPTION_CHECKS_H

#include "options.h"

/* Call it once all are read; it fills in defaults that depend on others. Returns 0, or -EINVAL with
 * a text for the user. */
int option_checks(struct options *o, u32 verbs, struct error *err) MUST_CHECK;

#endif
