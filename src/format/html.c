/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the page, which is one HTML file that shows a profile in a browser without a network. The
 * page itself is in page/. The profile is embedded as JSON in a <script> of a type that no browser
 * runs. Names in it come from the target, so no '<' is written as such, and "</script>" stays text.
 *
 * Tables of numbers are LEB128 in base64, which page/data.js reads.
 */
#include "format/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "format/page_data.h"
#include "page.h" /* generated from page/: page_head, page_tail */

struct page {
	const struct profile *p;
	const struct format_options *opt;
	struct page_data data;
	struct page_samples samples, base;
	struct page_bytes packed; /* the table that is being written */
	struct out *out;
	int type; /* the type shown first */
	int error; /* the first error while packing */
};

/* ---- tables of numbers ----------------------------------------------------------------------- */

static void emit_base64(struct out *o, const u8 *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		u32 bits = (u32)data[i] << 16 | (n > 1 ? (u32)data[i + 1] << 8 : 0) |
			   (n > 2 ? data[i + 2] : 0);
		char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
				n > 1 ? digits[bits >> 6 & 63] : '=',
				n > 2 ? digits[bits & 63] : '='};

		out_bytes(o, four, sizeof(four));
	}
}

static void put(struct page *g, u64 value)
{
	if (!g->error)
		g->error = page_put(&g->packed, value);
}

static void put_signed(struct page *g, s64 value)
{
	if (!g->error)
		g->error = page_put_signed(&g->packed, value);
}

static void emit_packed(struct page *g, const char *name)
{
	out_printf(g->out, ",\n\"%s\":\"", name);
	emit_base64(g->out, g->packed.b.data, g->packed.b.len);
	out_literal(g->out, "\"");
	g->packed.b.len = 0;
}

static void emit_tables(struct page *g)
{
	vec_for_each(&g->data.modules, m) {
		put(g, m->path);
		put(g, m->build_id);
		put(g, m->kind);
	}
	emit_packed(g, "modules");
	vec_for_each(&g->data.functions, f) {
		put(g, f->name);
		put(g, f->module);
	}
	emit_packed(g, "functions");
	vec_for_each(&g->data.frames, f) {
		put(g, f->function);
		put(g, f->place);
		put_signed(g, f->line);
	}
	emit_packed(g, "frames");
}

/* Node 0 is left out. A parent is given as the distance back to it, which is mostly 1. */
static void emit_nodes(struct page *g)
{
	for (size_t i = 1; i < g->data.nodes.len; i++) {
		put(g, i - g->data.nodes.data[i].parent);
		put(g, g->data.nodes.data[i].frame);
	}
	emit_packed(g, "nodes");
}

/*
 * Records which nodes differ from others only in lines. Most do not, so it is encoded as the number
 * of consecutive nodes that are new without lines, and then the number of the node that the next
 * one is equal to.
 */
static void emit_merged(struct page *g)
{
	size_t known = 1, run = 0;

	for (size_t i = 1; i < g->data.nodes.len; i++) {
		u32 merged = g->data.merged_of.data[i];

		if (merged == known) {
			known++;
			run++;
			continue;
		}
		put(g, run);
		put(g, merged);
		run = 0;
	}
	put(g, run);
	emit_packed(g, "merged");
}

static void emit_label_sets(struct page *g)
{
	vec_for_each(&g->data.label_sets.list, set) {
		for (size_t i = 0; i < set->len && !g->error; i++)
			g->error = vec_push(&g->packed.b, (u8)set->data[i]);
	}
	emit_packed(g, "labels");
}

static s64 divided(s64 value, u64 divisor)
{
	u64 size = value < 0 ? -(u64)value : (u64)value;

	return divisor > 1 ? (value < 0 ? -(s64)(size / divisor) : (s64)(size / divisor)) : value;
}

static void emit_samples(struct page *g, const char *name, const struct page_samples *s)
{
	s64 last = 0;

	for (size_t i = 0; i < s->list.len; i++) {
		const struct page_sample *sample = &s->list.data[i];

		put_signed(g, (s64)sample->node - last);
		put(g, sample->label_set);
		for (size_t type = 0; type < g->data.ntypes; type++)
			put_signed(g,
				   divided(page_samples_value(s, i, type), g->data.divisors[type]));
		last = sample->node;
	}
	emit_packed(g, name);
}

/* ---- the description of the profile ---------------------------------------------------------- */

static void emit_comments(struct out *o, const struct profile *p)
{
	out_literal(o, "\"comments\":[");
	for (size_t i = 0; i < p->comments.len; i++) {
		if (i)
			out_literal(o, ",");
		json_string(o, profile_text(p, p->comments.data[i]));
	}
	out_printf(o, "],\"time\":%" PRId64 ",\"duration\":%" PRId64, p->time_nanos,
		   p->duration_nanos);
}

/* Writes value types as [type, unit, divisor of its values]. */
static void emit_types(struct page *g)
{
	const struct profile *p = g->p;

	out_literal(g->out, ",\n\"types\":[");
	for (size_t i = 0; i < p->sample_types.len; i++) {
		if (i)
			out_literal(g->out, ",");
		out_literal(g->out, "[");
		json_string(g->out, profile_text(p, p->sample_types.data[i].type));
		out_literal(g->out, ",");
		json_string(g->out, profile_text(p, p->sample_types.data[i].unit));
		out_printf(g->out, ",%" PRIu64 "]", g->data.divisors[i] ? g->data.divisors[i] : 1);
	}
	out_printf(g->out, "],\"type\":%d", g->type);
}

static void emit_period(struct out *o, const char *key, const struct profile *p)
{
	out_printf(o, ",\"%s\":[", key);
	json_string(o, profile_text(p, p->period_type.type));
	out_literal(o, ",");
	json_string(o, profile_text(p, p->period_type.unit));
	out_printf(o, ",%" PRId64 "]", p->period);
}

static void emit_about(struct page *g)
{
	static const char *const scales[] = {
		[COMPARE_PER_SECOND] = "second", [COMPARE_RAW] = "raw", [COMPARE_TOTALS] = "total"};

	out_literal(g->out, "{\"version\":1,\"made_by\":\"cprof " CPROF_VERSION "\",\"about\":{");
	emit_comments(g->out, g->p);
	out_literal(g->out, "}");
	if (g->opt->base) {
		out_literal(g->out, ",\"base_about\":{");
		emit_comments(g->out, g->opt->base);
		out_printf(g->out, "},\"scale\":\"%s\"", scales[g->opt->scale]);
		emit_period(g->out, "base_period", g->opt->base);
	}
	emit_period(g->out, "period", g->p);
	emit_types(g);
}

static void emit_strings(struct page *g)
{
	const struct page_texts *t = &g->data.strings;

	out_literal(g->out, ",\n\"strings\":[");
	for (size_t i = 0; i < t->list.len; i++) {
		if (i)
			out_literal(g->out, ",\n");
		json_string(g->out, t->list.data[i].data);
	}
	out_literal(g->out, "]");
}

static int page_emit(struct page *g)
{
	int ret;

	out_bytes(g->out, page_head, sizeof(page_head));
	emit_about(g);
	emit_strings(g);
	emit_tables(g);
	emit_nodes(g);
	emit_merged(g);
	emit_label_sets(g);
	emit_samples(g, "samples", &g->samples);
	if (g->opt->base)
		emit_samples(g, "base", &g->base);
	out_literal(g->out, "}\n");
	out_bytes(g->out, page_tail, sizeof(page_tail));
	ret = out_flush(g->out);
	return g->error ? g->error : ret;
}

static int page_fill(struct page *g)
{
	int ret = page_data_init(&g->data, g->p);

	if (!ret)
		ret = page_data_add(&g->data, g->p, g->p, &g->samples);
	if (!ret && g->opt->base)
		ret = page_data_add(&g->data, g->p, g->opt->base, &g->base);
	return ret;
}

static int too_big(struct error *err)
{
	return error_set(err, -E2BIG,
			 "its stacks have more than %u million frames, too many for a page",
			 PAGE_NODES_MAX >> 20);
}

static int html_write(const struct profile *p, const struct format_options *opt,
		      const struct sink *to, struct error *err)
{
	static const struct format_options plain;
	struct page g = {.p = p, .opt = opt ? opt : &plain};
	int ret;

	g.type = out_pick_type(p, g.opt->sample_type, err);
	if (g.type < 0)
		return g.type;
	g.out = malloc(sizeof(*g.out));
	if (!g.out)
		return -ENOMEM;
	out_init(g.out, to, OUT_JSON);
	ret = page_fill(&g);
	if (ret == -E2BIG)
		ret = too_big(err);
	if (!ret)
		ret = page_emit(&g);
	page_samples_release(&g.samples);
	page_samples_release(&g.base);
	page_data_release(&g.data);
	vec_release(&g.packed.b);
	free(g.out);
	return ret;
}

const struct format format_html = {
	.name = "html",
	.suffix = ".html",
	.suffix2 = ".htm",
	.summary = "a page with flame graph and tables, for any browser, offline",
	.write = html_write,
};
