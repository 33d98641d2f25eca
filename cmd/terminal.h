/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cprof says beside its results: errors, warnings, the closing summary, the progress line; all on
 * stderr. Several threads may say something at once. Names of files and threads come from the target, so
 * what a %s stands for is escaped (text_format.h).
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
	bool out_color, err_color; /* ANSI colours are wanted there */
	u32 width; /* columns of stdout; 0: no terminal */
	bool in_progress; /* a progress line stands on stderr */
	struct log log; /* warnings, and more with -v; points back here, so a terminal stays put */
};

/* `o` may be NULL: no -q, no -v, colours as the terminal has them (NO_COLOR and TERM=dumb honoured). */
void terminal_init(struct terminal *t, const struct options *o);

void terminal_error(struct terminal *t, const char *fmt, ...) PRINTF_LIKE(2, 3); /* "cprof: ..." */
/* The same for an error of the library, or for a bare `code` where it has no text. */
void terminal_failed(struct terminal *t, const struct error *err, int code);
/* A line of the summary, without prefix; not with -q. */
void terminal_note(struct terminal *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Replaces the progress line; only on a terminal and not with -q. Any other line wipes it first. */
void terminal_progress(struct terminal *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool terminal_shows_progress(const struct terminal *t);
void terminal_progress_end(struct terminal *t);

#endif
