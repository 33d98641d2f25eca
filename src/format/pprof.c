/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the pprof format, which is gzipped protobuf.
 *
 * Protobuf messages concatenate: two Profile messages one after the other read as one whose
 * repeated fields are joined. So the file is written as many small Profile messages of a few items
 * each, and only one batch is in memory, whatever the size of the profile. Only the first message
 * has scalar fields, because readers take a second time_nanos for a concatenation of profiles.
 *
 * Numbers in the file are those of the tables plus one, in table order, because readers such as
 * Parca index by them instead of looking them up.
 */
#include "format/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile pb_profile;
typedef Perftools__Profiles__ValueType pb_value_type;
typedef Perftools__Profiles__Sample pb_sample;
typedef Perftools__Profiles__Label pb_label;
typedef Perftools__Profiles__Mapping pb_mapping;
typedef Perftools__Profiles__Location pb_location;
typedef Perftools__Profiles__Line pb_line;
typedef Perftools__Profiles__Function pb_function;

#define BATCH 128u
#define GZIP_LEVEL 1 /* Go uses the same; level 6 takes three times as long to save a tenth */
#define GZIP_WINDOW (15 + 16) /* adding 16 selects a gzip header instead of that of zlib */

struct writer {
	const struct profile *p;
	const struct sink *to;
	z_stream z;
	u8 *packed; /* one batch */
	size_t packed_cap;
	u8 zipped[65536];
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static int deflate_all(struct writer *w, const u8 *data, size_t len, int flush)
{
	int ret;

	w->z.next_in = (u8 *)data;
	w->z.avail_in = (uInt)len;
	do {
		w->z.next_out = w->zipped;
		w->z.avail_out = sizeof(w->zipped);
		if (deflate(&w->z, flush) == Z_STREAM_ERROR)
			return -EIO;
		if (w->z.avail_out == sizeof(w->zipped))
			continue;
		ret = w->to->write(w->to->arg, w->zipped, sizeof(w->zipped) - w->z.avail_out);
		if (ret)
			return ret;
	} while (!w->z.avail_out);
	return 0;
}

static int emit(struct writer *w, const pb_profile *m)
{
	size_t len = perftools__profiles__profile__get_packed_size(m);

	if (len > UINT32_MAX)
		return -E2BIG;
	if (vec_grow((void **)&w->packed, &w->packed_cap, len, 1))
		return -ENOMEM;
	perftools__profiles__profile__pack(m, w->packed);
	return deflate_all(w, w->packed, len, Z_NO_FLUSH);
}

/* ---- the tables; each function writes a batch of items from `first` on into a message -------- */

static int emit_mappings(struct writer *w, size_t first, size_t n, const bool *all_named)
{
	pb_mapping items[BATCH], *list[BATCH];
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;

	for (size_t i = 0; i < n; i++) {
		const struct profile_mapping *from = &w->p->mappings.data[first + i];

		items[i] = (pb_mapping)PERFTOOLS__PROFILES__MAPPING__INIT;
		items[i].id = first + i + 1;
		items[i].memory_start = from->start;
		items[i].memory_limit = from->limit;
		items[i].file_offset = from->offset;
		items[i].filename = from->path;
		items[i].build_id = from->build_id;
		items[i].has_functions = from->has_functions && all_named[first + i];
		items[i].has_filenames = from->has_filenames;
		items[i].has_line_numbers = from->has_line_numbers;
		items[i].has_inline_frames = from->has_inline_frames;
		list[i] = &items[i];
	}
	m.n_mapping = n;
	m.mapping = list;
	return emit(w, &m);
}

static int emit_functions(struct writer *w, size_t first, size_t n)
{
	pb_function items[BATCH], *list[BATCH];
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;

	for (size_t i = 0; i < n; i++) {
		const struct profile_function *from = &w->p->functions.data[first + i];

		items[i] = (pb_function)PERFTOOLS__PROFILES__FUNCTION__INIT;
		items[i].id = first + i + 1;
		items[i].name = from->name;
		items[i].system_name = from->system_name;
		items[i].filename = from->filename;
		items[i].start_line = from->start_line;
		list[i] = &items[i];
	}
	m.n_function = n;
	m.function = list;
	return emit(w, &m);
}

static int emit_strings(struct writer *w, size_t first, size_t n)
{
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;

	m.n_string_table = n;
	m.string_table = w->p->strings.data + first;
	return emit(w, &m);
}

static int emit_location(struct writer *w, size_t number)
{
	const struct profile_location *from = &w->p->locations.data[number];
	pb_location item = PERFTOOLS__PROFILES__LOCATION__INIT, *list = &item;
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;
	pb_line items[BATCH], *lines[BATCH];
	/* Deeper inlining is cut on the side of the innermost functions. */
	u32 n = from->nlines < BATCH ? from->nlines : BATCH, skipped = from->nlines - n;

	for (u32 i = 0; i < n; i++) {
		const struct profile_line *l = &w->p->lines.data[from->first_line + skipped + i];

		items[i] = (pb_line)PERFTOOLS__PROFILES__LINE__INIT;
		items[i].function_id = (u64)l->function + 1;
		items[i].line = l->line;
		lines[i] = &items[i];
	}
	item.id = number + 1;
	item.mapping_id = (u64)from->mapping + 1;
	item.address = from->address;
	item.is_folded = from->folded;
	item.n_line = n;
	item.line = lines;
	m.n_location = 1;
	m.location = &list;
	return emit(w, &m);
}

/* ---- samples --------------------------------------------------------------------------------- */

struct sample_buffers {
	VEC(u64) ids;
	VEC(pb_label) labels;
	VEC(pb_label *) list;
};

static int emit_sample(struct writer *w, const struct profile_sample *s, struct sample_buffers *b)
{
	const struct profile *p = w->p;
	pb_sample item = PERFTOOLS__PROFILES__SAMPLE__INIT, *list = &item;
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;

	if (vec_reserve(&b->ids, s->nlocations) || vec_reserve(&b->labels, s->nlabels) ||
	    vec_reserve(&b->list, s->nlabels))
		return -ENOMEM;
	for (u32 i = 0; i < s->nlocations; i++)
		b->ids.data[i] = (u64)p->stack_locations.data[s->first_location + i] + 1;
	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *from = &p->labels.data[s->first_label + i];
		pb_label *l = &b->labels.data[i];

		*l = (pb_label)PERFTOOLS__PROFILES__LABEL__INIT;
		l->key = from->key;
		l->str = from->str;
		l->num = from->num;
		l->num_unit = from->num_unit;
		b->list.data[i] = l;
	}
	item.n_location_id = s->nlocations;
	item.location_id = b->ids.data;
	item.n_value = p->sample_types.len;
	item.value = p->values.data + s->first_value;
	item.n_label = s->nlabels;
	item.label = b->list.data;
	m.n_sample = 1;
	m.sample = &list;
	return emit(w, &m);
}

static int emit_samples(struct writer *w)
{
	struct sample_buffers b = {0};
	int ret = 0;

	vec_for_each(&w->p->samples, s) {
		ret = emit_sample(w, s, &b);
		if (ret)
			break;
	}
	vec_release(&b.ids);
	vec_release(&b.labels);
	vec_release(&b.list);
	return ret;
}

/* ---- the whole file -------------------------------------------------------------------------- */

static int emit_sample_type(struct writer *w, const struct profile_value_type *vt)
{
	pb_value_type item = PERFTOOLS__PROFILES__VALUE_TYPE__INIT, *list = &item;
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;

	item.type = vt->type;
	item.unit = vt->unit;
	m.n_sample_type = 1;
	m.sample_type = &list;
	return emit(w, &m);
}

static int emit_header(struct writer *w)
{
	const struct profile *p = w->p;
	pb_value_type period = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	pb_profile m = PERFTOOLS__PROFILES__PROFILE__INIT;
	int64_t *comments = calloc(p->comments.len + 1, sizeof(*comments));
	int ret;

	if (!comments)
		return -ENOMEM;
	for (size_t i = 0; i < p->comments.len; i++)
		comments[i] = p->comments.data[i];
	period.type = p->period_type.type;
	period.unit = p->period_type.unit;
	if (period.type)
		m.period_type = &period;
	m.period = p->period;
	m.time_nanos = p->time_nanos;
	m.duration_nanos = p->duration_nanos;
	m.drop_frames = p->drop_frames;
	m.keep_frames = p->keep_frames;
	m.default_sample_type = p->default_sample_type;
	m.doc_url = p->doc_url;
	m.n_comment = p->comments.len;
	m.comment = comments;
	ret = emit(w, &m);
	free(comments);
	return ret;
}

/*
 * A mapping may only claim to have functions if all its locations have names, because readers do
 * not look for symbols where that is claimed.
 */
static int emit_all_mappings(struct writer *w)
{
	const struct profile *p = w->p;
	bool *all_named = malloc(p->mappings.len + 1);
	int ret = 0;

	if (!all_named)
		return -ENOMEM;
	memset(all_named, true, p->mappings.len + 1);
	vec_for_each(&p->locations, l) {
		if (!l->nlines)
			all_named[l->mapping] = false;
	}
	for (size_t i = 0; i < p->mappings.len && !ret; i += BATCH)
		ret = emit_mappings(w, i, p->mappings.len - i < BATCH ? p->mappings.len - i : BATCH,
				    all_named);
	free(all_named);
	return ret;
}

static int emit_profile(struct writer *w)
{
	const struct profile *p = w->p;
	int ret = emit_header(w);

	for (size_t i = 0; i < p->sample_types.len && !ret; i++)
		ret = emit_sample_type(w, &p->sample_types.data[i]);
	if (!ret)
		ret = emit_samples(w);
	if (!ret)
		ret = emit_all_mappings(w);
	for (size_t i = 0; i < p->locations.len && !ret; i++)
		ret = emit_location(w, i);
	for (size_t i = 0; i < p->functions.len && !ret; i += BATCH)
		ret = emit_functions(w, i,
				     p->functions.len - i < BATCH ? p->functions.len - i : BATCH);
	for (size_t i = 0; i < p->strings.len && !ret; i += BATCH)
		ret = emit_strings(w, i, p->strings.len - i < BATCH ? p->strings.len - i : BATCH);
	return ret;
}

static int pprof_write(const struct profile *p, const struct format_options *opt,
		       const struct sink *to, struct error *err)
{
	struct writer *w = calloc(1, sizeof(*w));
	int ret = -ENOMEM;

	if (!w)
		return ret;
	w->p = p;
	w->to = to;
	if (deflateInit2(&w->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) ==
	    Z_OK) {
		ret = emit_profile(w);
		if (!ret)
			ret = deflate_all(w, NULL, 0, Z_FINISH);
		deflateEnd(&w->z);
	}
	free(w->packed);
	free(w);
	return ret;
}

const struct format format_pprof = {
	.name = "pprof",
	.suffix = ".pb.gz",
	.suffix2 = ".pprof",
	.summary = "gzipped protobuf: go tool pprof and many others",
	.write = pprof_write,
};
