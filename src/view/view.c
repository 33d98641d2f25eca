/* SPDX-License-Identifier: Apache-2.0 */
/* Groups frames into nodes and computes their numbers: see view.h. */
#include "view/view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "profile/labels.h"

#define NAME_MAX_BYTES 8192

/* ---- names ----------------------------------------------------------------------------------- */

static void module_name(const struct profile *p, u32 mapping, char *name, size_t size)
{
	const char *base = path_name(profile_text(p, p->mappings.data[mapping].path));

	if (!*base)
		snprintf(name, size, "[unknown]");
	else if (*base == '[')
		snprintf(name, size, "%s", base);
	else
		snprintf(name, size, "[%s]", base);
}

void view_unnamed(const struct profile *p, const struct profile_location *l, char *name,
		  size_t size)
{
	module_name(p, l->mapping, name, size);
}

static const char *function_name(const struct view *v, u32 function)
{
	const char *name = profile_text(v->p, v->p->functions.data[function].name);

	return *name ? name : "[unknown]";
}

static void line_name(const struct view *v, const struct profile_location *l,
		      const struct profile_line *line, char *name, size_t size)
{
	const char *file = profile_text(v->p, v->p->functions.data[line->function].filename);

	switch (v->o.group) {
	case VIEW_FILE:
		if (*file)
			snprintf(name, size, "%s", file);
		else
			module_name(v->p, l->mapping, name, size);
		break;
	case VIEW_LINE:
		if (line->line)
			snprintf(name, size, "%s %s:%" PRId64, function_name(v, line->function),
				 file, line->line);
		else
			snprintf(name, size, "%s%s%s", function_name(v, line->function),
				 *file ? " " : "", file);
		break;
	default:
		snprintf(name, size, "%s", function_name(v, line->function));
		break;
	}
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct wanted_node {
	const struct view *v;
	const char *name, *module;
};

static bool same_node(const void *arg, u32 id)
{
	const struct wanted_node *w = arg;
	const struct view_node *n = &w->v->nodes.data[id];

	return !strcmp(n->name, w->name) &&
	       (!w->v->o.by_module ||
		!strcmp(path_name(profile_text(w->v->p, n->module)), w->module));
}

/* Returns the node of that name, creating it if necessary, or -ENOMEM. */
static s64 node_named(struct view *v, const char *name, string_id module, u8 kind)
{
	const char *base = path_name(profile_text(v->p, module));
	struct wanted_node w = {v, name, base};
	struct view_node n = {.module = module, .kind = kind};
	u64 hash = hash_keyed(0, name, strlen(name));
	s64 id;

	if (v->o.by_module)
		hash = hash_keyed(hash, base, strlen(base));
	id = id_table_find(&v->by_name, hash_fold(hash), same_node, &w);
	if (id >= 0)
		return id;
	n.name = strdup(name);
	if (!n.name || id_table_reserve(&v->by_name) || vec_push(&v->nodes, n)) {
		free(n.name);
		return -ENOMEM;
	}
	id_table_add(&v->by_name, hash_fold(hash), (u32)v->nodes.len - 1);
	return (s64)v->nodes.len - 1;
}

static s64 node_of_line(struct view *v, const struct profile_location *l,
			const struct profile_line *line)
{
	const struct profile_mapping *m = &v->p->mappings.data[l->mapping];
	const struct profile_function *f = &v->p->functions.data[line->function];
	bool by_function = v->o.group == VIEW_FUNCTION && !v->o.by_module;
	char name[NAME_MAX_BYTES];
	size_t before = v->nodes.len;
	s64 node;

	if (by_function && v->of_function[line->function])
		return v->of_function[line->function] - 1;
	line_name(v, l, line, name, sizeof(name));
	node = node_named(v, name, m->path, m->kind);
	if (node < 0)
		return node;
	if (by_function)
		v->of_function[line->function] = (u32)node + 1;
	if (v->nodes.len > before) {
		v->nodes.data[node].function = v->o.group == VIEW_FILE ? 0 : f->name;
		v->nodes.data[node].file = f->filename;
		v->nodes.data[node].line = line->line;
		v->nodes.data[node].start_line = f->start_line;
	}
	return node;
}

static int push_frame(struct view *v, s64 node, bool inlined)
{
	if (node < 0)
		return (int)node;
	v->nodes.data[node].may_be_inlined |= inlined;
	return vec_push(&v->location_frames, (struct view_frame){(u32)node, inlined});
}

static int place_location(struct view *v, u32 number)
{
	const struct profile_location *l = &v->p->locations.data[number];
	const struct profile_mapping *m = &v->p->mappings.data[l->mapping];
	u32 shown = l->nlines; /* Those before it are hidden as well. */
	char name[NAME_MAX_BYTES];
	int ret = 0;

	if (filter_hides_location(&v->filter, number))
		return 0;
	if (!l->nlines || v->o.group == VIEW_MODULE) {
		view_unnamed(v->p, l, name, sizeof(name));
		return push_frame(v, node_named(v, name, m->path, m->kind), false);
	}
	/* Without the function that it was inlined into, a frame represents the call itself. */
	while (shown && v->filter.line_hidden[l->first_line + shown - 1])
		shown--;
	for (u32 i = 0; i < shown && !ret; i++) {
		if (v->filter.line_hidden[l->first_line + i])
			continue;
		ret = push_frame(v, node_of_line(v, l, &v->p->lines.data[l->first_line + i]),
				 i + 1 < shown);
	}
	return ret;
}

static int place_locations(struct view *v)
{
	size_t n = v->p->locations.len;
	int ret = 0;

	v->location_first = calloc(n + 1, sizeof(*v->location_first));
	v->of_function = calloc(v->p->functions.len + 1, sizeof(*v->of_function));
	if (!v->location_first || !v->of_function)
		return -ENOMEM;
	for (size_t i = 0; i < n && !ret; i++) {
		v->location_first[i] = (u32)v->location_frames.len;
		ret = place_location(v, (u32)i);
	}
	v->location_first[n] = (u32)v->location_frames.len;
	return ret;
}

static void count_total(struct view *v)
{
	for (size_t i = 0; i < v->p->samples.len; i++) {
		s64 value = view_value(v, i);

		v->total = view_add(v->total, value < 0 ? -(value + (value == INT64_MIN)) : value);
	}
}

int view_new(const struct profile *p, const struct view_options *o, struct view **out,
	     struct error *err)
{
	struct view *v = calloc(1, sizeof(*v));
	int ret;

	if (!v)
		return -ENOMEM;
	v->p = p;
	v->o = *o;
	ret = filter_init(&v->filter, p, &v->o.filter, err);
	if (!ret)
		ret = place_locations(v);
	if (ret) {
		view_free(v);
		return ret;
	}
	count_total(v);
	*out = v;
	return 0;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	vec_for_each(&v->nodes, n)
		free(n->name);
	vec_release(&v->nodes);
	vec_release(&v->edges);
	vec_release(&v->location_frames);
	vec_release(&v->stack);
	id_table_release(&v->by_name);
	id_table_release(&v->by_edge);
	filter_release(&v->filter);
	free(v->location_first);
	free(v->of_function);
	free(v);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

s64 view_value(const struct view *v, size_t sample)
{
	return v->p->values.data[v->p->samples.data[sample].first_value + (u32)v->o.type];
}

static const struct profile_label *label_of(const struct view *v, const struct profile_sample *s,
					    const char *key)
{
	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &v->p->labels.data[s->first_label + i];

		if (!strcmp(profile_text(v->p, l->key), key))
			return l;
	}
	return NULL;
}

/* Uses the first of these labels that the sample has, and `none` if it has none. */
static s64 node_of_label(struct view *v, const struct profile_sample *s, const char *const *keys,
			 size_t n, const char *none)
{
	char number[128];

	for (size_t k = 0; k < n; k++) {
		const struct profile_label *l = label_of(v, s, keys[k]);

		if (!l)
			continue;
		if (l->str)
			return node_named(v, profile_text(v->p, l->str), 0, 0);
		snprintf(number, sizeof(number), "%" PRId64 "%s%.64s", l->num,
			 l->num_unit ? " " : "", profile_text(v->p, l->num_unit));
		return node_named(v, number, 0, 0);
	}
	return node_named(v, none, 0, 0);
}

/* Two processes of one name are two, such as "redis-server (4711)". */
static s64 node_of_process(struct view *v, const struct profile_sample *s)
{
	const struct profile_label *name = label_of(v, s, LABEL_PROCESS);
	const struct profile_label *pid = label_of(v, s, LABEL_PID);
	char text[NAME_MAX_BYTES];

	if (!pid || pid->str)
		return node_of_label(v, s, (const char *const[]){LABEL_PROCESS, LABEL_PID}, 2,
				     "[unknown]");
	snprintf(text, sizeof(text), "%s (%" PRId64 ")",
		 name ? profile_text(v->p, name->str) : "[unknown]", pid->num);
	return node_named(v, text, 0, 0);
}

static s64 node_of_sample(struct view *v, const struct profile_sample *s)
{
	static const char *const threads[] = {"thread", "tid", "thread_id"};
	static const char *const container[] = {LABEL_CONTAINER}, *const unit[] = {LABEL_UNIT};
	char none[128];

	switch (v->o.group) {
	case VIEW_PROCESS:
		return node_of_process(v, s);
	case VIEW_CONTAINER:
		return node_of_label(v, s, container, 1, "[no container]");
	case VIEW_UNIT:
		return node_of_label(v, s, unit, 1, "[no unit]");
	case VIEW_LABEL:
		snprintf(none, sizeof(none), "[no %.100s]", v->o.label);
		return node_of_label(v, s, &v->o.label, 1, none);
	default:
		return node_of_label(v, s, threads, ARRAY_LEN(threads), "[unknown]");
	}
}

int view_stack(struct view *v, size_t sample)
{
	const struct profile_sample *s = &v->p->samples.data[sample];
	u32 first, last;
	s64 node;

	v->stack.len = 0;
	if (!filter_sample(&v->filter, s, &first, &last))
		return 0;
	if (v->o.group >= VIEW_THREAD) {
		node = node_of_sample(v, s);
		if (node < 0)
			return (int)node;
		return vec_push(&v->stack, (struct view_frame){(u32)node, false}) ? -ENOMEM : 1;
	}
	for (u32 i = first; i < last; i++) {
		u32 location = v->p->stack_locations.data[s->first_location + i];
		u32 at = v->location_first[location], end = v->location_first[location + 1];

		if (vec_reserve(&v->stack, v->stack.len + (end - at)))
			return -ENOMEM;
		for (; at < end; at++)
			v->stack.data[v->stack.len++] = v->location_frames.data[at];
	}
	return v->stack.len > 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

u64 view_magnitude(s64 v)
{
	return v < 0 ? -(u64)v : (u64)v;
}

s64 view_add(s64 a, s64 b)
{
	s64 sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b > 0 ? INT64_MAX : INT64_MIN;
}

struct wanted_edge {
	const struct view *v;
	u32 from, to;
};

static bool same_edge(const void *arg, u32 id)
{
	const struct wanted_edge *w = arg;
	const struct view_edge *e = &w->v->edges.data[id];

	return e->from == w->from && e->to == w->to;
}

static int count_edge(struct view *v, u32 from, u32 to, size_t sample, s64 value, bool inlined)
{
	const u32 key[] = {from, to};
	struct wanted_edge w = {v, from, to};
	u32 hash = hash_fold(hash_keyed(0, key, sizeof(key)));
	struct view_edge fresh = {.from = from, .to = to, .inlined = true}, *e;
	s64 id = id_table_find(&v->by_edge, hash, same_edge, &w);

	if (id < 0) {
		if (id_table_reserve(&v->by_edge) || vec_push(&v->edges, fresh))
			return -ENOMEM;
		id = (s64)v->edges.len - 1;
		id_table_add(&v->by_edge, hash, (u32)id);
	}
	e = &v->edges.data[id];
	if (e->seen == sample + 1)
		return 0;
	e->seen = sample + 1;
	e->weight = view_add(e->weight, value);
	e->inlined = e->inlined && inlined;
	return 0;
}

static void count_nodes(struct view *v, size_t sample, s64 value)
{
	struct view_node *leaf = &v->nodes.data[v->stack.data[0].node];

	leaf->flat = view_add(leaf->flat, value);
	vec_for_each(&v->stack, frame) {
		struct view_node *n = &v->nodes.data[frame->node];

		if (n->seen == sample + 1)
			continue;
		n->seen = sample + 1;
		n->cum = view_add(n->cum, value);
	}
}

enum counting { COUNT_NODES, COUNT_INLINING, COUNT_EDGES };

static int count_edges(struct view *v, size_t sample, s64 value, enum counting what)
{
	int ret = 0;

	for (size_t i = v->stack.len; i-- > 1 && !ret;) {
		const struct view_frame *caller = &v->stack.data[i], *callee = caller - 1;

		if (what == COUNT_INLINING && !v->nodes.data[callee->node].may_be_inlined)
			continue;
		if (caller->node != callee->node)
			ret = count_edge(v, caller->node, callee->node, sample, value,
					 callee->inlined);
	}
	return ret;
}

static int count(struct view *v, enum counting what)
{
	int ret = 0;

	for (size_t i = 0; i < v->p->samples.len && ret >= 0; i++) {
		s64 value = view_value(v, i);

		if (!value)
			continue;
		ret = view_stack(v, i);
		if (ret <= 0)
			continue;
		count_nodes(v, i, value);
		if (what != COUNT_NODES)
			ret = count_edges(v, i, value, what);
	}
	return ret < 0 ? ret : 0;
}

int view_count(struct view *v)
{
	return count(v, COUNT_NODES);
}

static int count_and_mark(struct view *v, enum counting what)
{
	int ret = count(v, what);

	vec_for_each(&v->edges, e) {
		if (e->inlined)
			v->nodes.data[e->to].inlined = true;
		else
			v->nodes.data[e->to].physical = true;
	}
	return ret;
}

int view_count_edges(struct view *v)
{
	return count_and_mark(v, COUNT_EDGES);
}

int view_count_inlining(struct view *v)
{
	return count_and_mark(v, COUNT_INLINING);
}

/* ---- order ----------------------------------------------------------------------------------- */

struct ordering {
	const struct view *v;
	enum view_order by;
};

static int larger_first(s64 a, s64 b)
{
	return (view_magnitude(a) < view_magnitude(b)) - (view_magnitude(a) > view_magnitude(b));
}

static int node_compare(const void *left, const void *right, void *arg)
{
	const struct ordering *o = arg;
	const struct view_node *a = &o->v->nodes.data[*(const u32 *)left];
	const struct view_node *b = &o->v->nodes.data[*(const u32 *)right];
	int flat = larger_first(a->flat, b->flat), cum = larger_first(a->cum, b->cum);
	int first = o->by == VIEW_BY_CUM ? cum : flat, second = o->by == VIEW_BY_CUM ? flat : cum;

	return first ? first : second ? second : strcmp(a->name, b->name);
}

u32 *view_order(const struct view *v, enum view_order by, size_t *n)
{
	struct ordering o = {v, by};
	u32 *order = malloc((v->nodes.len + 1) * sizeof(*order));

	*n = 0;
	if (!order)
		return NULL;
	for (size_t i = 0; i < v->nodes.len; i++) {
		if (v->nodes.data[i].flat || v->nodes.data[i].cum)
			order[(*n)++] = (u32)i;
	}
	if (*n)
		qsort_r(order, *n, sizeof(*order), node_compare, &o);
	return order;
}
