/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the heap and contention profiles of a Java agent, which pprof's readers also take:
 *
 *   --- heapz 1 ---
 *   format = java
 *   resolution = bytes
 *       7048     1 @ 0x00000003 0x00000004        the value and how often
 *
 *   0x0000003 com.example.work (source.java:17)
 */
#include "format/read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/java_text.h"
#include "format/text_scan.h"

#define NAME_BYTES 4096u
#define HEAP_RATE 524288.0 /* bytes between samples */

struct java {
	bool heap;
	char unit[32];
	s64 period;
};

/* ---- names ----------------------------------------------------------------------------------- */

/* Splits "com.example.work (source.java:17)". */
static s64 split_place(char *name, const char **file)
{
	char *open = strrchr(name, '('), *close = open ? strchr(open, ')') : NULL, *colon;
	s64 line = 0;

	*file = "";
	if (!close || open == name || open[-1] != ' ')
		return 0;
	*close = '\0';
	*file = open + 1;
	colon = strrchr(*file, ':');
	if (colon) {
		line = strtoll(colon + 1, NULL, 10);
		*colon = '\0';
	}
	while (open > name && open[-1] == ' ')
		open--;
	*open = '\0';
	return line > 0 ? line : 0;
}

int java_names_read(struct address_samples *a, struct cursor *text)
{
	char name[NAME_BYTES];
	struct cursor line;
	int ret = 0;

	while (!ret && scan_line(text, &line)) {
		const char *file;
		u64 address;
		s64 number;

		if (!scan_literal(&line, "0x") || !scan_hex(&line, &address))
			continue;
		scan_rest(&line, name, sizeof(name));
		number = split_place(name, &file);
		if (*name)
			ret = address_samples_name(a, address, name, file, number);
	}
	return ret;
}

/* ---- samples --------------------------------------------------------------------------------- */

static s64 scaled(s64 value, double by)
{
	double product = (double)value * by;

	return product >= 9e18 ? INT64_MAX : (s64)product;
}

static int sample_line(struct address_samples *a, const struct java *j, struct cursor line)
{
	struct address_sample s = {.first = a->addresses.len};
	double scale = (double)j->period;
	s64 value, times;
	int ret;

	if (!scan_number(&line, &value) || !scan_number(&line, &times) ||
	    !scan_literal(&line, "@") || value < 0 || times < 0 || (j->heap && !times))
		return address_samples_bad(a, "a line of it is damaged");
	if (j->heap) {
		s.block = value / times;
		scale = value ? 1 / -expm1(-(double)value / (double)times / HEAP_RATE) : 1;
	}
	s.values[0] = scaled(times, scale);
	s.values[1] = scaled(value, scale);
	ret = address_samples_scan(a, &line, 0);
	return ret ? ret : address_samples_push(a, s);
}

static int add_types(struct address_samples *a, const struct java *j)
{
	struct profile *p = a->p;

	if (profile_add_sample_type(p, j->heap ? "inuse_objects" : "contentions", "count") ||
	    profile_add_sample_type(p, j->heap ? "inuse_space" : "delay", j->unit) ||
	    profile_set_period(p, j->heap ? "space" : "contentions", j->heap ? "bytes" : "count",
			       j->heap ? (s64)HEAP_RATE : j->period))
		return address_samples_no_memory(a);
	return 0;
}

/* Takes the lines "attribute = value" off the text. */
static int read_attributes(struct address_samples *a, struct cursor *text, struct java *j)
{
	struct cursor before = *text, line;
	s64 ms = 0;

	for (; scan_line(text, &line); before = *text) {
		struct cursor at = line;

		if (line_has(&line, "@"))
			break;
		if (scan_literal(&at, "resolution") && scan_literal(&at, "="))
			scan_rest(&at, j->unit, sizeof(j->unit));
		else if (!scan_attribute(&at, "sampling period", '=', &j->period))
			scan_attribute(&at, "ms since reset", '=', &ms);
	}
	*text = before;
	if (j->period < 0 || ms < 0 || ms > INT64_MAX / 1000000)
		return address_samples_bad(a, "its first lines are damaged");
	j->period = j->period ? j->period : 1;
	a->p->duration_nanos = ms * 1000000;
	return 0;
}

static int read_text(struct address_samples *a, struct cursor *text, struct java *j)
{
	int ret = read_attributes(a, text, j);
	struct cursor before = *text, line;

	ret = ret ? ret : add_types(a, j);
	for (; !ret && scan_line(text, &line); before = *text) {
		if (scan_end(&line))
			continue;
		if (!line_has(&line, "@"))
			break;
		ret = sample_line(a, j, line);
	}
	*text = before;
	ret = ret ? ret : java_names_read(a, text);
	return ret ? ret : address_samples_finish(a, (struct bytes){0}, "");
}

bool java_text_is(struct bytes data)
{
	struct cursor text = cursor_over(data), line;

	if (!line_begins(&text, "--- heapz ") && !line_begins(&text, "--- contentionz "))
		return false;
	for (int i = 0; i < 8 && scan_line(&text, &line); i++) {
		if (scan_literal(&line, "format") && scan_literal(&line, "=") &&
		    scan_literal(&line, "java"))
			return true;
	}
	return false;
}

int java_text_read(struct bytes data, struct read_notes *notes, struct profile **out,
		   struct error *err)
{
	struct cursor text = cursor_over(data), line;
	struct java j = {.unit = "bytes", .period = 1};
	struct address_samples a;
	int ret = address_samples_init(&a, err);

	if (ret)
		return ret;
	j.heap = line_begins(&text, "--- heapz ");
	if (!j.heap)
		strcpy(j.unit, "nanoseconds");
	if (!scan_line(&text, &line))
		ret = address_samples_bad(&a, "its first line is damaged");
	return address_samples_take(&a, ret ? ret : read_text(&a, &text, &j), out);
}
