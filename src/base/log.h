/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that are neither a result nor an error. The library passes them to a callback, and cmd/
 * prints them. */
#ifndef CPROF_BASE_LOG_H
#define CPROF_BASE_LOG_H

#include "base/types.h"

enum log_level {
	LOG_LEVEL_WARN, /* the user should know that something is missing from the result */
	LOG_LEVEL_NOTE, /* shown by default, on stderr only */
	LOG_LEVEL_INFO, /* shown with -v */
	LOG_LEVEL_DEBUG, /* shown with -vv */
};

struct log {
	enum log_level level; /* lines above this level are dropped before they are formatted */
	/* `line` has no newline and is escaped like the text of an error (error.h). */
	void (*write)(void *arg, enum log_level level, const char *line);
	void *arg;
};

/* `log` may be NULL, in which case nothing is written. */
void log_line(const struct log *log, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_warn(log, ...) log_line(log, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_note(log, ...) log_line(log, LOG_LEVEL_NOTE, __VA_ARGS__)
#define log_info(log, ...) log_line(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_line(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
