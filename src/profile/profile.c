/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles in memory: deduplication and merging. See profile.h. */
#include "profile/profile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/id_table.h"
#include "base/utf8.h"

struct profile_index {
	struct id_table strings, functions, locations, samples;
	VEC(struct profile_label) sorted; /* the labels of the sample that is being added */
};

/* Holds one item to look for, which the `same` callbacks of the id table compare with. */
struct wanted {
	const struct profile *p;
	const void *item;
};

int profile_new(struct profile **out)
{
	struct profile *p = calloc(1, sizeof(*p));
	struct profile_index *index = calloc(1, sizeof(*index));

	if (!p || !index) {
		free(p);
		free(index);
		return -ENOMEM;
	}
	p->index = index;
	if (profile_string(p, "") < 0) {
		profile_free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	vec_for_each(&p->strings, s)
		free(*s);
	vec_release(&p->strings);
	vec_release(&p->sample_types);
	vec_release(&p->mappings);
	vec_release(&p->functions);
	vec_release(&p->lines);
	vec_release(&p->locations);
	vec_release(&p->samples);
	vec_release(&p->stack_locations);
	vec_release(&p->values);
	vec_release(&p->labels);
	vec_release(&p->comments);
	id_table_release(&p->index->strings);
	id_table_release(&p->index->functions);
	id_table_release(&p->index->locations);
	id_table_release(&p->index->samples);
	vec_release(&p->index->sorted);
	free(p->index);
	free(p);
}

/* Returns whether `more` items can be appended to a vector of `len` items that are numbered by
 * u32. */
static bool numbers_left(size_t len, size_t more)
{
	return len <= ID_TABLE_MAX_ID && more <= ID_TABLE_MAX_ID - len;
}

static u32 hash_item(const void *item, size_t size)
{
	return hash_fold(hash_keyed(0, item, size));
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool same_string(const void *arg, u32 id)
{
	const struct wanted *w = arg;

	return !strcmp(w->p->strings.data[id], w->item);
}

/* `text` must be well-formed. */
static s64 intern(struct profile *p, const char *text)
{
	struct wanted w = {p, text};
	u32 hash = hash_item(text, strlen(text));
	s64 id = id_table_find(&p->index->strings, hash, same_string, &w);
	char *copy;

	if (id >= 0)
		return id;
	if (!numbers_left(p->strings.len, 1))
		return -E2BIG;
	copy = strdup(text);
	if (!copy || id_table_reserve(&p->index->strings) || vec_push(&p->strings, copy)) {
		free(copy);
		return -ENOMEM;
	}
	id = (s64)p->strings.len - 1;
	id_table_add(&p->index->strings, hash, (u32)id);
	return id;
}

s64 profile_string(struct profile *p, const char *text)
{
	char *clean;
	s64 id;

	if (!text)
		return 0;
	if (utf8_valid(text))
		return intern(p, text);
	clean = utf8_cleaned(text);
	if (!clean)
		return -ENOMEM;
	id = intern(p, clean);
	free(clean);
	return id;
}

const char *profile_text(const struct profile *p, string_id id)
{
	return id < p->strings.len ? p->strings.data[id] : "";
}

static int string_set(struct profile *p, string_id *to, const char *text)
{
	s64 id = profile_string(p, text);

	if (id < 0)
		return (int)id;
	*to = (string_id)id;
	return 0;
}

/* ---- the description of the profile ---------------------------------------------------------- */

static int value_type_set(struct profile *p, struct profile_value_type *to, const char *type,
			  const char *unit)
{
	int ret = string_set(p, &to->type, type);

	return ret ? ret : string_set(p, &to->unit, unit);
}

int profile_add_sample_type(struct profile *p, const char *type, const char *unit)
{
	struct profile_value_type vt;
	int ret = value_type_set(p, &vt, type, unit);

	if (ret)
		return ret;
	if (p->samples.len) /* their values already have one entry per type */
		return -EBUSY;
	return vec_push(&p->sample_types, vt);
}

int profile_set_period(struct profile *p, const char *type, const char *unit, s64 period)
{
	int ret = value_type_set(p, &p->period_type, type, unit);

	if (!ret)
		p->period = period;
	return ret;
}

int profile_add_comment(struct profile *p, const char *fmt, ...)
{
	string_id id = 0;
	char *text;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return -ENOMEM;
	ret = string_set(p, &id, text);
	free(text);
	return ret ? ret : vec_push(&p->comments, id);
}

int profile_find_sample_type(const struct profile *p, const char *type)
{
	const char *wanted = type ? type : profile_text(p, p->default_sample_type);

	for (size_t i = 0; i < p->sample_types.len; i++) {
		const struct profile_value_type *vt = &p->sample_types.data[i];
		const char *name = profile_text(p, vt->type);
		size_t len = strlen(name);

		if (!strcmp(wanted, name))
			return (int)i;
		if (!strncmp(wanted, name, len) && wanted[len] == '/' &&
		    !strcmp(wanted + len + 1, profile_text(p, vt->unit)))
			return (int)i;
	}
	if (type || !p->sample_types.len)
		return -ENOENT;
	return (int)p->sample_types.len - 1;
}

/* ---- mappings, functions, locations ---------------------------------------------------------- */

s64 profile_add_mapping(struct profile *p, const struct profile_mapping *m)
{
	if (!numbers_left(p->mappings.len, 1))
		return -E2BIG;
	if (vec_push(&p->mappings, *m))
		return -ENOMEM;
	return (s64)p->mappings.len - 1;
}

static bool same_function(const void *arg, u32 id)
{
	const struct wanted *w = arg;
	const struct profile_function *a = &w->p->functions.data[id], *b = w->item;

	return a->name == b->name && a->system_name == b->system_name &&
	       a->filename == b->filename && a->start_line == b->start_line;
}

static s64 function_add(struct profile *p, const struct profile_function *f)
{
	const u64 key[] = {f->name, f->system_name, f->filename, (u64)f->start_line};
	struct wanted w = {p, f};
	u32 hash = hash_item(key, sizeof(key));
	s64 id = id_table_find(&p->index->functions, hash, same_function, &w);

	if (id >= 0)
		return id;
	if (!numbers_left(p->functions.len, 1))
		return -E2BIG;
	if (id_table_reserve(&p->index->functions) || vec_push(&p->functions, *f))
		return -ENOMEM;
	id = (s64)p->functions.len - 1;
	id_table_add(&p->index->functions, hash, (u32)id);
	return id;
}

s64 profile_function(struct profile *p, const char *name, const char *system_name,
		     const char *filename, s64 start_line)
{
	struct profile_function f = {.start_line = start_line};
	int ret = string_set(p, &f.name, name);

	if (!ret)
		ret = string_set(p, &f.system_name, system_name);
	if (!ret)
		ret = string_set(p, &f.filename, filename);
	return ret ? ret : function_add(p, &f);
}

static bool same_location(const void *arg, u32 id)
{
	const struct wanted *w = arg;
	const struct profile_location *a = &w->p->locations.data[id], *b = w->item;

	return a->address == b->address && a->mapping == b->mapping;
}

s64 profile_location(struct profile *p, u32 mapping, u64 address)
{
	struct profile_location l = {.mapping = mapping, .address = address};
	const u64 key[] = {address, mapping};
	struct wanted w = {p, &l};
	u32 hash = hash_item(key, sizeof(key));
	s64 id = id_table_find(&p->index->locations, hash, same_location, &w);

	if (id >= 0)
		return id;
	if (mapping >= p->mappings.len)
		return -EINVAL;
	if (!numbers_left(p->locations.len, 1))
		return -E2BIG;
	if (id_table_reserve(&p->index->locations) || vec_push(&p->locations, l))
		return -ENOMEM;
	id = (s64)p->locations.len - 1;
	id_table_add(&p->index->locations, hash, (u32)id);
	return id;
}

int profile_location_set_lines(struct profile *p, u32 location, const struct profile_line *lines,
			       u32 n)
{
	struct profile_location *l;

	if (location >= p->locations.len)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		if (lines[i].function >= p->functions.len)
			return -EINVAL;
	}
	l = &p->locations.data[location];
	if (n > l->nlines) {
		if (!numbers_left(p->lines.len, n))
			return -E2BIG;
		if (vec_reserve(&p->lines, p->lines.len + n))
			return -ENOMEM;
		l->first_line = (u32)p->lines.len;
		p->lines.len += n;
	}
	if (n)
		memcpy(p->lines.data + l->first_line, lines, n * sizeof(*lines));
	l->nlines = n;
	return 0;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Describes a sample to look for; its labels are sorted. */
struct stack_key {
	const u32 *locations;
	u32 nlocations;
	const struct profile_label *labels;
	u32 nlabels;
};

static int label_compare(const void *left, const void *right)
{
	const struct profile_label *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->str != b->str)
		return a->str < b->str ? -1 : 1;
	if (a->num != b->num)
		return a->num < b->num ? -1 : 1;
	return (a->num_unit > b->num_unit) - (a->num_unit < b->num_unit);
}

static u32 stack_hash(const struct stack_key *key)
{
	u64 hash = hash_keyed(0, key->locations, key->nlocations * sizeof(*key->locations));

	for (u32 i = 0; i < key->nlabels; i++) {
		const struct profile_label *l = &key->labels[i];
		const u64 words[] = {l->key, l->str, (u64)l->num, l->num_unit};

		hash = hash_keyed(hash, words, sizeof(words));
	}
	return hash_fold(hash);
}

static bool same_stack(const void *arg, u32 id)
{
	const struct wanted *w = arg;
	const struct stack_key *key = w->item;
	const struct profile_sample *s = &w->p->samples.data[id];

	if (s->nlocations != key->nlocations || s->nlabels != key->nlabels)
		return false;
	if (key->nlocations && memcmp(w->p->stack_locations.data + s->first_location,
				      key->locations, key->nlocations * sizeof(*key->locations)))
		return false;
	for (u32 i = 0; i < key->nlabels; i++) {
		if (label_compare(&w->p->labels.data[s->first_label + i], &key->labels[i]))
			return false;
	}
	return true;
}

/* Returns the position of the last sample's stack if it is the same one, else the end of all
 * stacks. */
static u32 stack_place(const struct profile *p, const struct stack_key *key)
{
	const struct profile_sample *last = p->samples.len ? &p->samples.data[p->samples.len - 1]
							   : NULL;

	if (last && key->nlocations && last->nlocations == key->nlocations &&
	    !memcmp(p->stack_locations.data + last->first_location, key->locations,
		    key->nlocations * sizeof(*key->locations)))
		return last->first_location;
	return (u32)p->stack_locations.len;
}

/* Creates the sample with values of 0. Returns its number, or a negative errno that leaves nothing
 * half done. */
static s64 sample_new(struct profile *p, const struct stack_key *key, u32 hash)
{
	size_t nvalues = p->sample_types.len;
	struct profile_sample s = {
		.first_location = stack_place(p, key),
		.nlocations = key->nlocations,
		.first_value = (u32)p->values.len,
		.first_label = (u32)p->labels.len,
		.nlabels = key->nlabels,
	};

	if (!numbers_left(p->samples.len, 1) || !numbers_left(p->values.len, nvalues) ||
	    !numbers_left(p->stack_locations.len, key->nlocations) ||
	    !numbers_left(p->labels.len, key->nlabels))
		return -E2BIG;
	if (id_table_reserve(&p->index->samples) ||
	    vec_reserve(&p->stack_locations, p->stack_locations.len + key->nlocations) ||
	    vec_reserve(&p->values, p->values.len + nvalues) ||
	    vec_reserve(&p->labels, p->labels.len + key->nlabels) || vec_push(&p->samples, s))
		return -ENOMEM;
	if (key->nlocations && s.first_location == p->stack_locations.len) {
		memcpy(p->stack_locations.data + p->stack_locations.len, key->locations,
		       key->nlocations * sizeof(*key->locations));
		p->stack_locations.len += key->nlocations;
	}
	if (key->nlabels)
		memcpy(p->labels.data + p->labels.len, key->labels,
		       key->nlabels * sizeof(*key->labels));
	if (nvalues)
		memset(p->values.data + p->values.len, 0, nvalues * sizeof(*p->values.data));
	p->labels.len += key->nlabels;
	p->values.len += nvalues;
	id_table_add(&p->index->samples, hash, (u32)p->samples.len - 1);
	return (s64)p->samples.len - 1;
}

/* A sum that does not fit stays at the limit, so the profile reads as "at least this much". */
static s64 add_saturated(s64 a, s64 b)
{
	s64 sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b > 0 ? INT64_MAX : INT64_MIN;
}

static void add_values(struct profile *p, u32 to, const s64 *values)
{
	s64 *sums = p->values.data + p->samples.data[to].first_value;

	for (size_t i = 0; i < p->sample_types.len; i++)
		sums[i] = add_saturated(sums[i], values[i]);
}

static bool all_zero(const s64 *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (values[i])
			return false;
	}
	return true;
}

/* The labels are sorted, so that giving them in another order does not create a second sample. */
static int labels_sort(struct profile *p, const struct profile_label *labels, u32 n)
{
	if (vec_reserve(&p->index->sorted, n))
		return -ENOMEM;
	p->index->sorted.len = n;
	if (!n)
		return 0;
	memcpy(p->index->sorted.data, labels, n * sizeof(*labels));
	if (n > 1)
		qsort(p->index->sorted.data, n, sizeof(*labels), label_compare);
	return 0;
}

static int sample_check(const struct profile *p, const struct stack_key *key)
{
	for (u32 i = 0; i < key->nlocations; i++) {
		if (key->locations[i] >= p->locations.len)
			return -EINVAL;
	}
	for (u32 i = 0; i < key->nlabels; i++) {
		const struct profile_label *l = &key->labels[i];

		if (!l->key || l->key >= p->strings.len || l->str >= p->strings.len ||
		    l->num_unit >= p->strings.len)
			return -EINVAL;
	}
	return 0;
}

int profile_add_sample(struct profile *p, const u32 *locations, u32 nlocations, const s64 *values,
		       const struct profile_label *labels, u32 nlabels)
{
	struct stack_key key = {locations, nlocations, labels, nlabels};
	struct wanted w = {p, &key};
	u32 hash;
	s64 id;
	int ret;

	if (all_zero(values, p->sample_types.len))
		return 0;
	ret = sample_check(p, &key);
	if (!ret)
		ret = labels_sort(p, labels, nlabels);
	if (ret)
		return ret;
	key.labels = p->index->sorted.data;
	hash = stack_hash(&key);
	id = id_table_find(&p->index->samples, hash, same_stack, &w);
	if (id < 0)
		id = sample_new(p, &key, hash);
	if (id < 0)
		return (int)id;
	add_values(p, (u32)id, values);
	return 0;
}

/* The labels of added samples are already sorted. */
static struct stack_key key_of(const struct profile *p, const struct profile_sample *s)
{
	struct profile_label *labels = s->nlabels ? p->labels.data + s->first_label : NULL;

	if (s->nlabels > 1)
		qsort(labels, s->nlabels, sizeof(*labels), label_compare);
	return (struct stack_key){p->stack_locations.data + s->first_location, s->nlocations,
				  labels, s->nlabels};
}

/* This works in place, because a profile may fill most of the memory. Samples that are kept only
 * move down. */
void profile_merge_samples(struct profile *p)
{
	size_t n = p->samples.len, types = p->sample_types.len;

	id_table_release(&p->index->samples);
	p->samples.len = 0;
	for (size_t i = 0; i < n; i++) {
		struct profile_sample s = p->samples.data[i];
		struct stack_key key = key_of(p, &s);
		struct wanted w = {p, &key};
		const s64 *values = p->values.data + s.first_value;
		u32 hash = stack_hash(&key);
		s64 id = id_table_find(&p->index->samples, hash, same_stack, &w);

		if (all_zero(values, types))
			continue;
		if (id >= 0) {
			add_values(p, (u32)id, values);
			continue;
		}
		/* Without memory the sample may occur twice, which is still correct. */
		if (!id_table_reserve(&p->index->samples))
			id_table_add(&p->index->samples, hash, (u32)p->samples.len);
		s.first_value = (u32)(p->samples.len * types);
		memmove(p->values.data + s.first_value, values, types * sizeof(*values));
		p->samples.data[p->samples.len++] = s;
	}
	p->values.len = p->samples.len * types;
}
