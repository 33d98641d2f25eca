/* SPDX-License-Identifier: Apache-2.0 */
/* Formats lines that are neither a result nor an error: see log.h. */
#include "base/log.h"

#include <stdarg.h>

#include "base/text_format.h"

void log_line(const struct log *log, enum log_level level, const char *fmt, ...)
{
	char line[1000];
	va_list ap;

	if (!log || !log->write || level > log->level)
		return;
	va_start(ap, fmt);
	text_vprint(line, sizeof(line), fmt, ap);
	va_end(ap);
	log->write(log->arg, level, line);
}
