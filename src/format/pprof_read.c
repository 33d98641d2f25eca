/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads pprof's profile.proto (https://github.com/google/pprof/blob/main/proto/profile.proto). It
 * is decoded here and not by protobuf-c, which would make an object of every sample before the
 * first one is used.
 *
 * The message is read in two passes, because tables and strings may come after the samples that
 * refer to them. Ids are arbitrary distinct numbers in the file and become indexes here.
 */
#include "format/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/pprof_reader.h"

/* ---- strings --------------------------------------------------------------------------------- */

static int read_string(struct pprof_reader *r, struct bytes text)
{
	if (text.len > STRING_MAX)
		return error_set(r->err, -EFBIG, "a string has more than %u bytes", STRING_MAX);
	if (r->strings.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u strings", ITEMS_MAX);
	if (!r->strings.len && text.len)
		return bad(r, "the first string is not empty");
	return vec_push(&r->strings, text) ? no_memory(r) : 0;
}

int pprof_string(struct pprof_reader *r, u64 index, string_id *out)
{
	char small[512], *copy = small;
	struct bytes text;
	s64 id;

	*out = 0;
	if (!index)
		return 0;
	if (index >= r->strings.len)
		return bad(r, "string %" PRId64 " of %zu", (s64)index, r->strings.len);
	id = r->interned.data[index];
	if (id < 0) {
		text = r->strings.data[index];
		if (text.len >= sizeof(small))
			copy = malloc(text.len + 1);
		if (!copy)
			return no_memory(r);
		memcpy(copy, text.data, text.len);
		copy[text.len] = '\0';
		id = profile_string(r->p, copy);
		if (copy != small)
			free(copy);
		if (id < 0)
			return no_memory(r);
		r->interned.data[index] = id;
	}
	*out = (string_id)id;
	return 0;
}

/* ---- first pass: ids and strings ------------------------------------------------------------- */

static u64 id_of_message(struct bytes message, struct cursor *outer)
{
	struct cursor c = cursor_over(message);
	struct field f;
	u64 id = 0;

	while (next_field(&c, &f)) {
		if (f.number == 1 && is_number(&f))
			id = f.value;
	}
	outer->bad |= c.bad;
	return id;
}

static int collect(struct pprof_reader *r)
{
	struct cursor c = cursor_over(r->data);
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (!is_message(&f))
			continue;
		if (f.number == 3)
			ret = id_map_add(&r->mappings, id_of_message(f.bytes, &c), ITEMS_MAX,
					 "mapping", r->err);
		else if (f.number == 4)
			ret = id_map_add(&r->locations, id_of_message(f.bytes, &c), ITEMS_MAX,
					 "location", r->err);
		else if (f.number == 5)
			ret = id_map_add(&r->functions, id_of_message(f.bytes, &c), ITEMS_MAX,
					 "function", r->err);
		else if (f.number == 6)
			ret = read_string(r, f.bytes);
	}
	if (ret)
		return ret;
	if (c.bad)
		return bad(r, "it is cut off or damaged");
	if (!r->strings.len)
		return bad(r, "it has no strings");
	ret = id_map_build(&r->mappings, "mapping", r->err);
	if (!ret)
		ret = id_map_build(&r->locations, "location", r->err);
	if (!ret)
		ret = id_map_build(&r->functions, "function", r->err);
	if (ret)
		return ret;
	if (vec_reserve(&r->interned, r->strings.len))
		return no_memory(r);
	for (size_t i = 0; i < r->strings.len; i++)
		r->interned.data[i] = -1;
	r->interned.len = r->strings.len;
	return 0;
}

/* ---- second pass: tables --------------------------------------------------------------------- */

static u8 kind_of_path(const char *path)
{
	if (!strncmp(path, "[kernel", 7))
		return PROFILE_MAPPING_KERNEL;
	if (!strcmp(path, "//anon") || !strncmp(path, "[anon", 5))
		return PROFILE_MAPPING_JIT;
	if (!strncmp(path, "[stack cut", 10))
		return PROFILE_MAPPING_SYNTHETIC;
	return PROFILE_MAPPING_FILE;
}

static int put_mapping(struct pprof_reader *r, const struct field *f, void *out)
{
	struct profile_mapping *m = out;

	switch (f->number) {
	case 2:
		m->start = f->value;
		return 0;
	case 3:
		m->limit = f->value;
		return 0;
	case 4:
		m->offset = f->value;
		return 0;
	case 5:
		return pprof_string(r, f->value, &m->path);
	case 6:
		return pprof_string(r, f->value, &m->build_id);
	case 7:
		m->has_functions = f->value;
		return 0;
	case 8:
		m->has_filenames = f->value;
		return 0;
	case 9:
		m->has_line_numbers = f->value;
		return 0;
	case 10:
		m->has_inline_frames = f->value;
		return 0;
	default:
		return 0;
	}
}

static int read_mapping(struct pprof_reader *r, struct bytes message)
{
	struct profile_mapping m = {0};
	int ret = pprof_numbers(r, message, put_mapping, &m);

	if (ret)
		return ret;
	m.kind = kind_of_path(profile_text(r->p, m.path));
	return profile_add_mapping(r->p, &m) < 0 ? no_memory(r) : 0;
}

static int put_function(struct pprof_reader *r, const struct field *f, void *out)
{
	struct profile_function *fn = out;

	switch (f->number) {
	case 2:
		return pprof_string(r, f->value, &fn->name);
	case 3:
		return pprof_string(r, f->value, &fn->system_name);
	case 4:
		return pprof_string(r, f->value, &fn->filename);
	case 5:
		fn->start_line = (s64)f->value;
		return 0;
	default:
		return 0;
	}
}

static int read_function(struct pprof_reader *r, struct bytes message)
{
	struct profile_function fn = {0};
	int ret = pprof_numbers(r, message, put_function, &fn);

	/* Functions are not deduplicated, so the number is that of the id. */
	return ret ? ret : vec_push(&r->p->functions, fn) ? no_memory(r) : 0;
}

static int read_line(struct pprof_reader *r, struct bytes message)
{
	struct cursor c = cursor_over(message);
	struct profile_line line = {0};
	struct field f;
	u64 function = 0;
	s64 index;

	while (next_field(&c, &f)) {
		if (f.number == 1 && is_number(&f))
			function = f.value;
		else if (f.number == 2 && is_number(&f))
			line.line = (s64)f.value;
	}
	index = id_map_find(&r->functions, function);
	if (c.bad || index < 0)
		return bad(r, "a line refers to function %" PRIu64 ", which does not exist",
			   function);
	if (r->p->lines.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u lines", ITEMS_MAX);
	line.function = (u32)index;
	return vec_push(&r->p->lines, line) ? no_memory(r) : 0;
}

/* pprof allows a location without a mapping; here they share an empty one. */
static int place_nowhere(struct pprof_reader *r, u32 *mapping)
{
	static const struct profile_mapping none;
	s64 id;

	if (!r->nowhere) {
		id = profile_add_mapping(r->p, &none);
		if (id < 0)
			return no_memory(r);
		r->nowhere = (u32)id + 1;
	}
	*mapping = r->nowhere - 1;
	return 0;
}

static int read_location(struct pprof_reader *r, struct bytes message)
{
	struct profile_location l = {.first_line = (u32)r->p->lines.len};
	struct cursor c = cursor_over(message);
	struct field f;
	u64 mapping = 0;
	s64 index;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (f.number == 4 && is_message(&f))
			ret = read_line(r, f.bytes);
		else if (f.number == 2 && is_number(&f))
			mapping = f.value;
		else if (f.number == 3 && is_number(&f))
			l.address = f.value;
		else if (f.number == 5 && is_number(&f))
			l.folded = f.value;
	}
	if (ret)
		return ret;
	l.nlines = (u32)r->p->lines.len - l.first_line;
	if (mapping) {
		index = id_map_find(&r->mappings, mapping);
		if (index < 0)
			return bad(r,
				   "a location refers to mapping %" PRIu64 ", which does not exist",
				   mapping);
		l.mapping = (u32)index;
	} else {
		ret = place_nowhere(r, &l.mapping);
	}
	return ret ? ret : vec_push(&r->p->locations, l) ? no_memory(r) : 0;
}

/* ---- second pass: the description of the profile --------------------------------------------- */

static int put_value_type(struct pprof_reader *r, const struct field *f, void *out)
{
	struct profile_value_type *vt = out;

	if (f->number == 1)
		return pprof_string(r, f->value, &vt->type);
	return f->number == 2 ? pprof_string(r, f->value, &vt->unit) : 0;
}

static int read_value_type(struct pprof_reader *r, struct bytes message,
			   struct profile_value_type *vt)
{
	*vt = (struct profile_value_type){0};
	return pprof_numbers(r, message, put_value_type, vt);
}

static int read_sample_type(struct pprof_reader *r, struct bytes message)
{
	struct profile_value_type vt;
	int ret = read_value_type(r, message, &vt);

	if (ret)
		return ret;
	if (r->p->sample_types.len >= TYPES_MAX)
		return error_set(r->err, -EFBIG, "more than %u sample types", TYPES_MAX);
	return vec_push(&r->p->sample_types, vt) ? no_memory(r) : 0;
}

static int read_comment(struct pprof_reader *r, u64 index)
{
	string_id id;
	int ret = pprof_string(r, index, &id);

	if (ret)
		return ret;
	if (r->p->comments.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u comments", ITEMS_MAX);
	return vec_push(&r->p->comments, id) ? no_memory(r) : 0;
}

static int read_comments(struct pprof_reader *r, const struct field *f)
{
	struct cursor c;
	int ret = 0;

	if (is_number(f))
		return read_comment(r, f->value);
	for (c = cursor_over(f->bytes); !ret && !c.bad && c.pos < c.end;)
		ret = read_comment(r, varint(&c));
	return ret;
}

static int read_time(struct pprof_reader *r, u64 value)
{
	if (r->has_time)
		return bad(r, "it consists of several profiles, one after another");
	r->has_time = true;
	r->p->time_nanos = (s64)value;
	return 0;
}

static int read_header_field(struct pprof_reader *r, const struct field *f)
{
	struct profile *p = r->p;

	switch (f->number) {
	case 1:
		return is_message(f) ? read_sample_type(r, f->bytes) : 0;
	case 3:
		return is_message(f) ? read_mapping(r, f->bytes) : 0;
	case 5:
		return is_message(f) ? read_function(r, f->bytes) : 0;
	case 11:
		return is_message(f) ? read_value_type(r, f->bytes, &p->period_type) : 0;
	case 13:
		return read_comments(r, f);
	default:
		break;
	}
	if (!is_number(f))
		return 0;
	switch (f->number) {
	case 7:
		return pprof_string(r, f->value, &p->drop_frames);
	case 8:
		return pprof_string(r, f->value, &p->keep_frames);
	case 9:
		return read_time(r, f->value);
	case 10:
		p->duration_nanos = (s64)f->value;
		return 0;
	case 12:
		p->period = (s64)f->value;
		return 0;
	case 14:
		return pprof_string(r, f->value, &p->default_sample_type);
	case 15:
		return pprof_string(r, f->value, &p->doc_url);
	default:
		return 0;
	}
}

/* Locations come after mappings and functions, whatever their order in the file. */
static int read_tables(struct pprof_reader *r)
{
	struct cursor c = cursor_over(r->data);
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (f.number != 2 && f.number != 4 && f.number != 6)
			ret = read_header_field(r, &f);
	}
	c = cursor_over(r->data);
	while (!ret && next_field(&c, &f)) {
		if (f.number == 4 && is_message(&f))
			ret = read_location(r, f.bytes);
	}
	return ret;
}

int pprof_read(struct bytes data, struct read_notes *notes, struct profile **out, struct error *err)
{
	struct pprof_reader r = {.data = data, .err = err};
	int ret = profile_new(&r.p);

	if (ret)
		return error_set(err, ret, "%s", error_reason(ret));
	ret = collect(&r);
	if (!ret)
		ret = read_tables(&r);
	if (!ret && !r.p->sample_types.len)
		ret = bad(&r, "it has no sample types");
	if (!ret)
		ret = pprof_read_samples(&r);
	vec_release(&r.strings);
	vec_release(&r.interned);
	id_map_release(&r.mappings);
	id_map_release(&r.functions);
	id_map_release(&r.locations);
	vec_release(&r.stack);
	vec_release(&r.values);
	vec_release(&r.labels);
	if (ret)
		profile_free(r.p);
	else
		*out = r.p;
	return ret;
}
