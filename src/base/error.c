/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the errors that a user reads: see error.h. */
#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text_format.h"

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	text_vprint(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

void error_append(struct error *err, const char *fmt, ...)
{
	size_t used = err ? strlen(err->text) : 0;
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	text_vprint(err->text + used, sizeof(err->text) - used, fmt, ap);
	va_end(ap);
}

const char *error_reason(int code)
{
	static _Thread_local char text[128];
	const char *plain = strerrordesc_np(code < 0 ? -code : code);

	/* This program makes no network connections, so the error comes from readers.h. */
	if (code == -ETIMEDOUT || code == ETIMEDOUT)
		plain = "its file system did not answer in time";

	snprintf(text, sizeof(text), "%s", plain ? plain : "unknown error");
	/* The text follows a colon, so "No such process" begins in lower case there; "I/O error"
	 * keeps its capitals. */
	if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

const char *error_write_reason(int code)
{
	/* Today's file systems take files of terabytes, so the limit that a user meets is
	 * RLIMIT_FSIZE. */
	return code == -EFBIG ? "file too large (the limit is set by ulimit -f)"
			      : error_reason(code);
}
