/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error that a user will read: a negative errno, which is its kind, and one line that says what
 * was being done, on what, why it failed and what would help. The library fills it in, and cmd/
 * prints it.
 *
 * Functions that can fail for a reason a user can act on take a `struct error *` (may be NULL).
 * Those below them return a bare negative errno.
 */
#ifndef CPROF_BASE_ERROR_H
#define CPROF_BASE_ERROR_H

#include "base/types.h"

struct error {
	int code; /* negative errno; 0 if nothing has failed */
	/* One line without the program's name, except where it lists choices, such as
	 * "cannot profile PID 4711: no such process". */
	char text[1000];
};

/*
 * Sets code and text. It returns the code, so that `return error_set(err, -ENOENT, ...)` works. The
 * value of a %s is escaped (text_format.h), so the text can be printed as it is; only the format
 * can contain newlines.
 */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Appends to the text. */
void error_append(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Returns the text of a negative errno, such as "no such process", with a lower-case first letter.
 * It is thread-safe. */
const char *error_reason(int code);
/* Returns the same for a failed write, with the next step where there is one. */
const char *error_write_reason(int code);

#endif
