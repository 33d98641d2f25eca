/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the values of each label with what they cost, as go tool pprof -tags does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/report_print.h"

struct tag {
	string_id key, str, num_unit;
	s64 num;
	s64 value;
	s64 total; /* of its key */
};

struct tags {
	const struct report *r;
	VEC(struct tag) list;
	struct id_table index;
};

static bool same_tag(const void *arg, u32 id)
{
	const struct tag *const *w = arg, *wanted = w[1], *t = &w[0][id];

	return t->key == wanted->key && t->str == wanted->str && t->num == wanted->num &&
	       t->num_unit == wanted->num_unit;
}

static int count_label(struct tags *tags, const struct profile_label *l, s64 value)
{
	const struct tag fresh = {
		.key = l->key, .str = l->str, .num = l->str ? 0 : l->num, .num_unit = l->num_unit};
	const struct tag *const wanted[] = {tags->list.data, &fresh};
	const u64 key[] = {fresh.key, fresh.str, (u64)fresh.num, fresh.num_unit};
	u32 hash = hash_fold(hash_keyed(0, key, sizeof(key)));
	s64 id = id_table_find(&tags->index, hash, same_tag, wanted);

	if (id < 0) {
		if (id_table_reserve(&tags->index) || vec_push(&tags->list, fresh))
			return -ENOMEM;
		id = (s64)tags->list.len - 1;
		id_table_add(&tags->index, hash, (u32)id);
	}
	tags->list.data[id].value = view_add(tags->list.data[id].value, value);
	return 0;
}

static int count_samples(struct tags *tags)
{
	struct view *v = tags->r->v;
	int ret = 0;

	for (size_t i = 0; i < v->p->samples.len && !ret; i++) {
		const struct profile_sample *s = &v->p->samples.data[i];

		ret = view_stack(v, i);
		if (ret <= 0)
			continue;
		ret = 0;
		for (u32 k = 0; k < s->nlabels && !ret; k++)
			ret = count_label(tags, &v->p->labels.data[s->first_label + k],
					  view_value(v, i));
	}
	return ret;
}

static int by_key(const void *left, const void *right)
{
	const struct tag *a = left, *b = right;

	return (a->key > b->key) - (a->key < b->key);
}

/* Keys that cost most come first, and so do their values. */
static int by_value(const void *left, const void *right, void *arg)
{
	const struct tag *a = left, *b = right;
	const struct profile *p = arg;
	u64 x = view_magnitude(a->total), y = view_magnitude(b->total);

	if (a->key != b->key && x != y)
		return x > y ? -1 : 1;
	if (a->key != b->key)
		return strcmp(profile_text(p, a->key), profile_text(p, b->key));
	x = view_magnitude(a->value);
	y = view_magnitude(b->value);
	if (x != y)
		return x > y ? -1 : 1;
	if (a->str && b->str)
		return strcmp(profile_text(p, a->str), profile_text(p, b->str));
	return (a->num > b->num) - (a->num < b->num);
}

static void sum_keys(struct tags *tags)
{
	struct tag *list = tags->list.data;

	for (size_t i = 0, end; i < tags->list.len; i = end) {
		s64 total = 0;

		for (end = i; end < tags->list.len && list[end].key == list[i].key; end++)
			total = view_add(total, list[end].value);
		for (size_t k = i; k < end; k++)
			list[k].total = total;
	}
}

static void emit_key(const struct report *r, const struct tag *t)
{
	char total[REPORT_NUMBER], all[REPORT_NUMBER], share[32];

	report_number(r, t->total, false, total);
	report_number(r, r->v->total, false, all);
	unit_percent(t->total, r->v->total, share, sizeof(share));
	report_paint(r, OUT_BOLD);
	out_printf(r->out, "\n%s: Total %s of %s (%s)", profile_text(r->v->p, t->key), total, all,
		   share + strspn(share, " "));
	report_paint(r, OUT_PLAIN);
	out_literal(r->out, "\n");
}

static void emit_tag(const struct report *r, const struct tag *t)
{
	const char *unit = profile_text(r->v->p, t->num_unit);
	struct unit_scale scale =
		unit_scale_pick(unit, view_magnitude(t->num), view_magnitude(t->num));
	char value[REPORT_NUMBER], share[32], number[64];

	report_number(r, t->value, false, value);
	unit_percent(t->value, r->v->total, share, sizeof(share));
	unit_format(&scale, t->num, number, sizeof(number));
	out_printf(r->out, "%10s (%s): %s\n", value, share,
		   t->str ? profile_text(r->v->p, t->str) : number);
}

static void emit_tags(const struct tags *tags)
{
	const struct tag *list = tags->list.data;
	size_t shown = 0, left = 0;

	for (size_t i = 0; i < tags->list.len; i++) {
		bool first = !i || list[i].key != list[i - 1].key;

		if (first) {
			emit_key(tags->r, &list[i]);
			shown = left = 0;
		}
		if (!tags->r->o->top || shown++ < tags->r->o->top)
			emit_tag(tags->r, &list[i]);
		else
			left++;
		if (left && (i + 1 == tags->list.len || list[i + 1].key != list[i].key))
			out_printf(tags->r->out, "%10s %zu more (--top 0 shows them)\n", "", left);
	}
	if (!tags->list.len)
		out_literal(tags->r->out, "\nNo sample has a label.\n");
}

int report_tags(struct report *r)
{
	struct tags tags = {.r = r};
	int ret = count_samples(&tags);

	if (!ret) {
		if (tags.list.len)
			qsort(tags.list.data, tags.list.len, sizeof(*tags.list.data), by_key);
		sum_keys(&tags);
		if (tags.list.len)
			qsort_r(tags.list.data, tags.list.len, sizeof(*tags.list.data), by_value,
				(void *)r->v->p);
		report_head(r);
		emit_tags(&tags);
	}
	vec_release(&tags.list);
	id_table_release(&tags.index);
	return ret;
}
