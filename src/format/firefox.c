/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the Firefox Profiler's processed profile (version 48 of its
 * docs-developer/CHANGELOG-formats.md), for profiler.firefox.com. It consists of tables of columns
 * that refer to each other by index, with one thread for each value of the `thread` label. pprof
 * keeps no times, so samples are placed one period apart, with weights.
 */
#include "format/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/json.h"
#include "view/view.h"

#define VERSION 48
#define CATEGORY_OTHER 0
#define CATEGORY_KERNEL 1
#define CATEGORY_JIT 2

struct stack_entry {
	u32 prefix; /* index plus one; 0 if there is none */
	u32 frame;
};

struct placed_sample {
	u32 stack;
	s64 value;
};

struct thread {
	string_id name; /* from the label; 0 for samples without one */
	VEC(struct stack_entry) stacks;
	VEC(struct placed_sample) samples;
	struct id_table index;
};

/* Numbers items from 0 on in the order of their first use, separately for each thread, because
 * tables hold only what their thread needs. */
struct numbering {
	u32 *number, *turn; /* for each item */
	u32 now;
	VEC(u32) things;
};

struct firefox {
	struct view *v;
	struct out *out;
	VEC(struct thread) threads;
	u32 *thread_of; /* for each string used as the name of a thread: its number plus one */
	u32 *func_of; /* for each node: the first node of the same function */
	struct numbering frames, funcs; /* number nodes */
	double interval; /* ms */
	const char *weight_type;
};

/* ---- numbers --------------------------------------------------------------------------------- */

static int numbering_init(struct numbering *n, size_t things)
{
	n->number = calloc(things + 1, sizeof(*n->number));
	n->turn = calloc(things + 1, sizeof(*n->turn));
	return n->number && n->turn && !vec_reserve(&n->things, things + 1) ? 0 : -ENOMEM;
}

static void numbering_release(struct numbering *n)
{
	free(n->number);
	free(n->turn);
	vec_release(&n->things);
}

static void numbering_begin(struct numbering *n)
{
	n->now++;
	n->things.len = 0;
}

static u32 number_of(struct numbering *n, u32 thing)
{
	if (n->turn[thing] != n->now) {
		n->turn[thing] = n->now;
		n->number[thing] = (u32)n->things.len;
		/* the memory for all of them was allocated at the start */
		n->things.data[n->things.len++] = thing;
	}
	return n->number[thing];
}

struct wanted_func {
	const struct view *v;
	const struct view_node *n;
};

static bool same_func(const void *arg, u32 id)
{
	const struct wanted_func *w = arg;
	const struct view_node *a = w->n, *b = &w->v->nodes.data[id];

	return a->function == b->function && a->file == b->file &&
	       (a->function || !strcmp(a->name, b->name));
}

/* Nodes differ by line, but a function is everything with one name and file. */
static int find_funcs(struct firefox *f)
{
	struct id_table index = {0};
	int ret = 0;

	for (u32 i = 0; i < f->v->nodes.len && !ret; i++) {
		const struct view_node *n = &f->v->nodes.data[i];
		const string_id key[] = {n->function, n->file};
		struct wanted_func w = {f->v, n};
		u64 hash = hash_keyed(0, key, sizeof(key));
		s64 id;

		if (!n->function)
			hash = hash_keyed(hash, n->name, strlen(n->name));
		id = id_table_find(&index, hash_fold(hash), same_func, &w);
		f->func_of[i] = id < 0 ? i : (u32)id;
		if (id < 0)
			ret = id_table_reserve(&index);
		if (id < 0 && !ret)
			id_table_add(&index, hash_fold(hash), i);
	}
	id_table_release(&index);
	return ret;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

struct wanted_entry {
	const struct thread *t;
	struct stack_entry e;
};

static bool same_entry(const void *arg, u32 id)
{
	const struct wanted_entry *w = arg;
	const struct stack_entry *e = &w->t->stacks.data[id];

	return e->prefix == w->e.prefix && e->frame == w->e.frame;
}

static s64 entry_of(struct thread *t, u32 prefix, u32 frame)
{
	struct wanted_entry w = {t, {prefix, frame}};
	u32 hash = hash_fold(hash_keyed(0, &w.e, sizeof(w.e)));
	s64 id = id_table_find(&t->index, hash, same_entry, &w);

	if (id >= 0)
		return id;
	if (id_table_reserve(&t->index) || vec_push(&t->stacks, w.e))
		return -ENOMEM;
	id_table_add(&t->index, hash, (u32)t->stacks.len - 1);
	return (s64)t->stacks.len - 1;
}

static struct thread *thread_of(struct firefox *f, const struct profile_sample *s)
{
	struct thread fresh = {0};
	u32 *known;

	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &f->v->p->labels.data[s->first_label + i];

		if (!strcmp(profile_text(f->v->p, l->key), "thread"))
			fresh.name = l->str;
	}
	known = &f->thread_of[fresh.name];
	if (!*known) {
		if (vec_push(&f->threads, fresh))
			return NULL;
		*known = (u32)f->threads.len;
	}
	return &f->threads.data[*known - 1];
}

static int place_sample(struct firefox *f, size_t i)
{
	struct thread *t = thread_of(f, &f->v->p->samples.data[i]);
	struct placed_sample s = {.value = view_value(f->v, i)};
	s64 at = -1;

	if (!t)
		return -ENOMEM;
	for (size_t k = f->v->stack.len; k-- > 0;) {
		at = entry_of(t, (u32)(at + 1), f->v->stack.data[k].node);
		if (at < 0)
			return (int)at;
	}
	s.stack = (u32)at;
	return vec_push(&t->samples, s);
}

static int place_samples(struct firefox *f)
{
	int ret = 0;

	for (size_t i = 0; i < f->v->p->samples.len && ret >= 0; i++) {
		ret = view_value(f->v, i) ? view_stack(f->v, i) : 0;
		if (ret > 0)
			ret = place_sample(f, i);
	}
	return ret;
}

/* ---- columns --------------------------------------------------------------------------------- */

static void emit_same(struct out *o, const char *name, const char *value, size_t n)
{
	out_printf(o, "\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		out_printf(o, "%s%s", i ? "," : "", value);
	out_literal(o, "],\n");
}

static void emit_counting(struct out *o, const char *name, size_t from, size_t n)
{
	out_printf(o, "\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		out_printf(o, "%s%zu", i ? "," : "", from + i);
	out_literal(o, "],\n");
}

static int category_of(const struct view_node *n)
{
	return n->kind == PROFILE_MAPPING_KERNEL ? CATEGORY_KERNEL
	       : n->kind == PROFILE_MAPPING_JIT  ? CATEGORY_JIT
						 : CATEGORY_OTHER;
}

static const struct view_node *node(const struct firefox *f, u32 number)
{
	return &f->v->nodes.data[number];
}

static void emit_frame_columns(struct firefox *f)
{
	struct out *o = f->out;
	bool first = true;

	out_literal(o, "\"category\":[");
	vec_for_each(&f->frames.things, i) {
		json_comma(o, &first);
		out_printf(o, "%d", category_of(node(f, *i)));
	}
	first = true;
	out_literal(o, "],\n\"func\":[");
	vec_for_each(&f->frames.things, i) {
		json_comma(o, &first);
		out_printf(o, "%u", number_of(&f->funcs, f->func_of[*i]));
	}
	first = true;
	out_literal(o, "],\n\"line\":[");
	vec_for_each(&f->frames.things, i) {
		json_comma(o, &first);
		if (node(f, *i)->line > 0)
			out_printf(o, "%" PRId64, node(f, *i)->line);
		else
			out_literal(o, "null");
	}
	out_literal(o, "],\n");
}

static void emit_frames(struct firefox *f)
{
	size_t n = f->frames.things.len;
	struct out *o = f->out;

	out_literal(o, "\"frameTable\":{");
	emit_same(o, "address", "-1", n);
	emit_same(o, "inlineDepth", "0", n);
	emit_same(o, "subcategory", "0", n);
	emit_frame_columns(f);
	emit_same(o, "nativeSymbol", "null", n);
	emit_same(o, "innerWindowID", "0", n);
	emit_same(o, "implementation", "null", n);
	emit_same(o, "column", "null", n);
	out_printf(o, "\"length\":%zu},\n", n);
}

/* Their names are the first strings, and their files follow. */
static void emit_funcs(const struct firefox *f)
{
	size_t n = f->funcs.things.len;
	struct out *o = f->out;

	out_literal(o, "\"funcTable\":{");
	emit_same(o, "isJS", "false", n);
	emit_same(o, "relevantForJS", "false", n);
	emit_counting(o, "name", 0, n);
	emit_same(o, "resource", "-1", n);
	emit_counting(o, "fileName", n, n);
	emit_same(o, "lineNumber", "null", n);
	emit_same(o, "columnNumber", "null", n);
	out_printf(o, "\"length\":%zu},\n", n);
}

static void emit_strings(const struct firefox *f)
{
	const struct profile *p = f->v->p;
	bool first = true;

	out_literal(f->out, "\"stringArray\":[");
	vec_for_each(&f->funcs.things, i) {
		const struct view_node *n = node(f, *i);

		json_comma(f->out, &first);
		json_string(f->out, n->function ? profile_text(p, n->function) : n->name);
	}
	vec_for_each(&f->funcs.things, i) {
		const struct view_node *n = node(f, *i);
		const char *file = profile_text(p, n->file);

		json_comma(f->out, &first);
		json_string(f->out, *file ? file : path_name(profile_text(p, n->module)));
	}
	out_literal(f->out, "],\n");
}

static void emit_stack_table(struct firefox *f, const struct thread *t)
{
	struct out *o = f->out;
	bool first = true;

	out_literal(o, "\"stackTable\":{\"frame\":[");
	vec_for_each(&t->stacks, e) {
		json_comma(o, &first);
		out_printf(o, "%u", number_of(&f->frames, e->frame));
	}
	out_literal(o, "],\n\"prefix\":[");
	first = true;
	vec_for_each(&t->stacks, e) {
		json_comma(o, &first);
		if (e->prefix)
			out_printf(o, "%u", e->prefix - 1);
		else
			out_literal(o, "null");
	}
	out_literal(o, "],\n\"category\":[");
	first = true;
	vec_for_each(&t->stacks, e) {
		json_comma(o, &first);
		out_printf(o, "%d", category_of(&f->v->nodes.data[e->frame]));
	}
	out_literal(o, "],\n");
	emit_same(o, "subcategory", "0", t->stacks.len);
	out_printf(o, "\"length\":%zu},\n", t->stacks.len);
}

static void emit_samples(const struct firefox *f, const struct thread *t)
{
	struct out *o = f->out;
	bool first = true;

	out_literal(o, "\"samples\":{\"stack\":[");
	vec_for_each(&t->samples, s) {
		json_comma(o, &first);
		out_printf(o, "%u", s->stack);
	}
	out_literal(o, "],\n\"weight\":[");
	first = true;
	vec_for_each(&t->samples, s) {
		json_comma(o, &first);
		/* That weight type uses milliseconds. */
		if (!strcmp(f->weight_type, "tracing-ms"))
			out_printf(o, "%.6f", (double)s->value / 1e6);
		else
			out_printf(o, "%" PRId64, s->value);
	}
	out_literal(o, "],\n\"time\":[");
	for (size_t i = 0; i < t->samples.len; i++)
		out_printf(o, "%s%.3f", i ? "," : "", (double)i * f->interval);
	out_printf(o, "],\n\"weightType\":\"%s\",\"length\":%zu},\n", f->weight_type,
		   t->samples.len);
}

static void emit_thread(struct firefox *f, const struct thread *t, size_t number)
{
	const char *name = profile_text(f->v->p, t->name);
	struct out *o = f->out;

	out_literal(o, "{\"name\":");
	json_string(o, *name ? name : "all threads");
	out_printf(o,
		   ",\"processType\":\"default\",\"processName\":\"cprof\",\"pid\":\"1\","
		   "\"tid\":%zu,\"isMainThread\":%s,\"processStartupTime\":0,"
		   "\"processShutdownTime\":null,\"registerTime\":0,\"unregisterTime\":null,"
		   "\"pausedRanges\":[],\n",
		   number + 1, number ? "false" : "true");
	out_literal(
		o,
		"\"markers\":{\"category\":[],\"data\":[],\"endTime\":[],\"name\":[],"
		"\"phase\":[],\"startTime\":[],\"length\":0},\n"
		"\"resourceTable\":{\"lib\":[],\"name\":[],\"host\":[],\"type\":[],\"length\":0},\n"
		"\"nativeSymbols\":{\"libIndex\":[],\"address\":[],\"name\":[],"
		"\"functionSize\":[],\"length\":0},\n");
	numbering_begin(&f->frames);
	numbering_begin(&f->funcs);
	emit_stack_table(f, t);
	emit_frames(f);
	emit_funcs(f);
	emit_strings(f);
	emit_samples(f, t);
	out_literal(o, "\"showMarkersInTimeline\":false}\n");
}

static void emit_meta(const struct firefox *f)
{
	const struct profile *p = f->v->p;
	struct out *o = f->out;

	out_printf(o,
		   "{\"meta\":{\"version\":29,\"preprocessedProfileVersion\":%d,\"interval\":%.6f,"
		   "\"startTime\":%.3f,\"processType\":0,\"stackwalk\":1,\"debug\":false,"
		   "\"symbolicated\":true,\"usesOnlyOneStackType\":true,"
		   "\"doesNotUseFrameImplementation\":true,\"sourceCodeIsNotOnSearchfox\":true,"
		   "\"markerSchema\":[],\"extensions\":{\"id\":[],\"name\":[],\"baseURL\":[],"
		   "\"length\":0},\n\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\","
		   "\"threadCPUDelta\":\"ns\"},\n"
		   "\"categories\":[{\"name\":\"User\",\"color\":\"yellow\",\"subcategories\":"
		   "[\"Other\"]},{\"name\":\"Kernel\",\"color\":\"orange\",\"subcategories\":"
		   "[\"Other\"]},{\"name\":\"JIT\",\"color\":\"green\",\"subcategories\":"
		   "[\"Other\"]}],\n\"product\":",
		   VERSION, f->interval, (double)p->time_nanos / 1e6);
	json_string(o, p->comments.len ? profile_text(p, p->comments.data[0]) : "cprof");
	out_literal(o, "},\n\"libs\":[],\"pages\":[],\"counters\":[],\"profilerOverhead\":[],\n"
		       "\"threads\":[");
}

static int emit_all(struct firefox *f)
{
	bool first = true;
	size_t number = 0;

	emit_meta(f);
	vec_for_each(&f->threads, t) {
		json_comma(f->out, &first);
		emit_thread(f, t, number++);
	}
	out_literal(f->out, "]}\n");
	return out_flush(f->out);
}

/* ---- the whole file -------------------------------------------------------------------------- */

static void set_units(struct firefox *f)
{
	const struct profile *p = f->v->p;
	const char *unit = profile_text(p, p->sample_types.data[f->v->o.type].unit);
	const char *of_period = profile_text(p, p->period_type.unit);

	f->weight_type = !strcmp(unit, "nanoseconds") ? "tracing-ms"
			 : !strcmp(unit, "bytes")     ? "bytes"
						      : "samples";
	f->interval = !strcmp(of_period, "nanoseconds") && p->period > 0 ? (double)p->period / 1e6
									 : 1;
}

static int firefox_init(struct firefox *f)
{
	size_t nodes = f->v->nodes.len;

	f->out = malloc(sizeof(*f->out));
	f->thread_of = calloc(f->v->p->strings.len + 1, sizeof(*f->thread_of));
	f->func_of = calloc(nodes + 1, sizeof(*f->func_of));
	if (!f->out || !f->thread_of || !f->func_of || numbering_init(&f->frames, nodes) ||
	    numbering_init(&f->funcs, nodes))
		return -ENOMEM;
	set_units(f);
	return find_funcs(f);
}

static void firefox_release(struct firefox *f)
{
	vec_for_each(&f->threads, t) {
		vec_release(&t->stacks);
		vec_release(&t->samples);
		id_table_release(&t->index);
	}
	vec_release(&f->threads);
	numbering_release(&f->frames);
	numbering_release(&f->funcs);
	free(f->thread_of);
	free(f->func_of);
	free(f->out);
	view_free(f->v);
}

static int firefox_write(const struct profile *p, const struct format_options *opt,
			 const struct sink *to, struct error *err)
{
	struct firefox f = {0};
	int ret = out_view(p, opt, VIEW_LINE, &f.v, err);

	if (ret)
		return ret;
	ret = firefox_init(&f);
	if (!ret)
		ret = place_samples(&f);
	if (!ret) {
		out_init(f.out, to, OUT_JSON);
		ret = emit_all(&f);
	}
	firefox_release(&f);
	return ret;
}

const struct format format_firefox = {
	.name = "firefox",
	.suffix = ".firefox.json",
	.suffix2 = ".firefox",
	.summary = "Firefox Profiler: profiler.firefox.com",
	.write = firefox_write,
};
