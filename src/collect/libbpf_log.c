/* SPDX-License-Identifier: Apache-2.0 */
/* Forwards libbpf's messages to a struct log: see libbpf_log.h. */
#include "collect/libbpf_log.h"

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local const struct log *listener;

/* Its warnings are for developers; the errors that cprof itself gives say what users need. */
static enum log_level level_of(enum libbpf_print_level level)
{
	return level == LIBBPF_WARN ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

/* The first line says what is wrong; the others come from the verifier, thousands of them. */
static void forward_lines(enum log_level level, char *text)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			log_line(listener, level, "%s", line);
		level = LOG_LEVEL_DEBUG;
	}
}

static int forward(enum libbpf_print_level theirs, const char *fmt, va_list ap)
{
	enum log_level level = level_of(theirs);
	char *text;

	if (!listener || level > listener->level)
		return 0;
	if (vasprintf(&text, fmt, ap) < 0)
		return 0;
	forward_lines(level, text);
	free(text);
	return 0;
}

static void install(void)
{
	libbpf_set_print(forward);
}

const struct log *libbpf_log_begin(const struct log *log)
{
	static pthread_once_t installed = PTHREAD_ONCE_INIT;
	const struct log *before = listener;

	/* This is done once for the process, so that no thread changes it while another one is in
	 * libbpf. */
	pthread_once(&installed, install);
	listener = log;
	return before;
}

void libbpf_log_end(const struct log *before)
{
	listener = before;
}
