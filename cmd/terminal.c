/* SPDX-License-Identifier: Apache-2.0 */
/* Prints lines on stderr: see terminal.h. */
#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text_format.h"
#include "base/utf8.h"

#define RED "\033[1;31m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"
#define WIPE_LINE "\r\033[K"

static void print_line(struct terminal *t, const char *color, const char *prefix, const char *fmt,
		       va_list ap)
{
	char text[2048];

	text_vprint(text, sizeof(text), fmt, ap);
	/* Threads of a collector may print as well. */
	flockfile(stderr);
	terminal_progress_end(t);
	if (!t->err_color)
		color = "";
	fprintf(stderr, "%s%s%s%s\n", color, prefix, *color ? PLAIN : "", text);
	funlockfile(stderr);
}

static void write_prefixed(struct terminal *t, const char *color, const char *prefix,
			   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(t, color, prefix, fmt, ap);
	va_end(ap);
}

static void write_log(void *arg, enum log_level level, const char *line)
{
	struct terminal *t = arg;

	if (level == LOG_LEVEL_WARN)
		write_prefixed(t, YELLOW, "cprof: warning: ", "%s", line);
	else
		write_prefixed(t, level == LOG_LEVEL_NOTE ? "" : DIM, "cprof: ", "%s", line);
}

static bool wants_color(enum option_color choice, bool tty)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (choice != OPTION_COLOR_AUTO)
		return choice == OPTION_COLOR_ALWAYS;
	return tty && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static u32 width_of(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

void terminal_init(struct terminal *t, const struct options *o)
{
	static const struct options none = {.color = OPTION_COLOR_AUTO};
	u32 level;

	if (!o)
		o = &none;
	memset(t, 0, sizeof(*t));
	t->quiet = o->quiet;
	t->out_tty = isatty(STDOUT_FILENO);
	t->err_tty = isatty(STDERR_FILENO);
	t->out_color = wants_color(o->color, t->out_tty);
	t->err_color = wants_color(o->color, t->err_tty);
	t->width = width_of(STDOUT_FILENO);
	level = LOG_LEVEL_NOTE + o->verbosity;
	t->log.level = level > LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : (enum log_level)level;
	t->log.write = t->quiet ? NULL : write_log;
	t->log.arg = t;
}

void terminal_error(struct terminal *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(t, RED, "cprof: ", fmt, ap);
	va_end(ap);
}

void terminal_failed(struct terminal *t, const struct error *err, int code)
{
	terminal_progress_end(t);
	/* It has already been escaped, and its newlines are ours. */
	fprintf(stderr, "%scprof: %s%s\n", t->err_color ? RED : "", t->err_color ? PLAIN : "",
		err->text[0] ? err->text : error_reason(code));
}

void terminal_note(struct terminal *t, const char *fmt, ...)
{
	va_list ap;

	if (t->quiet)
		return;
	va_start(ap, fmt);
	print_line(t, "", "", fmt, ap);
	va_end(ap);
}

bool terminal_shows_progress(const struct terminal *t)
{
	return t->err_tty && !t->quiet;
}

void terminal_progress(struct terminal *t, const char *fmt, ...)
{
	u32 width = width_of(STDERR_FILENO);
	char text[256];
	va_list ap;

	if (!terminal_shows_progress(t))
		return;
	va_start(ap, fmt);
	text_vprint(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A line that wraps could not be erased. */
	if (width && strlen(text) >= width)
		text[utf8_whole(text, width - 1)] = '\0';
	flockfile(stderr);
	fprintf(stderr, WIPE_LINE "%s", text);
	fflush(stderr);
	t->in_progress = true;
	funlockfile(stderr);
}

void terminal_progress_end(struct terminal *t)
{
	flockfile(stderr);
	if (t->in_progress) {
		fputs(WIPE_LINE, stderr);
		fflush(stderr);
	}
	t->in_progress = false;
	funlockfile(stderr);
}
