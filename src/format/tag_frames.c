/* SPDX-License-Identifier: Apache-2.0 */
/* Makes frames of labels: see tag_frames.h. */
#include "format/tag_frames.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/units.h"

#define KEYS_MAX 16
#define NAME_BYTES 1024

struct keys {
	char *text; /* owned; cut into keys */
	const char *key[KEYS_MAX];
	u32 n;
};

struct tagging {
	struct profile *p;
	struct keys root, leaf;
	u32 mapping;
	VEC(u32) stack;
};

static int keys_init(struct keys *k, const char *list)
{
	char *rest, *key;

	if (!list)
		return 0;
	rest = k->text = strdup(list);
	if (!rest)
		return -ENOMEM;
	while ((key = strsep(&rest, ",")) && k->n < KEYS_MAX) {
		if (*key)
			k->key[k->n++] = key;
	}
	return 0;
}

/* Appends a value; several of one key are separated by commas. */
static void append_value(const struct profile *p, const struct profile_label *l, char *name,
			 size_t size)
{
	const char *unit = profile_text(p, l->num_unit);
	size_t len = strlen(name);
	struct unit_scale scale;
	char number[64];

	if (l->str) {
		snprintf(name + len, size - len, "%s%s", len ? "," : "", profile_text(p, l->str));
		return;
	}
	scale = unit_scale_pick(unit, (u64)llabs(l->num), (u64)llabs(l->num));
	unit_format(&scale, l->num, number, sizeof(number));
	snprintf(name + len, size - len, "%s%s", len ? "," : "", number);
}

static int push_frame(struct tagging *t, const struct profile_sample *s, const char *key)
{
	char name[NAME_BYTES] = "";
	struct profile_line line = {0};
	s64 function, location;

	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &t->p->labels.data[s->first_label + i];

		if (!strcmp(profile_text(t->p, l->key), key))
			append_value(t->p, l, name, sizeof(name));
	}
	if (!*name)
		snprintf(name, sizeof(name), "[no %.200s]", key);
	function = profile_function(t->p, name, name, key, 0);
	location = function < 0 ? function : profile_location(t->p, t->mapping, (u64)function + 1);
	if (location < 0)
		return (int)location;
	line.function = (u32)function;
	if (!t->p->locations.data[location].nlines &&
	    profile_location_set_lines(t->p, (u32)location, &line, 1))
		return -ENOMEM;
	return vec_push(&t->stack, (u32)location);
}

static int tag_sample(struct tagging *t, size_t sample)
{
	struct profile *p = t->p;
	struct profile_sample s = p->samples.data[sample];
	int ret = 0;

	t->stack.len = 0;
	for (u32 i = t->leaf.n; i-- > 0 && !ret;)
		ret = push_frame(t, &s, t->leaf.key[i]);
	for (u32 i = 0; i < s.nlocations && !ret; i++)
		ret = vec_push(&t->stack, p->stack_locations.data[s.first_location + i]);
	for (u32 i = t->root.n; i-- > 0 && !ret;)
		ret = push_frame(t, &s, t->root.key[i]);
	if (ret)
		return ret;
	if (p->stack_locations.len + t->stack.len > UINT32_MAX)
		return -E2BIG;
	if (vec_reserve(&p->stack_locations, p->stack_locations.len + t->stack.len))
		return -ENOMEM;
	p->samples.data[sample].first_location = (u32)p->stack_locations.len;
	p->samples.data[sample].nlocations = (u32)t->stack.len;
	memcpy(p->stack_locations.data + p->stack_locations.len, t->stack.data,
	       t->stack.len * sizeof(u32));
	p->stack_locations.len += t->stack.len;
	return 0;
}

static int tag_all(struct tagging *t)
{
	s64 path = profile_string(t->p, "[labels]"), mapping;
	struct profile_mapping m = {.kind = PROFILE_MAPPING_SYNTHETIC, .has_functions = true};
	int ret = 0;

	if (path < 0)
		return (int)path;
	m.path = (string_id)path;
	mapping = profile_add_mapping(t->p, &m);
	if (mapping < 0)
		return (int)mapping;
	t->mapping = (u32)mapping;
	for (size_t i = 0; i < t->p->samples.len && !ret; i++)
		ret = tag_sample(t, i);
	return ret;
}

int tag_frames_add(struct profile *p, const char *root, const char *leaf)
{
	struct tagging t = {.p = p};
	int ret = keys_init(&t.root, root);

	if (!ret)
		ret = keys_init(&t.leaf, leaf);
	if (!ret)
		ret = tag_all(&t);
	free(t.root.text);
	free(t.leaf.text);
	vec_release(&t.stack);
	return ret;
}
