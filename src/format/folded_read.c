/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads folded stacks, `root;frame;leaf COUNT` on each line, as stackcollapse scripts write them.
 *
 * A first pass looks at the counts only. If some of them have fractions, all are multiplied by a
 * power of ten and the unit says by which (folded_count.h). If every line has two counts, as
 * difffolded.pl writes them, they are two sample types, of which the second is the default.
 *
 * `_[k]`, `_[i]`, `_[j]`, `_[0]` and `_[1]` give the kind of a frame and are not part of its name:
 * kernel, inlined, compiled, interpreted, compiled by the first compiler of a Java VM. Lines that
 * do not end in a count are left out and counted. A line that begins with '#' and a blank, or that
 * has no count, is a comment.
 */
#include "format/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/folded_count.h"
#include "format/units.h"

#define STACK_MAX (1u << 24)
#define FRAMES_MAX (128u << 20) /* of all stacks */

struct folded_reader {
	struct profile *p;
	struct error *err;
	u32 mapping[3]; /* for user, kernel and JIT code */
	VEC(u32) stack;
	VEC(char) name;
	size_t lines;
	struct read_notes *notes;
	bool two_counts;
	s64 per_count; /* how much a count of one is in the profile */
};

/* The last two are suffixes of a name, and not where code is. */
enum { OF_USER, OF_KERNEL, OF_JIT, OF_CALLER, NO_SUFFIX };

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
 * Cuts padding and suffixes off the end of a name, and returns what the last suffix says. All
 * suffixes are cut, because otherwise an inner one would be the last when the name is written and
 * read again.
 */
static u32 trim_end(const u8 *name, size_t *len)
{
	static const char suffixes[][5] = {"_[i]", "_[k]", "_[j]", "_[0]", "_[1]"};
	static const u32 kinds[] = {OF_CALLER, OF_KERNEL, OF_JIT, OF_JIT, OF_JIT};
	u32 last = NO_SUFFIX;
	size_t i = 0;

	while (i < ARRAY_LEN(kinds)) {
		while (*len && padding(name[*len - 1]))
			--*len;
		for (i = 0; i < ARRAY_LEN(kinds); i++) {
			if (*len <= 4 || memcmp(name + *len - 4, suffixes[i], 4))
				continue;
			*len -= 4;
			if (last == NO_SUFFIX)
				last = kinds[i];
			break;
		}
	}
	return last;
}

/* An inlined function is part of the code of its caller, which comes before it. */
static u32 mapping_of(const struct folded_reader *r, u32 kind)
{
	if (kind == OF_CALLER && r->stack.len)
		return r->p->locations.data[r->stack.data[r->stack.len - 1]].mapping;
	return r->mapping[kind < OF_CALLER ? kind : OF_USER];
}

/*
 * Adds one location for each name and kind. Text has no addresses, so they are numbered by
 * function, and equal names are equal locations.
 */
static int push_frame(struct folded_reader *r, const u8 *name, size_t len)
{
	struct profile_line line = {0};
	s64 function, location;
	u32 kind;

	if (r->stack.len >= STACK_MAX)
		return error_set(r->err, -EFBIG, "line %zu has more than %u frames", r->lines,
				 STACK_MAX);
	len = strnlen((const char *)name, len);
	while (len && padding(*name)) {
		name++;
		len--;
	}
	kind = trim_end(name, &len);
	if (vec_reserve(&r->name, len + 1))
		return no_memory(r);
	memcpy(r->name.data, name, len);
	r->name.data[len] = '\0';
	function = profile_function(r->p, r->name.data, r->name.data, "", 0);
	if (function < 0)
		return no_memory(r);
	location = profile_location(r->p, mapping_of(r, kind), (u64)function + 1);
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

/* ---- lines ----------------------------------------------------------------------------------- */

static int push_stack(struct folded_reader *r, struct bytes stack)
{
	size_t at = 0;
	int ret = 0;

	r->stack.len = 0;
	while (!ret && at < stack.len) {
		const u8 *semicolon = memchr(stack.data + at, ';', stack.len - at);
		size_t end = semicolon ? (size_t)(semicolon - stack.data) : stack.len;

		if (end > at)
			ret = push_frame(r, stack.data + at, end - at);
		at = end + 1;
	}
	if (!ret)
		reverse(r->stack.data, r->stack.len);
	return ret;
}

static int add_line(struct folded_reader *r, struct bytes text)
{
	struct folded_line line;
	s64 values[2] = {0};
	size_t n = r->two_counts ? 2 : 1;
	int ret = 0;

	r->lines++;
	if (folded_line_read(text, r->two_counts, &line) != FOLDED_STACK)
		return 0;
	for (size_t i = 0; i < n && !ret; i++)
		ret = folded_count_value(&line.counts[i], r->per_count, &values[i]);
	if (ret)
		return error_set(r->err, ret, "the count of line %zu is too large", r->lines);
	ret = push_stack(r, line.stack);
	if (ret)
		return ret;
	ret = profile_add_sample(r->p, r->stack.data, (u32)r->stack.len, values, NULL, 0);
	if (!ret && r->p->stack_locations.len > FRAMES_MAX)
		return error_set(r->err, -EFBIG, "it holds more frames than a profile would");
	return ret ? error_set(r->err, ret, "%s", error_reason(ret)) : 0;
}

/* Takes the next line off the text; false if there is none. */
static bool take_line(struct bytes *text, struct bytes *line)
{
	const u8 *newline = text->len ? memchr(text->data, '\n', text->len) : NULL;
	size_t len = newline ? (size_t)(newline - text->data) : text->len;

	if (!text->len)
		return false;
	*line = (struct bytes){text->data, len};
	text->data += len + (newline != NULL);
	text->len -= len + (newline != NULL);
	return true;
}

/* ---- the first pass -------------------------------------------------------------------------- */

static void leave_out(struct folded_reader *r, size_t line)
{
	if (!r->notes->lines_left_out++)
		r->notes->first_left_out = line;
}

/* Finds out whether there are two counts on each line, and what unit all of them fit in. */
static int look_at_counts(struct folded_reader *r, struct bytes data)
{
	struct folded_scale scale = {0};
	size_t number = 0, stacks = 0, pairs = 0;
	struct bytes text;

	while (take_line(&data, &text)) {
		struct folded_line line;
		enum folded_line_kind kind = folded_line_read(text, true, &line);

		number++;
		if (kind == FOLDED_NO_COUNT)
			leave_out(r, number);
		if (kind != FOLDED_STACK)
			continue;
		stacks++;
		pairs += line.ncounts == 2;
		for (u32 i = 0; i < line.ncounts; i++)
			folded_scale_add(&scale, &line.counts[i]);
	}
	if (!stacks)
		return error_set(r->err, -EBADMSG, "no line of it ends in a count");
	r->two_counts = pairs == stacks;
	r->per_count = folded_scale_pick(&scale);
	return 0;
}

static int add_types(struct folded_reader *r)
{
	const char *unit = unit_of_counts(r->per_count);
	int ret = r->two_counts ? profile_add_sample_type(r->p, "samples_before", unit) : 0;

	return ret ? ret : profile_add_sample_type(r->p, "samples", unit);
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
	return add_types(r);
}

static int read_text(struct folded_reader *r, struct bytes data)
{
	int ret = look_at_counts(r, data);
	struct bytes line;

	if (ret)
		return ret;
	ret = add_mappings(r);
	if (ret)
		return error_set(r->err, ret, "%s", error_reason(ret));
	while (!ret && take_line(&data, &line))
		ret = add_line(r, line);
	return ret;
}

int folded_read(struct bytes data, struct read_notes *notes, struct profile **out,
		struct error *err)
{
	struct read_notes own = {0};
	struct folded_reader r = {.err = err, .notes = notes ? notes : &own};
	int ret = profile_new(&r.p);

	if (ret)
		return error_set(err, ret, "%s", error_reason(ret));
	ret = read_text(&r, data);
	vec_release(&r.stack);
	vec_release(&r.name);
	if (ret)
		profile_free(r.p);
	else
		*out = r.p;
	return ret;
}
