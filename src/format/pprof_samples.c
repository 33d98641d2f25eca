/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of a pprof file: see pprof_reader.h. */
#include <inttypes.h>

#include "format/pprof_reader.h"

static inline int put_label(struct pprof_reader *r, const struct field *f, void *out)
{
	struct profile_label *l = out;

	switch (f->number) {
	case 1:
		return pprof_string(r, f->value, &l->key);
	case 2:
		return pprof_string(r, f->value, &l->str);
	case 3:
		l->num = (s64)f->value;
		return 0;
	case 4:
		return pprof_string(r, f->value, &l->num_unit);
	default:
		return 0;
	}
}

static int read_label(struct pprof_reader *r, struct bytes message)
{
	struct profile_label l = {0};
	int ret = pprof_numbers(r, message, put_label, &l);

	if (ret || !l.key) /* a label without a key has no meaning */
		return ret;
	if (r->labels.len >= STACK_MAX)
		return error_set(r->err, -EFBIG, "a sample has more than %u labels", STACK_MAX);
	return vec_push(&r->labels, l) ? no_memory(r) : 0;
}

static inline int push_location(struct pprof_reader *r, u64 id)
{
	s64 index = id_map_find(&r->locations, id);
	u32 nlines;

	if (index < 0)
		return bad(r, "a sample refers to location %" PRIu64 ", which does not exist", id);
	nlines = r->p->locations.data[index].nlines;
	r->stack_frames += nlines ? nlines : 1;
	if (r->stack_frames > STACK_MAX)
		return error_set(r->err, -EFBIG, "a stack has more than %u frames", STACK_MAX);
	return vec_push(&r->stack, (u32)index) ? no_memory(r) : 0;
}

static int read_stack(struct pprof_reader *r, const struct field *f)
{
	struct cursor c;
	int ret = 0;

	if (is_number(f))
		return push_location(r, f->value);
	for (c = cursor_over(f->bytes); !ret && c.pos < c.end;)
		ret = push_location(r, varint(&c));
	return ret;
}

static int push_value(struct pprof_reader *r, u64 value)
{
	if (r->values.len >= r->p->sample_types.len)
		return bad(r, "a sample has more values than there are sample types");
	return vec_push(&r->values, (s64)value) ? no_memory(r) : 0;
}

static int read_values(struct pprof_reader *r, const struct field *f)
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

static int read_sample(struct pprof_reader *r, struct bytes message)
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

int pprof_read_samples(struct pprof_reader *r)
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
