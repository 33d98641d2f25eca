/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error that a user will read: a negative errno that says what kind, and one line that says what
 * was being done, on what, why it failed and what would help. The library fills it, cmd/ prints it.
 *
 * Functions that can fail for a reason a user can act on take a `struct error *` (may be NULL);
 * those below them return a bare negative errno.
 */
#ifndef CPROF_BASE_ERROR_H
#define CPROF_BASE_ERROR_H

#include "base/types.h"

struct error {
	int code; /* negative errno, 0 while nothing failed */
	char text
		[1000]; /* no program name; one line, save where it lists choices: "cannot profile PID 4711: no such process" */
};

/*
 * Sets code and text; returns code, so that `return error_set(err, -ENOENT, ...)` reads well. What a %s stands
 * for is escaped (text_format.h), so the text can be printed as it is; it has newlines only where the format has.
 */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

void error_append(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3); /* to its text */

/* The text for a negative errno: "no such process" (lower case first letter, thread-safe). */
const char *error_reason(int code);
/* The same for a failed write, with the next step where there is one. */
const char *error_write_reason(int code);

#endif
