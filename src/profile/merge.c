/* SPDX-License-Identifier: Apache-2.0 */
/* Merges profiles: see merge.h. */
#include "profile/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profile/id_table.h"

/* Maps one profile's item numbers to those of the result, plus one; 0 if not seen yet. */
struct merge_map {
	u32 *strings, *mappings, *functions, *locations;
};

struct merger {
	struct profile *out;
	const struct profile *in;
	struct merge_map map;
	struct id_table mappings; /* by file and by position in it */
	struct id_table locations; /* by module, offset and lines */
	VEC(struct profile_line) lines;
	VEC(struct profile_label) labels;
	VEC(u32) stack;
};

static int map_init(struct merge_map *m, const struct profile *p)
{
	m->strings = calloc(p->strings.len + 1, sizeof(u32));
	m->mappings = calloc(p->mappings.len + 1, sizeof(u32));
	m->functions = calloc(p->functions.len + 1, sizeof(u32));
	m->locations = calloc(p->locations.len + 1, sizeof(u32));
	return m->strings && m->mappings && m->functions && m->locations ? 0 : -ENOMEM;
}

static void map_release(struct merge_map *m)
{
	free(m->strings);
	free(m->mappings);
	free(m->functions);
	free(m->locations);
	*m = (struct merge_map){0};
}

/* Stores `number`, or passes its error on. */
static s64 keep(u32 *slot, s64 number)
{
	if (number >= 0)
		*slot = (u32)number + 1;
	return number;
}

static s64 merge_string(struct merger *m, string_id id)
{
	u32 *slot = &m->map.strings[id];

	return *slot ? *slot - 1 : keep(slot, profile_string(m->out, profile_text(m->in, id)));
}

static int merge_string_to(struct merger *m, string_id id, string_id *to)
{
	s64 number = merge_string(m, id);

	if (number < 0)
		return (int)number;
	*to = (string_id)number;
	return 0;
}

struct wanted_mapping {
	const struct profile *p;
	const struct profile_mapping *m;
};

static bool same_mapping(const void *arg, u32 id)
{
	const struct wanted_mapping *w = arg;
	const struct profile_mapping *a = &w->p->mappings.data[id], *b = w->m;

	if (a->kind != b->kind || a->limit - a->start != b->limit - b->start ||
	    a->offset != b->offset)
		return false;
	if (a->build_id || b->build_id)
		return a->build_id == b->build_id;
	return a->path == b->path;
}

static u32 mapping_hash(const struct profile_mapping *m)
{
	const u64 key[] = {m->kind, m->limit - m->start, m->offset, m->build_id,
			   m->build_id ? 0 : m->path};

	return hash_fold(hash_keyed(0, key, sizeof(key)));
}

static s64 add_mapping(struct merger *m, const struct profile_mapping *fresh, u32 hash)
{
	s64 id = id_table_reserve(&m->mappings) ? -ENOMEM : profile_add_mapping(m->out, fresh);

	if (id >= 0)
		id_table_add(&m->mappings, hash, (u32)id);
	return id;
}

static s64 merge_mapping(struct merger *m, u32 number)
{
	struct profile_mapping fresh = m->in->mappings.data[number], *known;
	const struct wanted_mapping w = {m->out, &fresh};
	u32 *slot = &m->map.mappings[number], hash;
	s64 id;
	int ret;

	if (*slot)
		return *slot - 1;
	ret = merge_string_to(m, fresh.path, &fresh.path);
	if (!ret)
		ret = merge_string_to(m, fresh.build_id, &fresh.build_id);
	if (ret)
		return ret;
	hash = mapping_hash(&fresh);
	id = id_table_find(&m->mappings, hash, same_mapping, &w);
	if (id < 0)
		return keep(slot, add_mapping(m, &fresh, hash));
	known = &m->out->mappings.data[id];
	known->has_functions &= fresh.has_functions;
	known->has_filenames &= fresh.has_filenames;
	known->has_line_numbers &= fresh.has_line_numbers;
	known->has_inline_frames &= fresh.has_inline_frames;
	return keep(slot, id);
}

static s64 merge_function(struct merger *m, u32 number)
{
	const struct profile_function *f = &m->in->functions.data[number];
	u32 *slot = &m->map.functions[number];

	if (*slot)
		return *slot - 1;
	return keep(slot, profile_function(m->out, profile_text(m->in, f->name),
					   profile_text(m->in, f->system_name),
					   profile_text(m->in, f->filename), f->start_line));
}

/* ---- locations ------------------------------------------------------------------------------- */

struct wanted_location {
	const struct merger *m;
	struct profile_location l;
};

static bool same_location(const void *arg, u32 id)
{
	const struct wanted_location *w = arg;
	const struct profile *p = w->m->out;
	const struct profile_location *l = &p->locations.data[id];

	if (l->mapping != w->l.mapping || l->address != w->l.address || l->folded != w->l.folded ||
	    l->nlines != w->m->lines.len)
		return false;
	for (u32 i = 0; i < l->nlines; i++) {
		const struct profile_line *a = &p->lines.data[l->first_line + i];
		const struct profile_line *b = &w->m->lines.data[i];

		if (a->function != b->function || a->line != b->line)
			return false;
	}
	return true;
}

static int merge_lines(struct merger *m, const struct profile_location *l)
{
	m->lines.len = 0;
	if (vec_reserve(&m->lines, l->nlines))
		return -ENOMEM;
	for (u32 i = 0; i < l->nlines; i++) {
		const struct profile_line *line = &m->in->lines.data[l->first_line + i];
		s64 function = merge_function(m, line->function);

		if (function < 0)
			return (int)function;
		m->lines.data[m->lines.len++] =
			(struct profile_line){.function = (u32)function, .line = line->line};
	}
	return 0;
}

/* m->lines holds its lines. */
static s64 location_find_or_add(struct merger *m, struct wanted_location *w)
{
	u64 key[] = {w->l.mapping, w->l.address, m->lines.len};
	u64 hash = hash_keyed(0, key, sizeof(key));
	s64 id;

	vec_for_each(&m->lines, line) {
		u64 words[] = {line->function, (u64)line->line};

		hash = hash_keyed(hash, words, sizeof(words));
	}
	id = id_table_find(&m->locations, hash_fold(hash), same_location, w);
	if (id >= 0)
		return id;
	if (id_table_reserve(&m->locations) || vec_push(&m->out->locations, w->l))
		return -ENOMEM;
	id = (s64)m->out->locations.len - 1;
	id_table_add(&m->locations, hash_fold(hash), (u32)id);
	if (profile_location_set_lines(m->out, (u32)id, m->lines.data, (u32)m->lines.len))
		return -ENOMEM;
	return id;
}

static s64 merge_location(struct merger *m, u32 number)
{
	const struct profile_location *from = &m->in->locations.data[number];
	struct wanted_location w = {.m = m, .l = *from};
	u32 *slot = &m->map.locations[number];
	s64 mapping;
	int ret;

	if (*slot)
		return *slot - 1;
	mapping = merge_mapping(m, from->mapping);
	if (mapping < 0)
		return mapping;
	ret = merge_lines(m, from);
	if (ret)
		return ret;
	w.l.mapping = (u32)mapping;
	w.l.address += m->out->mappings.data[mapping].start -
		       m->in->mappings.data[from->mapping].start;
	w.l.nlines = 0;
	w.l.first_line = 0;
	return keep(slot, location_find_or_add(m, &w));
}

/* ---- samples --------------------------------------------------------------------------------- */

static int merge_labels(struct merger *m, const struct profile_sample *s)
{
	m->labels.len = 0;
	for (u32 i = 0; i < s->nlabels; i++) {
		struct profile_label l = m->in->labels.data[s->first_label + i];
		int ret = merge_string_to(m, l.key, &l.key);

		if (!ret)
			ret = merge_string_to(m, l.str, &l.str);
		if (!ret)
			ret = merge_string_to(m, l.num_unit, &l.num_unit);
		if (!ret)
			ret = vec_push(&m->labels, l);
		if (ret)
			return ret;
	}
	return 0;
}

static int merge_sample(struct merger *m, const struct profile_sample *s)
{
	int ret;

	m->stack.len = 0;
	for (u32 i = 0; i < s->nlocations; i++) {
		s64 l = merge_location(m, m->in->stack_locations.data[s->first_location + i]);

		if (l < 0)
			return (int)l;
		if (vec_push(&m->stack, (u32)l))
			return -ENOMEM;
	}
	ret = merge_labels(m, s);
	if (ret)
		return ret;
	return profile_add_sample(m->out, m->stack.data, (u32)m->stack.len,
				  m->in->values.data + s->first_value, m->labels.data,
				  (u32)m->labels.len);
}

/* ---- the description of the profile ---------------------------------------------------------- */

static int merge_comments(struct merger *m)
{
	vec_for_each(&m->in->comments, c) {
		s64 id = merge_string(m, *c);
		bool known = false;

		if (id < 0)
			return (int)id;
		vec_for_each(&m->out->comments, have)
			known |= *have == (string_id)id;
		if (!known && vec_push(&m->out->comments, (string_id)id))
			return -ENOMEM;
	}
	return 0;
}

static int take_once(struct merger *m, string_id from, string_id *to)
{
	return *to || !from ? 0 : merge_string_to(m, from, to);
}

static int merge_header(struct merger *m)
{
	const struct profile *in = m->in;
	struct profile *out = m->out;
	int ret;

	if (in->period > out->period)
		out->period = in->period;
	if (in->time_nanos && (!out->time_nanos || in->time_nanos < out->time_nanos))
		out->time_nanos = in->time_nanos;
	if (__builtin_add_overflow(out->duration_nanos, in->duration_nanos, &out->duration_nanos))
		out->duration_nanos = INT64_MAX;
	ret = take_once(m, in->default_sample_type, &out->default_sample_type);
	if (!ret)
		ret = take_once(m, in->doc_url, &out->doc_url);
	if (!ret)
		ret = take_once(m, in->drop_frames, &out->drop_frames);
	if (!ret)
		ret = take_once(m, in->keep_frames, &out->keep_frames);
	return ret ? ret : merge_comments(m);
}

static int take_types(struct merger *m, const struct profile *first)
{
	int ret = profile_set_period(m->out, profile_text(first, first->period_type.type),
				     profile_text(first, first->period_type.unit), 0);

	vec_for_each(&first->sample_types, vt) {
		if (!ret)
			ret = profile_add_sample_type(m->out, profile_text(first, vt->type),
						      profile_text(first, vt->unit));
	}
	return ret;
}

static bool same_type(const struct profile *a, const struct profile_value_type *x,
		      const struct profile *b, const struct profile_value_type *y)
{
	return !strcmp(profile_text(a, x->type), profile_text(b, y->type)) &&
	       !strcmp(profile_text(a, x->unit), profile_text(b, y->unit));
}

static int check_same_kind(const struct profile *a, const struct profile *b, struct error *err)
{
	bool same = a->sample_types.len == b->sample_types.len &&
		    same_type(a, &a->period_type, b, &b->period_type);

	for (size_t i = 0; same && i < a->sample_types.len; i++)
		same = same_type(a, &a->sample_types.data[i], b, &b->sample_types.data[i]);
	if (same)
		return 0;
	return error_set(err, -EINVAL,
			 "the profiles are of different kinds: one counts %zu types, the last %s, "
			 "the other %zu, the last %s",
			 a->sample_types.len,
			 profile_text(a, a->sample_types.data[a->sample_types.len - 1].type),
			 b->sample_types.len,
			 profile_text(b, b->sample_types.data[b->sample_types.len - 1].type));
}

static int merge_one(struct merger *m, const struct profile *in)
{
	int ret = map_init(&m->map, in);

	m->in = in;
	if (!ret)
		ret = merge_header(m);
	/* The first mapping is that of the program, and it must remain the first one. */
	if (!ret && in->mappings.len && merge_mapping(m, 0) < 0)
		ret = -ENOMEM;
	for (size_t i = 0; i < in->samples.len && !ret; i++)
		ret = merge_sample(m, &in->samples.data[i]);
	map_release(&m->map);
	return ret;
}

int profile_merge(const struct profile *const *from, size_t n, struct profile **out,
		  struct error *err)
{
	struct merger m = {0};
	int ret = n ? 0 : -EINVAL;

	for (size_t i = 1; i < n && !ret; i++)
		ret = check_same_kind(from[0], from[i], err);
	if (ret)
		return ret;
	ret = profile_new(&m.out);
	if (ret)
		return ret;
	ret = take_types(&m, from[0]);
	for (size_t i = 0; i < n && !ret; i++)
		ret = merge_one(&m, from[i]);
	id_table_release(&m.mappings);
	id_table_release(&m.locations);
	vec_release(&m.lines);
	vec_release(&m.labels);
	vec_release(&m.stack);
	if (ret)
		profile_free(m.out);
	else
		*out = m.out;
	return ret;
}
