/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text that is shown, and formats that separate it from our own. */
#include "unit.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/text_format.h"

static void check_escaped(const char *text, const char *want)
{
	char out[256], again[256];

	CHECK_INT(escape_text(text, out, sizeof(out)), strlen(want));
	CHECK_STR(out, want);
	/* Escaping again changes nothing. */
	escape_text(out, again, sizeof(again));
	CHECK_STR(again, want);
}

TEST(escape, plain_text_stays)
{
	check_escaped("", "");
	check_escaped("std::map<int, char*>::operator[](int&&) \"~\\",
		      "std::map<int, char*>::operator[](int&&) \"~\\");
	check_escaped("\xc3\xa4\xe2\x82\xac\xe4\xb8\xad\xf0\x9f\x98\x80",
		      "\xc3\xa4\xe2\x82\xac\xe4\xb8\xad\xf0\x9f\x98\x80");
}

TEST(escape, controls_are_shown)
{
	check_escaped("a\x1b[31mb", "a\\x1b[31mb");
	check_escaped("\x1b]0;title\a", "\\x1b]0;title\\x07");
	check_escaped("a\tb\nc\rd\x7f", "a\\tb\\nc\\rd\\x7f");
	/* These are CSI and OSC as C1 controls. */
	check_escaped("\xc2\x9b"
		      "31m \xc2\x9d",
		      "\\u009b31m \\u009d");
	check_escaped("\xc2\x80\xc2\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0");
}

TEST(escape, what_is_invisible_or_turns_text_round)
{
	static const u32 hidden[] = {0xad,   0x61c,  0x180e, 0x200b, 0x200c, 0x200d,
				     0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
				     0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067,
				     0x2068, 0x2069, 0x206f, 0xfeff, 0xfffe, 0xffff};

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		u32 c = hidden[i];
		char text[8] = "", want[16];

		if (c < 0x800)
			snprintf(text, sizeof(text), "%c%c", (char)(0xc0 | c >> 6),
				 (char)(0x80 | (c & 63)));
		else
			snprintf(text, sizeof(text), "%c%c%c", (char)(0xe0 | c >> 12),
				 (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
		snprintf(want, sizeof(want), "\\u%04x", c);
		check_escaped(text, want);
	}
	check_escaped("\xf3\xa0\x80\x81", "\\U000e0001");
	check_escaped("\xf0\x9f\xbf\xbe", "\\U0001fffe");
	check_escaped("\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf"); /* U+2027, U+202F */
}

TEST(escape, bytes_that_are_no_characters)
{
	check_escaped("a\xff\xfe"
		      "b",
		      "a\\xff\\xfeb");
	check_escaped("\x9b"
		      "31m",
		      "\\x9b31m");
	check_escaped("\xc0\x9b", "\\xc0\\x9b"); /* overlong */
	check_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
	check_escaped("\xe2\x80", "\\xe2\\x80");
	check_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

TEST(escape, cut_at_a_whole_escape)
{
	char out[8];

	CHECK_INT(escape_text("abcdefgh", out, sizeof(out)), 7);
	CHECK_STR(out, "abcdefg");
	CHECK_INT(escape_text("abcd\x1b[0m", out, sizeof(out)), 4);
	CHECK_STR(out, "abcd");
	CHECK_INT(escape_text("abcdef\xc3\xa4", out, sizeof(out)), 6);
	CHECK_STR(out, "abcdef");
	CHECK_INT(escape_text("x", out, 1), 0);
	CHECK_STR(out, "");
}

#define CHECK_LIKE_PRINTF(...)                                 \
	do {                                                   \
		char have_[1024], want_[1024];                 \
		text_print(have_, sizeof(have_), __VA_ARGS__); \
		snprintf(want_, sizeof(want_), __VA_ARGS__);   \
		CHECK_STR(have_, want_);                       \
	} while (0)

TEST(text_format, does_what_printf_does)
{
	CHECK_LIKE_PRINTF("plain 100%%");
	CHECK_LIKE_PRINTF("%d %i %u %x %X %o", -1, INT_MIN, UINT_MAX, 0xabcu, 0xabcu, 8u);
	CHECK_LIKE_PRINTF("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
	CHECK_LIKE_PRINTF("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
	CHECK_LIKE_PRINTF("%zu %zd %jd %td", SIZE_MAX, (ssize_t)-1, INTMAX_MIN, (ptrdiff_t)-5);
	CHECK_LIKE_PRINTF("%hhu %hd", (unsigned char)200, (short)-3);
	CHECK_LIKE_PRINTF("%" PRId64 " %" PRIx64, INT64_MIN, UINT64_MAX);
	CHECK_LIKE_PRINTF("%f %.2f %10.3f %-10.1f| %+g %e", 1.5, 2.345, 3.14159, 2.0, 1e300, 1e-9);
	CHECK_LIKE_PRINTF("%.1f", DBL_MAX);
	CHECK_LIKE_PRINTF("%5d|%-5d|%05d|%+d|% d|%#x", 42, 42, 42, 42, 42, 42);
	CHECK_LIKE_PRINTF("%*d|%-*d|%.*f|%*d", 6, 42, 6, 42, 3, 1.0, -6, 42);
	CHECK_LIKE_PRINTF("%c%c %p", 'a', 'b', (void *)0x1234);
	CHECK_LIKE_PRINTF("%s|%10s|%-10s|%.2s|%*s|%.*s|%10.3s", "abc", "abc", "abc", "abc", 6,
			  "abc", 1, "abc", "abcdef");
	CHECK_LIKE_PRINTF("%*s|%-*s|%40s|", 0, "", 3, "", "x");
}

TEST(text_format, escapes_strings_and_nothing_else)
{
	char out[128];

	text_print(out, sizeof(out), "\033[1m%s\n%c", "a\033[31m\n", '\033');
	CHECK_STR(out, "\033[1ma\\x1b[31m\\n\n\\x1b");
	/* The width counts what is shown, and a character is not cut in two. */
	text_print(out, sizeof(out), "%8s|%-8s|%.2s|%.3s|", "\033x", "\xc3\xa4", "a\xc3\xa4",
		   "a\xc3\xa4");
	CHECK_STR(out, "   \\x1bx|\xc3\xa4       |a|a\xc3\xa4|");
	text_print(out, 6, "%s", "abc\xc3\xa4\xc3\xa4");
	CHECK_STR(out, "abc\xc3\xa4");
	text_print(out, 5, "%s", "abc\xc3\xa4\xc3\xa4");
	CHECK_STR(out, "abc");
	text_print(out, 4, "%s%s", "ab\xc3\xa4", "x");
	CHECK_STR(out, "ab");
}

static void keep_line(void *arg, enum log_level level, const char *line)
{
	(void)level;
	snprintf(arg, 64, "%s", line);
}

TEST(text_format, errors_and_log_lines_hold_no_controls)
{
	char line[64];
	const struct log log = {.level = LOG_LEVEL_WARN, .write = keep_line, .arg = line};
	struct error err = {0}, outer = {0};

	CHECK_INT(error_set(&err, -EINVAL, "cannot read %s:", "x\033]0;y\a\nz"), -EINVAL);
	error_append(&err, "\n  %d %s", 7, "a\nb");
	CHECK_STR(err.text, "cannot read x\\x1b]0;y\\x07\\nz:\n  7 a\\nb");
	error_set(&outer, -EINVAL, "cannot go on: %s", err.text);
	CHECK_STR(outer.text, "cannot go on: cannot read x\\x1b]0;y\\x07\\nz:\\n  7 a\\nb");
	log_warn(&log, "no %s",
		 "\xe2\x80\xae"
		 "evil");
	CHECK_STR(line, "no \\u202eevil");
}
