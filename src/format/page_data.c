/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tables of the HTML page: see page_data.h. */
#include "format/page_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/out.h"
#include "view/view.h"

/* ---- numbers --------------------------------------------------------------------------------- */

int page_put(struct page_bytes *b, u64 value)
{
	if (vec_reserve(&b->b, b->b.len + 10))
		return -ENOMEM;
	for (; value >= 0x80; value >>= 7)
		b->b.data[b->b.len++] = (u8)(value | 0x80);
	b->b.data[b->b.len++] = (u8)value;
	return 0;
}

int page_put_signed(struct page_bytes *b, s64 value)
{
	return page_put(b, ((u64)value << 1) ^ (value < 0 ? ~0ull : 0));
}

static u64 magnitude(s64 v)
{
	return v < 0 ? -(u64)v : (u64)v;
}

static u64 common_divisor(u64 a, u64 b)
{
	while (b) {
		u64 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* ---- deduplication --------------------------------------------------------------------------- */

struct wanted_text {
	const struct page_texts *t;
	const void *data;
	size_t len;
};

static bool same_text(const void *arg, u32 id)
{
	const struct wanted_text *w = arg;
	const struct page_text *have = &w->t->list.data[id];

	return have->len == w->len && !memcmp(have->data, w->data, w->len);
}

static s64 text_number(struct page_texts *t, const void *data, size_t len)
{
	struct wanted_text w = {t, data, len};
	u32 hash = hash_fold(hash_keyed(0, data, len));
	struct page_text fresh = {.len = len};
	s64 id = id_table_find(&t->index, hash, same_text, &w);

	if (id >= 0)
		return id;
	fresh.data = malloc(len + 1);
	if (!fresh.data || id_table_reserve(&t->index) || vec_push(&t->list, fresh)) {
		free(fresh.data);
		return -ENOMEM;
	}
	memcpy(fresh.data, data, len);
	fresh.data[len] = '\0';
	id_table_add(&t->index, hash, (u32)t->list.len - 1);
	return (s64)t->list.len - 1;
}

static void texts_release(struct page_texts *t)
{
	vec_for_each(&t->list, text)
		free(text->data);
	vec_release(&t->list);
	id_table_release(&t->index);
}

s64 page_string(struct page_data *d, const char *text)
{
	return text_number(&d->strings, text, strlen(text));
}

struct wanted_item {
	const u8 *items;
	const void *item;
	size_t size;
};

static bool same_item(const void *arg, u32 id)
{
	const struct wanted_item *w = arg;

	return !memcmp(w->items + id * w->size, w->item, w->size);
}

/* Returns the number of an item of `size` bytes in the vector (data, len, cap), appending it if it
 * is new. */
static s64 item_number(struct id_table *t, void **data, size_t *len, size_t *cap, const void *item,
		       size_t size)
{
	struct wanted_item w = {*data, item, size};
	u32 hash = hash_fold(hash_keyed(0, item, size));
	s64 id = id_table_find(t, hash, same_item, &w);

	if (id >= 0)
		return id;
	if (*len > ID_TABLE_MAX_ID)
		return -E2BIG;
	if (id_table_reserve(t) || vec_grow(data, cap, *len + 1, size))
		return -ENOMEM;
	memcpy((u8 *)*data + *len * size, item, size);
	id_table_add(t, hash, (u32)*len);
	return (s64)(*len)++;
}

#define number_of(table, vec, item)                                                   \
	item_number((table), (void **)&(vec)->data, &(vec)->len, &(vec)->cap, (item), \
		    sizeof(*(vec)->data))

/* ---- kinds of code --------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_library(const char *base)
{
	const char *so = strstr(base, ".so");

	return (so && (!so[3] || so[3] == '.' || so[3] == '-')) || starts_with(base, "[vdso");
}

/* In profiles that were read from a file the kinds are unknown, so the name of the mapping
 * decides. */
static enum page_kind kind_of(const struct profile *p, const struct profile_mapping *m)
{
	const char *path = profile_text(p, m->path), *base = path_name(path);
	size_t len = strlen(base);

	switch (m->kind) {
	case PROFILE_MAPPING_KERNEL:
		return PAGE_KERNEL;
	case PROFILE_MAPPING_JIT:
		return PAGE_JIT;
	case PROFILE_MAPPING_SYNTHETIC:
		return PAGE_MARK;
	}
	if (starts_with(path, "[kernel") || starts_with(path, "[guest.kernel") ||
	    starts_with(base, "vmlinux") || (len > 3 && !strcmp(base + len - 3, ".ko")))
		return PAGE_KERNEL;
	if (starts_with(path, "//anon") || starts_with(path, "[anon") ||
	    (starts_with(base, "perf-") && strstr(base, ".map")))
		return PAGE_JIT;
	return is_library(base) ? PAGE_LIBRARY : PAGE_USER;
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct adder {
	struct page_data *d;
	const struct profile *p;
	u32 *modules; /* for each mapping: its module plus one */
	u32 *first_frame; /* for each location: its position in `frames` plus one */
	VEC(u32)
	frames; /* of locations, outermost first; their number is the location's nlines, or 1 */
	struct page_bytes labels;
};

static s64 module_number(struct adder *a, u32 mapping)
{
	const struct profile_mapping *m = &a->p->mappings.data[mapping];
	struct page_module module = {.kind = kind_of(a->p, m)};
	s64 path, build_id, number;

	if (a->modules[mapping])
		return a->modules[mapping] - 1;
	path = page_string(a->d, profile_text(a->p, m->path));
	build_id = page_string(a->d, profile_text(a->p, m->build_id));
	if (path < 0 || build_id < 0)
		return -ENOMEM;
	module.path = (u32)path;
	module.build_id = (u32)build_id;
	number = number_of(&a->d->by_module, &a->d->modules, &module);
	if (number >= 0)
		a->modules[mapping] = (u32)number + 1;
	return number;
}

static int add_frame(struct adder *a, s64 module, const char *name, const char *file, s64 line,
		     bool inlined)
{
	struct page_function f = {0};
	struct page_frame frame = {.line = line};
	s64 name_id = page_string(a->d, *name ? name : "[unknown]"),
	    file_id = page_string(a->d, file), number;

	if (module < 0 || name_id < 0 || file_id < 0)
		return module < 0 ? (int)module : -ENOMEM;
	if (file_id > UINT32_MAX / 2)
		return -E2BIG;
	f.name = (u32)name_id;
	f.module = (u32)module;
	number = number_of(&a->d->by_function, &a->d->functions, &f);
	if (number < 0)
		return (int)number;
	frame.function = (u32)number;
	frame.place = (u32)file_id * 2 + inlined;
	number = number_of(&a->d->by_frame, &a->d->frames, &frame);
	return number < 0 ? (int)number : vec_push(&a->frames, (u32)number);
}

static int expand_location(struct adder *a, u32 location)
{
	const struct profile *p = a->p;
	const struct profile_location *l = &p->locations.data[location];
	s64 module = module_number(a, l->mapping);
	char unnamed[512];
	int ret = 0;

	if (a->frames.len >= UINT32_MAX - l->nlines - 1)
		return -E2BIG;
	a->first_frame[location] = (u32)a->frames.len + 1;
	if (!l->nlines) {
		view_unnamed(p, l, unnamed, sizeof(unnamed));
		return add_frame(a, module, unnamed, "", 0, false);
	}
	for (u32 i = l->nlines; i-- > 0 && !ret;) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];

		ret = add_frame(a, module, profile_text(p, f->name), profile_text(p, f->filename),
				line->line, i + 1 < l->nlines);
	}
	return ret;
}

/* Nodes come in the order of their numbers, so the parent's merged node is already known. */
static int merge_node(struct page_data *d, const struct page_node *node)
{
	struct page_merged m = {.parent = d->merged_of.data[node->parent],
				.function = d->frames.data[node->frame].function};
	s64 number = number_of(&d->by_merged, &d->merged, &m);

	return number < 0 ? (int)number : vec_push(&d->merged_of, (u32)number);
}

static int descend(struct adder *a, u32 location, u32 *node)
{
	const struct profile_location *l = &a->p->locations.data[location];
	int ret = a->first_frame[location] ? 0 : expand_location(a, location);

	for (u32 i = 0; i < (l->nlines ? l->nlines : 1) && !ret; i++) {
		struct page_node child = {
			.parent = *node, .frame = a->frames.data[a->first_frame[location] - 1 + i]};
		s64 number = number_of(&a->d->by_node, &a->d->nodes, &child);

		if (number < 0)
			return (int)number;
		*node = (u32)number;
		if (*node == PAGE_NODES_MAX)
			return -E2BIG;
		if (*node == a->d->merged_of.len)
			ret = merge_node(a->d, &child);
	}
	return ret;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* A set consists of the number of its labels, then key, string, number and unit of each. */
static s64 label_set(struct adder *a, const struct profile_sample *s)
{
	a->labels.b.len = 0;
	if (page_put(&a->labels, s->nlabels))
		return -ENOMEM;
	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &a->p->labels.data[s->first_label + i];
		s64 key = page_string(a->d, profile_text(a->p, l->key));
		s64 str = page_string(a->d, profile_text(a->p, l->str));
		s64 unit = page_string(a->d, profile_text(a->p, l->num_unit));

		if (key < 0 || str < 0 || unit < 0)
			return -ENOMEM;
		if (page_put(&a->labels, (u64)key) || page_put(&a->labels, (u64)str) ||
		    page_put_signed(&a->labels, l->num) || page_put(&a->labels, (u64)unit))
			return -ENOMEM;
	}
	return text_number(&a->d->label_sets, a->labels.b.data, a->labels.b.len);
}

s64 page_samples_value(const struct page_samples *s, size_t i, size_t type)
{
	const struct profile_sample *from = &s->p->samples.data[i];

	return s->types[type] < 0 ? 0 : s->p->values.data[from->first_value + (u32)s->types[type]];
}

static int add_sample(struct adder *a, const struct profile_sample *s, struct page_samples *out)
{
	struct page_sample sample = {0};
	s64 set = label_set(a, s);
	int ret = 0;

	if (set < 0)
		return (int)set;
	sample.label_set = (u32)set;
	for (u32 i = s->nlocations; i-- > 0 && !ret;)
		ret = descend(a, a->p->stack_locations.data[s->first_location + i], &sample.node);
	return ret ? ret : vec_push(&out->list, sample);
}

static void divide_values(struct page_data *d, const struct page_samples *s)
{
	for (size_t type = 0; type < d->ntypes; type++) {
		for (size_t i = 0; i < s->list.len && d->divisors[type] != 1; i++)
			d->divisors[type] = common_divisor(
				magnitude(page_samples_value(s, i, type)), d->divisors[type]);
	}
}

static int add_samples(struct adder *a, struct page_samples *out)
{
	int ret = 0;

	a->modules = calloc(a->p->mappings.len + 1, sizeof(*a->modules));
	a->first_frame = calloc(a->p->locations.len + 1, sizeof(*a->first_frame));
	if (!a->modules || !a->first_frame)
		return -ENOMEM;
	for (size_t i = 0; i < a->p->samples.len && !ret; i++)
		ret = add_sample(a, &a->p->samples.data[i], out);
	return ret;
}

static bool same_type(const struct profile *a, const struct profile_value_type *x,
		      const struct profile *b, const struct profile_value_type *y)
{
	return !strcmp(profile_text(a, x->type), profile_text(b, y->type)) &&
	       !strcmp(profile_text(a, x->unit), profile_text(b, y->unit));
}

static int match_types(struct page_samples *s, const struct profile *types_of)
{
	s->types = malloc((types_of->sample_types.len + 1) * sizeof(*s->types));
	if (!s->types)
		return -ENOMEM;
	for (size_t i = 0; i < types_of->sample_types.len; i++) {
		s->types[i] = -1;
		for (size_t k = 0; k < s->p->sample_types.len; k++) {
			if (same_type(types_of, &types_of->sample_types.data[i], s->p,
				      &s->p->sample_types.data[k]))
				s->types[i] = (int)k;
		}
	}
	return 0;
}

int page_data_add(struct page_data *d, const struct profile *types_of, const struct profile *p,
		  struct page_samples *out)
{
	struct adder a = {.d = d, .p = p};
	int ret;

	out->p = p;
	ret = match_types(out, types_of);
	if (!ret)
		ret = add_samples(&a, out);
	if (!ret)
		divide_values(d, out);
	free(a.modules);
	free(a.first_frame);
	vec_release(&a.frames);
	vec_release(&a.labels.b);
	return ret;
}

void page_samples_release(struct page_samples *s)
{
	free(s->types);
	s->types = NULL;
	vec_release(&s->list);
}

/* ---- the tables ------------------------------------------------------------------------------ */

int page_data_init(struct page_data *d, const struct profile *p)
{
	const struct page_node root = {0};
	const struct page_merged merged_root = {0};
	const u8 no_labels = 0;
	s64 first;

	d->ntypes = p->sample_types.len;
	d->divisors = calloc(d->ntypes + 1, sizeof(*d->divisors));
	if (!d->divisors)
		return -ENOMEM;
	first = page_string(d, "");
	if (first >= 0)
		first = text_number(&d->label_sets, &no_labels, 1);
	if (first < 0)
		return (int)first;
	/* The root stays out of the index, because no frame leads back to it. */
	if (vec_push(&d->nodes, root) || vec_push(&d->merged, merged_root) ||
	    vec_push(&d->merged_of, 0))
		return -ENOMEM;
	return 0;
}

void page_data_release(struct page_data *d)
{
	texts_release(&d->strings);
	texts_release(&d->label_sets);
	vec_release(&d->modules);
	vec_release(&d->functions);
	vec_release(&d->frames);
	vec_release(&d->nodes);
	vec_release(&d->merged);
	vec_release(&d->merged_of);
	id_table_release(&d->by_module);
	id_table_release(&d->by_function);
	id_table_release(&d->by_frame);
	id_table_release(&d->by_node);
	id_table_release(&d->by_merged);
	free(d->divisors);
	d->divisors = NULL;
}
