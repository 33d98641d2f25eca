/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads text profiles of counts:
 *
 *   goroutine profile: total 3           Go's goroutine and threadcreate profiles (?debug=1)
 *   2 @ 0x43d5c5 0x40a2f1
 *
 *   --- contention:                      Go's block and mutex profiles, and those of C++ programs
 *   cycles/second=3201000000             ("--- contentionz 1 ---")
 *   sampling period=100
 *   19490304 27 @ 0xbccc97 0xc61202      cycles and how often
 */
#include "format/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/address_samples.h"
#include "format/go_text.h"
#include "format/memory_map.h"
#include "format/text_scan.h"

#define LOCK_DROP                                                                         \
	"RecordLockProfileData|(base::)?(RecordLockProfileData|SubmitMutexProfileData"    \
	"|SubmitSpinLockProfileData).*|((base::)?Mutex::)?(AwaitCommon|Unlock|UnlockSlow" \
	"|ReaderUnlock).*|((base::)?MutexLock::)?~MutexLock.*"                            \
	"|(SpinLock::)?(Unlock|SlowUnlock).*|(SpinLockHolder::)?~SpinLockHolder.*"

typedef int (*line_reader)(struct address_samples *a, struct cursor line, void *arg);

/* Reads the samples, the comments after each of them, and the memory map; makes the profile. */
static int read_samples(struct address_samples *a, struct cursor *text, line_reader read, void *arg,
			const char *drop)
{
	struct cursor line = {.pos = text->pos, .end = text->pos};
	struct go_names names = {0};
	int ret = 0;

	while (!ret && scan_line(text, &line)) {
		if (line_begins(&line, "---") || memory_map_begins(&line))
			break;
		if (line_begins(&line, "#")) {
			ret = go_names_line(&names, a, line);
			continue;
		}
		go_names_end(&names, a);
		if (!scan_end(&line))
			ret = read(a, line, arg);
	}
	go_names_end(&names, a);
	return ret ? ret : address_samples_finish(a, memory_map_after(line, *text), drop);
}

static bool is_comment(struct cursor line)
{
	return scan_end(&line) || *line.pos == '#';
}

/* Takes the first line that is neither empty nor a comment. */
static bool first_line(struct cursor *text, struct cursor *line)
{
	while (scan_line(text, line)) {
		if (!is_comment(*line))
			return true;
	}
	return false;
}

/* ---- goroutine and threadcreate -------------------------------------------------------------- */

/* Splits "NAME profile: total 5"; the name is a word. */
static bool read_title(struct cursor line, char *name, size_t size)
{
	static const char middle[] = " profile: total ";
	const u8 *end = memmem(line.pos, cursor_left(&line), middle, sizeof(middle) - 1);
	struct cursor word = {.pos = line.pos, .end = end};

	if (!end || end == line.pos || memchr(line.pos, ' ', (size_t)(end - line.pos)))
		return false;
	scan_rest(&word, name, size);
	return true;
}

static int count_line(struct address_samples *a, struct cursor line, void *arg)
{
	struct address_sample s = {.first = a->addresses.len};
	int ret;

	if (!scan_number(&line, &s.values[0]) || !scan_literal(&line, "@"))
		return address_samples_bad(a, "a line of it is damaged");
	ret = address_samples_scan(a, &line, 1);
	return ret ? ret : address_samples_push(a, s);
}

static int read_counts(struct address_samples *a, struct cursor *text)
{
	char name[128] = "";
	struct cursor line;

	if (!first_line(text, &line) || !read_title(line, name, sizeof(name)))
		return address_samples_bad(a, "its first line is damaged");
	if (profile_add_sample_type(a->p, name, "count") ||
	    profile_set_period(a->p, name, "count", 1))
		return address_samples_no_memory(a);
	return read_samples(a, text, count_line, NULL, LEGACY_CPU_DROP);
}

bool counts_text_is(struct bytes data)
{
	struct cursor text = cursor_over(data), line;
	char name[128];

	return first_line(&text, &line) && read_title(line, name, sizeof(name));
}

int counts_text_read(struct bytes data, struct read_notes *notes, struct profile **out,
		     struct error *err)
{
	return address_samples_read(data, read_counts, out, err);
}

/* ---- contention ------------------------------------------------------------------------------ */

struct contention {
	s64 hz; /* cycles in a second; 0 if values are nanoseconds */
	s64 period; /* contentions for each that was recorded */
};

static s64 scaled(s64 value, double by)
{
	double product = (double)value * by;

	return product >= 9e18 ? INT64_MAX : product <= -9e18 ? INT64_MIN : (s64)product;
}

static int contention_line(struct address_samples *a, struct cursor line, void *arg)
{
	const struct contention *c = arg;
	struct address_sample s = {.first = a->addresses.len};
	s64 cycles, times;
	int ret;

	if (!scan_number(&line, &cycles) || !scan_number(&line, &times) ||
	    !scan_literal(&line, "@"))
		return address_samples_bad(a, "a line of it is damaged");
	s.values[0] = scaled(times, (double)c->period);
	s.values[1] = scaled(cycles, (double)c->period * (c->hz ? 1e9 / (double)c->hz : 1));
	ret = address_samples_scan(a, &line, 1);
	return ret ? ret : address_samples_push(a, s);
}

/* Takes the lines "attribute = value" off the text. */
static int read_attributes(struct address_samples *a, struct cursor *text, struct contention *c)
{
	struct cursor before = *text, line;
	s64 ms = 0;

	for (; scan_line(text, &line); before = *text) {
		struct cursor at = line;

		if (is_comment(line) || scan_attribute(&at, "cycles/second", '=', &c->hz) ||
		    scan_attribute(&at, "sampling period", '=', &c->period) ||
		    scan_attribute(&at, "ms since reset", '=', &ms))
			continue;
		if (!line_has(&line, "=") || line_has(&line, "@"))
			break;
	}
	*text = before;
	if (c->hz < 0 || c->period < 0 || ms < 0 || ms > INT64_MAX / 1000000)
		return address_samples_bad(a, "its first lines are damaged");
	c->period = c->period ? c->period : 1;
	a->p->duration_nanos = ms * 1000000;
	return 0;
}

static int read_contention(struct address_samples *a, struct cursor *text)
{
	struct contention c = {.period = 1};
	struct cursor line;
	int ret;

	if (!scan_line(text, &line))
		return address_samples_bad(a, "its first line is damaged");
	ret = read_attributes(a, text, &c);
	if (ret)
		return ret;
	if (profile_add_sample_type(a->p, "contentions", "count") ||
	    profile_add_sample_type(a->p, "delay", "nanoseconds") ||
	    profile_set_period(a->p, "contentions", "count", c.period))
		return address_samples_no_memory(a);
	return read_samples(a, text, contention_line, &c, LOCK_DROP);
}

bool contention_text_is(struct bytes data)
{
	struct cursor c = cursor_over(data);

	return line_begins(&c, "--- contentionz ") || line_begins(&c, "--- contention:") ||
	       line_begins(&c, "--- mutex:");
}

int contention_text_read(struct bytes data, struct read_notes *notes, struct profile **out,
			 struct error *err)
{
	return address_samples_read(data, read_contention, out, err);
}
