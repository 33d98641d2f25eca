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

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profile/id_table.h"

/*
 * This limits each table; a program with a million functions is a large one. A sample takes up to
 * eight times the space that it had in the file, so all samples together may hold at most CELLS_MAX
 * times four bytes.
 */
#define ITEMS_MAX (4u << 20)
#define SAMPLES_MAX (16u << 20)
#define CELLS_MAX (128ull << 20)
#define STRING_MAX (1u << 20)
#define TYPES_MAX 256u
#define STACK_MAX (1u << 20)
/* These count inlined functions, which a few bytes can multiply. One stack may have STACK_MAX
 * frames, and all together this many. */
#define FRAMES_MAX (256ull << 20)

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
	u32 number;
	enum wire wire;
	u64 value; /* of a number */
	struct bytes bytes; /* of WIRE_BYTES */
};

/* Maps the ids of a file to indexes, through an array if the ids are small, as those of all known
 * writers are. */
struct id_map {
	VEC(u64) ids;
	VEC(u32) dense; /* index plus one */
	struct id_table sparse;
};

struct reader {
	struct profile *p;
	struct error *err;
	struct bytes data;
	VEC(struct bytes) strings; /* as they are in the file */
	VEC(s64) interned; /* their numbers in the profile; -1 if not yet added */
	struct id_map mappings, functions, locations;
	u32 nowhere; /* the mapping of locations without one, plus one; 0 if not needed yet */
	bool has_time;
	u64 frames; /* of the samples so far */
	/* the sample that is being read */
	VEC(u32) stack;
	u64 stack_frames;
	VEC(s64) values;
	VEC(struct profile_label) labels;
};

#define bad(r, ...) error_set((r)->err, -EBADMSG, __VA_ARGS__)
#define no_memory(r) error_set((r)->err, -ENOMEM, "not enough memory")

/* ---- the wire -------------------------------------------------------------------------------- */

static inline u64 varint(struct cursor *c)
{
	u64 value = 0;

	if (c->pos < c->end && *c->pos < 0x80)
		return *c->pos++;
	for (u32 shift = 0; shift < 70 && c->pos < c->end; shift += 7) {
		u8 byte = *c->pos++;

		if (shift < 64)
			value |= (u64)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	c->bad = true;
	c->pos = c->end;
	return 0;
}

/* Reads the next field; false at the end, or (c->bad) if it is malformed. */
static inline bool next_field(struct cursor *c, struct field *f)
{
	u64 key, len;

	if (c->bad || c->pos == c->end)
		return false;
	*f = (struct field){0};
	key = varint(c);
	f->number = (u32)(key >> 3);
	f->wire = (enum wire)(key & 7);
	if (!f->number || key >> 32)
		c->bad = true;
	switch (f->wire) {
	case WIRE_VARINT:
		f->value = varint(c);
		break;
	case WIRE_FIXED64:
		f->value = cursor_u64(c);
		break;
	case WIRE_FIXED32:
		f->value = cursor_u32(c);
		break;
	case WIRE_BYTES:
		len = varint(c);
		f->bytes.data = cursor_take(c, len);
		f->bytes.len = (size_t)len;
		break;
	default: /* Groups have been deprecated since 2008. */
		c->bad = true;
	}
	return !c->bad;
}

static bool is_number(const struct field *f)
{
	return f->wire == WIRE_VARINT;
}

static bool is_message(const struct field *f)
{
	return f->wire == WIRE_BYTES;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static bool same_id(const void *arg, u32 index)
{
	const struct {
		const u64 *ids;
		u64 id;
	} *w = arg;

	return w->ids[index] == w->id;
}

static s64 id_sparse(const struct id_map *m, u64 id)
{
	const struct {
		const u64 *ids;
		u64 id;
	} w = {m->ids.data, id};

	return id_table_find(&m->sparse, hash_fold(hash_keyed(0, &id, sizeof(id))), same_id, &w);
}

/* Returns the index of an id; -1 if there is none. */
static inline s64 id_index(const struct id_map *m, u64 id)
{
	if (m->dense.data)
		return id < m->dense.len ? (s64)m->dense.data[id] - 1 : -1;
	return id_sparse(m, id);
}

static int id_add(struct reader *r, struct id_map *m, u64 id, const char *what)
{
	if (!id)
		return bad(r, "a %s has the id 0", what);
	if (m->ids.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u %ss", ITEMS_MAX, what);
	return vec_push(&m->ids, id) ? no_memory(r) : 0;
}

static int id_map_dense(struct reader *r, struct id_map *m, u64 max, const char *what)
{
	m->dense.data = calloc((size_t)max + 1, sizeof(*m->dense.data));
	if (!m->dense.data)
		return no_memory(r);
	m->dense.len = m->dense.cap = (size_t)max + 1;
	for (size_t i = 0; i < m->ids.len; i++) {
		u32 *slot = &m->dense.data[m->ids.data[i]];

		if (*slot)
			return bad(r, "two %ss have the id %" PRIu64, what, m->ids.data[i]);
		*slot = (u32)i + 1;
	}
	return 0;
}

static int id_map_build(struct reader *r, struct id_map *m, const char *what)
{
	u64 max = 0;

	vec_for_each(&m->ids, id) {
		if (*id > max)
			max = *id;
	}
	if (max <= m->ids.len * 4 + 1024)
		return id_map_dense(r, m, max, what);
	for (size_t i = 0; i < m->ids.len; i++) {
		u64 id = m->ids.data[i];

		if (id_sparse(m, id) >= 0)
			return bad(r, "two %ss have the id %" PRIu64, what, id);
		if (id_table_reserve(&m->sparse))
			return no_memory(r);
		id_table_add(&m->sparse, hash_fold(hash_keyed(0, &id, sizeof(id))), (u32)i);
	}
	return 0;
}

static void id_map_release(struct id_map *m)
{
	vec_release(&m->ids);
	vec_release(&m->dense);
	id_table_release(&m->sparse);
}

/* ---- strings --------------------------------------------------------------------------------- */

static int read_string(struct reader *r, struct bytes text)
{
	if (text.len > STRING_MAX)
		return error_set(r->err, -EFBIG, "a string has more than %u bytes", STRING_MAX);
	if (r->strings.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u strings", ITEMS_MAX);
	if (!r->strings.len && text.len)
		return bad(r, "the first string is not empty");
	return vec_push(&r->strings, text) ? no_memory(r) : 0;
}

/* Returns the profile's number of the file's string, which is interned when it is first needed. */
static int string_of(struct reader *r, u64 index, string_id *out)
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

static int collect(struct reader *r)
{
	struct cursor c = cursor_over(r->data);
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (!is_message(&f))
			continue;
		if (f.number == 3)
			ret = id_add(r, &r->mappings, id_of_message(f.bytes, &c), "mapping");
		else if (f.number == 4)
			ret = id_add(r, &r->locations, id_of_message(f.bytes, &c), "location");
		else if (f.number == 5)
			ret = id_add(r, &r->functions, id_of_message(f.bytes, &c), "function");
		else if (f.number == 6)
			ret = read_string(r, f.bytes);
	}
	if (ret)
		return ret;
	if (c.bad)
		return bad(r, "neither a pprof profile nor folded stacks, or the file is cut off");
	if (!r->strings.len)
		return bad(r, "neither a pprof profile nor folded stacks: no strings");
	ret = id_map_build(r, &r->mappings, "mapping");
	if (!ret)
		ret = id_map_build(r, &r->locations, "location");
	if (!ret)
		ret = id_map_build(r, &r->functions, "function");
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

static int read_mapping(struct reader *r, struct bytes message)
{
	struct cursor c = cursor_over(message);
	struct profile_mapping m = {0};
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (!is_number(&f))
			continue;
		switch (f.number) {
		case 2:
			m.start = f.value;
			break;
		case 3:
			m.limit = f.value;
			break;
		case 4:
			m.offset = f.value;
			break;
		case 5:
			ret = string_of(r, f.value, &m.path);
			break;
		case 6:
			ret = string_of(r, f.value, &m.build_id);
			break;
		case 7:
			m.has_functions = f.value;
			break;
		case 8:
			m.has_filenames = f.value;
			break;
		case 9:
			m.has_line_numbers = f.value;
			break;
		case 10:
			m.has_inline_frames = f.value;
			break;
		default:
			break;
		}
	}
	if (ret)
		return ret;
	m.kind = kind_of_path(profile_text(r->p, m.path));
	return profile_add_mapping(r->p, &m) < 0 ? no_memory(r) : 0;
}

static int read_function(struct reader *r, struct bytes message)
{
	struct cursor c = cursor_over(message);
	struct profile_function fn = {0};
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (!is_number(&f))
			continue;
		switch (f.number) {
		case 2:
			ret = string_of(r, f.value, &fn.name);
			break;
		case 3:
			ret = string_of(r, f.value, &fn.system_name);
			break;
		case 4:
			ret = string_of(r, f.value, &fn.filename);
			break;
		case 5:
			fn.start_line = (s64)f.value;
			break;
		default:
			break;
		}
	}
	/* Functions are not deduplicated, so the number is that of the id. */
	return ret ? ret : vec_push(&r->p->functions, fn) ? no_memory(r) : 0;
}

static int read_line(struct reader *r, struct bytes message)
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
	index = id_index(&r->functions, function);
	if (c.bad || index < 0)
		return bad(r, "a line refers to function %" PRIu64 ", which does not exist",
			   function);
	if (r->p->lines.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u lines", ITEMS_MAX);
	line.function = (u32)index;
	return vec_push(&r->p->lines, line) ? no_memory(r) : 0;
}

/* pprof allows a location without a mapping; here they share an empty one. */
static int place_nowhere(struct reader *r, u32 *mapping)
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

static int read_location(struct reader *r, struct bytes message)
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
		index = id_index(&r->mappings, mapping);
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

static int read_value_type(struct reader *r, struct bytes message, struct profile_value_type *vt)
{
	struct cursor c = cursor_over(message);
	struct field f;
	int ret = 0;

	*vt = (struct profile_value_type){0};
	while (!ret && next_field(&c, &f)) {
		if (f.number == 1 && is_number(&f))
			ret = string_of(r, f.value, &vt->type);
		else if (f.number == 2 && is_number(&f))
			ret = string_of(r, f.value, &vt->unit);
	}
	return ret;
}

static int read_sample_type(struct reader *r, struct bytes message)
{
	struct profile_value_type vt;
	int ret = read_value_type(r, message, &vt);

	if (ret)
		return ret;
	if (r->p->sample_types.len >= TYPES_MAX)
		return error_set(r->err, -EFBIG, "more than %u sample types", TYPES_MAX);
	return vec_push(&r->p->sample_types, vt) ? no_memory(r) : 0;
}

static int read_comment(struct reader *r, u64 index)
{
	string_id id;
	int ret = string_of(r, index, &id);

	if (ret)
		return ret;
	if (r->p->comments.len >= ITEMS_MAX)
		return error_set(r->err, -EFBIG, "more than %u comments", ITEMS_MAX);
	return vec_push(&r->p->comments, id) ? no_memory(r) : 0;
}

static int read_comments(struct reader *r, const struct field *f)
{
	struct cursor c;
	int ret = 0;

	if (is_number(f))
		return read_comment(r, f->value);
	for (c = cursor_over(f->bytes); !ret && !c.bad && c.pos < c.end;)
		ret = read_comment(r, varint(&c));
	return ret;
}

static int read_time(struct reader *r, u64 value)
{
	if (r->has_time)
		return bad(r, "it consists of several profiles, one after another");
	r->has_time = true;
	r->p->time_nanos = (s64)value;
	return 0;
}

static int read_header_field(struct reader *r, const struct field *f)
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
		return string_of(r, f->value, &p->drop_frames);
	case 8:
		return string_of(r, f->value, &p->keep_frames);
	case 9:
		return read_time(r, f->value);
	case 10:
		p->duration_nanos = (s64)f->value;
		return 0;
	case 12:
		p->period = (s64)f->value;
		return 0;
	case 14:
		return string_of(r, f->value, &p->default_sample_type);
	case 15:
		return string_of(r, f->value, &p->doc_url);
	default:
		return 0;
	}
}

/* Locations come after mappings and functions, whatever their order in the file. */
static int read_tables(struct reader *r)
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

/* ---- samples --------------------------------------------------------------------------------- */

static int read_label(struct reader *r, struct bytes message)
{
	struct cursor c = cursor_over(message);
	struct profile_label l = {0};
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (!is_number(&f))
			continue;
		switch (f.number) {
		case 1:
			ret = string_of(r, f.value, &l.key);
			break;
		case 2:
			ret = string_of(r, f.value, &l.str);
			break;
		case 3:
			l.num = (s64)f.value;
			break;
		case 4:
			ret = string_of(r, f.value, &l.num_unit);
			break;
		default:
			break;
		}
	}
	if (ret || !l.key) /* a label without a key has no meaning */
		return ret;
	if (r->labels.len >= STACK_MAX)
		return error_set(r->err, -EFBIG, "a sample has more than %u labels", STACK_MAX);
	return vec_push(&r->labels, l) ? no_memory(r) : 0;
}

static inline int push_location(struct reader *r, u64 id)
{
	s64 index = id_index(&r->locations, id);
	u32 nlines;

	if (index < 0)
		return bad(r, "a sample refers to location %" PRIu64 ", which does not exist", id);
	nlines = r->p->locations.data[index].nlines;
	r->stack_frames += nlines ? nlines : 1;
	if (r->stack_frames > STACK_MAX)
		return error_set(r->err, -EFBIG, "a stack has more than %u frames", STACK_MAX);
	return vec_push(&r->stack, (u32)index) ? no_memory(r) : 0;
}

static int read_stack(struct reader *r, const struct field *f)
{
	struct cursor c;
	int ret = 0;

	if (is_number(f))
		return push_location(r, f->value);
	for (c = cursor_over(f->bytes); !ret && c.pos < c.end;)
		ret = push_location(r, varint(&c));
	return ret;
}

static int push_value(struct reader *r, u64 value)
{
	if (r->values.len >= r->p->sample_types.len)
		return bad(r, "a sample has more values than there are sample types");
	return vec_push(&r->values, (s64)value) ? no_memory(r) : 0;
}

static int read_values(struct reader *r, const struct field *f)
{
	struct cursor c;
	int ret = 0;

	if (is_number(f))
		return push_value(r, f->value);
	for (c = cursor_over(f->bytes); !ret && c.pos < c.end;) {
		ret = push_value(r, varint(&c));
		if (c.bad)
			return bad(r, "a sample's values are damaged");
	}
	return ret;
}

/* Counts the units of four bytes in samples. */
static u64 cells(const struct profile *p)
{
	return p->stack_locations.len + p->values.len * (sizeof(s64) / sizeof(u32)) +
	       p->labels.len * (sizeof(struct profile_label) / sizeof(u32));
}

static int read_sample(struct reader *r, struct bytes message)
{
	struct cursor c = cursor_over(message);
	struct field f;
	int ret = 0;

	r->stack.len = r->values.len = r->labels.len = 0;
	r->stack_frames = 0;
	while (!ret && next_field(&c, &f)) {
		if (f.number == 1)
			ret = read_stack(r, &f);
		else if (f.number == 2)
			ret = read_values(r, &f);
		else if (f.number == 3 && is_message(&f))
			ret = read_label(r, f.bytes);
	}
	if (ret)
		return ret;
	if (c.bad)
		return bad(r, "a sample is damaged");
	if (r->values.len != r->p->sample_types.len)
		return bad(r, "a sample has %zu values for %zu sample types", r->values.len,
			   r->p->sample_types.len);
	r->frames += r->stack_frames;
	if (r->p->samples.len >= SAMPLES_MAX || cells(r->p) > CELLS_MAX || r->frames > FRAMES_MAX)
		return error_set(r->err, -EFBIG, "it holds more samples than a profile would");
	ret = profile_add_sample(r->p, r->stack.data, (u32)r->stack.len, r->values.data,
				 r->labels.data, (u32)r->labels.len);
	return ret ? error_set(r->err, ret, "%s", error_reason(ret)) : 0;
}

static int read_samples(struct reader *r)
{
	struct cursor c = cursor_over(r->data);
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (f.number == 2 && is_message(&f))
			ret = read_sample(r, f.bytes);
	}
	return ret;
}

int pprof_read(struct bytes data, struct profile **out, struct error *err)
{
	struct reader r = {.data = data, .err = err};
	int ret = profile_new(&r.p);

	if (ret)
		return error_set(err, ret, "%s", error_reason(ret));
	ret = collect(&r);
	if (!ret)
		ret = read_tables(&r);
	if (!ret && !r.p->sample_types.len)
		ret = bad(&r, "it has no sample types");
	if (!ret)
		ret = read_samples(&r);
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
