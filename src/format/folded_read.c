/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads folded stacks, `root;frame;leaf COUNT` on each line, as stackcollapse scripts write them.
 * The count may be a fraction and is rounded. Of lines with two counts (differential) the last one
 * is used. `_[k]`, `_[i]` and `_[j]` give the kind of a frame and are not part of its name. A line
 * that begins with '#' and does not end in a digit is a comment.
 */
#include "format/read.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STACK_MAX (1u << 20)
#define LINE_MAX_BYTES (16u << 20)

struct folded_reader {
	struct profile *p;
	struct error *err;
	u32 mapping[3]; /* for user, kernel and JIT code */
	VEC(u32) stack;
	VEC(char) name;
	size_t lines;
};

enum { OF_USER, OF_KERNEL, OF_JIT };

static int no_memory(struct folded_reader *r)
{
	return error_set(r->err, -ENOMEM, "not enough memory");
}

/* These bytes at the ends of a name are not part of it; format_folded never writes them. */
static bool padding(u8 c)
{
	return c <= ' ' || c == 0x7f;
}

/*
 * Cuts padding and suffixes off the end of a name; the last suffix gives the kind of code. All
 * suffixes are cut, because otherwise an inner one would be the last when the name is written and
 * read again.
 */
static u32 trim_end(const u8 *name, size_t *len)
{
	static const char suffixes[][5] = {"_[i]", "_[k]", "_[j]"};
	static const u32 kinds[] = {OF_USER, OF_KERNEL, OF_JIT};
	size_t i = 0, last = ARRAY_LEN(kinds);

	while (i < ARRAY_LEN(kinds)) {
		while (*len && padding(name[*len - 1]))
			--*len;
		for (i = 0; i < ARRAY_LEN(kinds); i++) {
			if (*len <= 4 || memcmp(name + *len - 4, suffixes[i], 4))
				continue;
			*len -= 4;
			if (last == ARRAY_LEN(kinds))
				last = i;
			break;
		}
	}
	return last < ARRAY_LEN(kinds) ? kinds[last] : OF_USER;
}

/*
 * Adds one location for each name and kind. Text has no addresses, so they are numbered by
 * function, and equal names are equal locations.
 */
static int push_frame(struct folded_reader *r, const u8 *name, size_t len)
{
	struct profile_line line = {0};
	s64 function, location;
	u32 of;

	if (r->stack.len >= STACK_MAX)
		return error_set(r->err, -EFBIG, "line %zu has more than %u frames", r->lines,
				 STACK_MAX);
	len = strnlen((const char *)name, len);
	while (len && padding(*name)) {
		name++;
		len--;
	}
	of = trim_end(name, &len);
	if (vec_reserve(&r->name, len + 1))
		return no_memory(r);
	memcpy(r->name.data, name, len);
	r->name.data[len] = '\0';
	function = profile_function(r->p, r->name.data, r->name.data, "", 0);
	if (function < 0)
		return no_memory(r);
	location = profile_location(r->p, r->mapping[of], (u64)function + 1);
	if (location < 0)
		return no_memory(r);
	line.function = (u32)function;
	if (!r->p->locations.data[location].nlines &&
	    profile_location_set_lines(r->p, (u32)location, &line, 1))
		return no_memory(r);
	return vec_push(&r->stack, (u32)location) ? no_memory(r) : 0;
}

static void reverse(u32 *data, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		u32 last = data[n - 1 - i];

		data[n - 1 - i] = data[i];
		data[i] = last;
	}
}

static bool blank(u8 c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Reads the number at the end of the line; *len becomes the length of the stack before it. */
static int read_count(struct folded_reader *r, const u8 *line, size_t *len, s64 *count)
{
	size_t end = *len, start;
	char text[64], *rest;
	double value;

	start = end;
	while (start && !blank(line[start - 1]))
		start--;
	if (!start || end - start >= sizeof(text))
		return error_set(r->err, -EBADMSG, "line %zu has no stack and count", r->lines);
	memcpy(text, line + start, end - start);
	text[end - start] = '\0';
	errno = 0;
	*count = strtoll(text, &rest, 10);
	if (*rest == '.' || errno == ERANGE) {
		value = strtod(text, &rest);
		if (!(fabs(value) < 9e18))
			return error_set(r->err, -ERANGE, "line %zu: the count is too large",
					 r->lines);
		*count = llround(value);
	}
	if (*rest || rest == text)
		return error_set(r->err, -EBADMSG, "line %zu does not end in a count", r->lines);
	while (start && blank(line[start - 1]))
		start--;
	*len = start;
	return 0;
}

static int read_line(struct folded_reader *r, const u8 *line, size_t len)
{
	size_t at = 0;
	s64 count;
	int ret;

	while (len && blank(*line)) {
		line++;
		len--;
	}
	while (len && blank(line[len - 1]))
		len--;
	if (!len || (*line == '#' && !isdigit(line[len - 1])))
		return 0;
	ret = read_count(r, line, &len, &count);
	r->stack.len = 0;
	while (!ret && at < len) {
		const u8 *semicolon = memchr(line + at, ';', len - at);
		size_t end = semicolon ? (size_t)(semicolon - line) : len;

		if (end > at)
			ret = push_frame(r, line + at, end - at);
		at = end + 1;
	}
	if (ret)
		return ret;
	reverse(r->stack.data, r->stack.len);
	ret = profile_add_sample(r->p, r->stack.data, (u32)r->stack.len, &count, NULL, 0);
	return ret ? error_set(r->err, ret, "%s", error_reason(ret)) : 0;
}

static int add_mappings(struct folded_reader *r)
{
	static const struct {
		const char *path;
		enum profile_mapping_kind kind;
	} kinds[] = {
		[OF_USER] = {"", PROFILE_MAPPING_FILE},
		[OF_KERNEL] = {"[kernel.kallsyms]", PROFILE_MAPPING_KERNEL},
		[OF_JIT] = {"//anon", PROFILE_MAPPING_JIT},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		s64 path = profile_string(r->p, kinds[i].path), id;
		struct profile_mapping m = {.kind = kinds[i].kind, .has_functions = true};

		if (path < 0)
			return (int)path;
		m.path = (string_id)path;
		id = profile_add_mapping(r->p, &m);
		if (id < 0)
			return (int)id;
		r->mapping[i] = (u32)id;
	}
	return profile_add_sample_type(r->p, "samples", "count");
}

static int read_lines(struct folded_reader *r, struct bytes data)
{
	size_t at = 0;
	int ret = 0;

	while (!ret && at < data.len) {
		const u8 *newline = memchr(data.data + at, '\n', data.len - at);
		size_t end = newline ? (size_t)(newline - data.data) : data.len;

		r->lines++;
		if (end - at > LINE_MAX_BYTES)
			return error_set(r->err, -EFBIG, "line %zu is too long", r->lines);
		ret = read_line(r, data.data + at, end - at);
		at = end + 1;
	}
	return ret;
}

int folded_read(struct bytes data, struct profile **out, struct error *err)
{
	struct folded_reader r = {.err = err};
	int ret = profile_new(&r.p);

	if (ret)
		return error_set(err, ret, "%s", error_reason(ret));
	ret = add_mappings(&r);
	if (ret)
		error_set(err, ret, "%s", error_reason(ret));
	else
		ret = read_lines(&r, data);
	vec_release(&r.stack);
	vec_release(&r.name);
	if (ret)
		profile_free(r.p);
	else
		*out = r.p;
	return ret;
}
