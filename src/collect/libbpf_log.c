/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf's messages, into a struct log: see libbpf_log.h. */
#include "collect/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static _Thread_local const struct log *listener;

/* Its warnings are for developers: the errors that cprof itself gives say what users need. */
static int forward(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[1000];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	if (level == LIBBPF_WARN)
		log_info(listener, "%s", line);
	else
		log_debug(listener, "%s", line);
	return 0;
}

void libbpf_log_begin(const struct log *log)
{
	listener = log;
	libbpf_set_print(forward);
}
