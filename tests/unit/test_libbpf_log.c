/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf's messages by level, and a verifier's log line by line. */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/features.h"
#include "collect/libbpf_log.h"
#include "unit.h"

struct heard {
	char text[4096];
	size_t lines;
};

static void write_line(void *arg, enum log_level level, const char *line)
{
	struct heard *h = arg;
	size_t len = strlen(h->text);

	snprintf(h->text + len, sizeof(h->text) - len, "%d %s|", (int)level, line);
	h->lines++;
}

/* This is what libbpf calls. */
static void say(enum libbpf_print_level level, const char *fmt, ...)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	va_list ap;

	va_start(ap, fmt);
	print(level, fmt, ap);
	va_end(ap);
	libbpf_set_print(print);
}

static const char verifier[] =
	"libbpf: prog 'f': -- BEGIN --\n0: R1=ctx()\n\n1: (95) exit\n-- END --\n";

static struct heard hear_at(enum log_level listener_level, enum libbpf_print_level level,
			    const char *message)
{
	struct heard h = {0};
	struct log log = {.level = listener_level, .write = write_line, .arg = &h};

	const struct log *before = libbpf_log_begin(&log);

	say(level, "%s", message);
	libbpf_log_end(before);
	return h;
}

TEST(libbpf_log, all_of_a_verifiers_log_at_debug)
{
	CHECK_STR(hear_at(LOG_LEVEL_DEBUG, LIBBPF_WARN, verifier).text,
		  "2 libbpf: prog 'f': -- BEGIN --|3 0: R1=ctx()|3 1: (95) exit|3 -- END --|");
	CHECK_STR(hear_at(LOG_LEVEL_INFO, LIBBPF_WARN, verifier).text,
		  "2 libbpf: prog 'f': -- BEGIN --|");
	CHECK_STR(hear_at(LOG_LEVEL_WARN, LIBBPF_WARN, verifier).text, "");
}

TEST(libbpf_log, what_is_no_warning_is_for_debug)
{
	CHECK_STR(hear_at(LOG_LEVEL_DEBUG, LIBBPF_INFO, "hello\n").text, "3 hello|");
	CHECK_STR(hear_at(LOG_LEVEL_DEBUG, LIBBPF_DEBUG, "no end").text, "3 no end|");
	CHECK_STR(hear_at(LOG_LEVEL_INFO, LIBBPF_INFO, "hello\n").text, "");
}

TEST(libbpf_log, a_log_of_megabytes_comes_whole)
{
	enum { LINES = 100000 };
	char *long_log = malloc(LINES * 20 + 1), *at = long_log;

	CHECK(long_log);
	for (int i = 0; i < LINES; i++)
		at += sprintf(at, "%d: (85) call\n", i);
	CHECK_INT(hear_at(LOG_LEVEL_DEBUG, LIBBPF_WARN, long_log).lines, LINES);
	free(long_log);
}

TEST(libbpf_log, nobody_listens)
{
	libbpf_log_end(libbpf_log_begin(NULL));
	say(LIBBPF_WARN, "%s", "lost\n");
}

TEST(libbpf_log, listeners_of_a_thread_are_nested)
{
	struct heard outer = {0}, inner = {0};
	struct log first = {.level = LOG_LEVEL_DEBUG, .write = write_line, .arg = &outer};
	struct log second = {.level = LOG_LEVEL_DEBUG, .write = write_line, .arg = &inner};
	const struct log *before = libbpf_log_begin(&first), *between;
	struct features f;

	between = libbpf_log_begin(&second);
	say(LIBBPF_INFO, "%s", "to the second\n");
	libbpf_log_end(between);
	features_probe(&f); /* what libbpf says about it must not be logged */
	say(LIBBPF_INFO, "%s", "to the first\n");
	libbpf_log_end(before);
	say(LIBBPF_INFO, "%s", "to nobody\n");
	CHECK_STR(inner.text, "3 to the second|");
	CHECK_STR(outer.text, "3 to the first|");
}
