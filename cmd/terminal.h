/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what cprof says besides its results: errors, warnings, the closing summary and the
 * progress line, all on stderr. Several threads may print at once. Names of files and threads come
 * from the target, so the value of a %s is escaped (text_format.h).
 */
#ifndef CPROF_CMD_TERMINAL_H
#define CPROF_CMD_TERMINAL_H

#include "base/error.h"
#include "base/log.h"
#include "base/types.h"
#include "options.h"

struct terminal {
	bool quiet;
	bool out_tty, err_tty;
	bool out_color, err_color; /* whether ANSI colours are wanted there */
	u32 width; /* columns of stdout; 0 if it is not a terminal */
	bool in_progress; /* stderr shows a progress line */
	/* warnings, and more with -v; it points back here, so a terminal must not move */
	struct log log;
};

/* `o` may be NULL, which means no -q, no -v, and colours as the terminal has them (NO_COLOR and
 * TERM=dumb are respected). */
void terminal_init(struct terminal *t, const struct options *o);

void terminal_error(struct terminal *t, const char *fmt, ...) PRINTF_LIKE(2, 3); /* "cprof: ..." */
/* Prints the same for an error of the library, or for a bare `code` if it has no text. */
void terminal_failed(struct terminal *t, const struct error *err, int code);
/* Prints a line of the summary, without a prefix; not with -q. */
void terminal_note(struct terminal *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Replaces the progress line; only on a terminal and not with -q. Any other line erases it
 * first. */
void terminal_progress(struct terminal *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool terminal_shows_progress(const struct terminal *t);
void terminal_progress_end(struct terminal *t);

#endif
