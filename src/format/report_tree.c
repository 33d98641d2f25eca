/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints each function with its callers above and its callees below, as go tool pprof -tree and
 * -peek do. Their percentages are of the function's cum.
 */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "format/report_print.h"
#include "view/expression.h"

#define EDGE_COLUMNS 48u /* before a caller's name, without the gap */
#define NODE_COLUMNS 46u
#define GAP 16u /* the gap of go tool pprof, for lines that are wide enough */
#define GAP_FROM_WIDTH 100u

/* Groups the edges of each node: it holds the numbers of edges, and where those of each node
 * begin. */
struct adjacency {
	u32 *edges, *first;
};

struct by_weight {
	const struct view *v;
	bool in;
};

static void adjacency_release(struct adjacency *a)
{
	free(a->edges);
	free(a->first);
}

static u32 near_end(const struct view_edge *e, bool in)
{
	return in ? e->to : e->from;
}

static int weight_compare(const void *left, const void *right, void *arg)
{
	const struct by_weight *by = arg;
	const struct view_edge *a = &by->v->edges.data[*(const u32 *)left];
	const struct view_edge *b = &by->v->edges.data[*(const u32 *)right];
	u64 x = view_magnitude(a->weight), y = view_magnitude(b->weight);

	if (near_end(a, by->in) != near_end(b, by->in))
		return near_end(a, by->in) < near_end(b, by->in) ? -1 : 1;
	if (x != y)
		return x > y ? -1 : 1;
	return strcmp(by->v->nodes.data[near_end(a, !by->in)].name,
		      by->v->nodes.data[near_end(b, !by->in)].name);
}

static int adjacency_init(struct adjacency *a, const struct view *v, bool in)
{
	struct by_weight by = {v, in};
	size_t n = v->edges.len, at = 0;

	a->edges = malloc((n + 1) * sizeof(*a->edges));
	a->first = calloc(v->nodes.len + 1, sizeof(*a->first));
	if (!a->edges || !a->first)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		a->edges[i] = (u32)i;
	if (n)
		qsort_r(a->edges, n, sizeof(*a->edges), weight_compare, &by);
	for (size_t node = 0; node <= v->nodes.len; node++) {
		while (at < n && near_end(&v->edges.data[a->edges[at]], in) < node)
			at++;
		a->first[node] = (u32)at;
	}
	return 0;
}

static u32 gap(const struct report *r)
{
	return r->o->width && r->o->width < GAP_FROM_WIDTH ? 1 : GAP;
}

static void emit_edges(const struct report *r, const struct adjacency *a, u32 node, bool in)
{
	const struct view *v = r->v;

	for (u32 i = a->first[node]; i < a->first[node + 1]; i++) {
		const struct view_edge *e = &v->edges.data[a->edges[i]];
		const char *suffix = e->inlined ? " (inline)" : "";
		char weight[REPORT_NUMBER], share[32];

		if (!e->weight)
			continue;
		report_number(r, e->weight, false, weight);
		unit_percent(e->weight, v->nodes.data[node].cum, share, sizeof(share));
		out_printf(r->out, "%*s %s |   ", (int)gap(r) + 34, weight, share);
		report_name(r, v->nodes.data[near_end(e, !in)].name,
			    EDGE_COLUMNS + gap(r) + strlen(suffix));
		out_printf(r->out, "%s\n", suffix);
	}
}

static void emit_node(const struct report *r, const struct view_node *n, s64 sum)
{
	enum out_color color = report_node_color(r, n);

	report_paint(r, color);
	report_node_numbers(r, n, sum);
	report_paint(r, color ? OUT_PLAIN : OUT_NO_COLOR);
	out_printf(r->out, "%*s| ", (int)gap(r), "");
	report_paint(r, OUT_BOLD);
	report_name(r, n->name, NODE_COLUMNS + gap(r));
	report_paint(r, OUT_PLAIN);
	out_literal(r->out, "\n");
}

static void emit_separator(const struct report *r)
{
	static const char line[] =
		"----------------------------------------------------------+-------------";

	report_paint(r, OUT_DIM);
	out_text(r->out, line + GAP - gap(r));
	report_paint(r, OUT_PLAIN);
	out_literal(r->out, "\n");
}

static bool wanted(const regex_t *only, const struct view_node *n)
{
	return !only || !regexec(only, n->name, 0, NULL, 0);
}

static size_t emit_nodes(const struct report *r, const regex_t *only, const struct adjacency *in,
			 const struct adjacency *out)
{
	size_t printed = 0;
	s64 sum = 0;

	for (size_t i = 0; i < (only ? r->n : r->shown); i++) {
		const struct view_node *n = &r->v->nodes.data[r->order[i]];

		if (!wanted(only, n))
			continue;
		printed++;
		sum = view_add(sum, n->flat);
		emit_separator(r);
		if (r->o->kind != REPORT_CALLEES)
			emit_edges(r, in, r->order[i], true);
		emit_node(r, n, sum);
		if (r->o->kind != REPORT_CALLERS)
			emit_edges(r, out, r->order[i], false);
	}
	emit_separator(r);
	return printed;
}

static int emit_all(struct report *r, const regex_t *only)
{
	struct adjacency in = {0}, out = {0};
	int ret = adjacency_init(&in, r->v, true);

	if (!ret)
		ret = adjacency_init(&out, r->v, false);
	if (!ret) {
		report_head(r);
		emit_separator(r);
		report_paint(r, OUT_BOLD);
		out_printf(r->out, "      flat  flat%%   sum%%        cum   cum%%%s + context",
			   gap(r) == GAP ? "   calls calls%" : "");
		report_paint(r, OUT_PLAIN);
		out_literal(r->out, "\n");
		if (!emit_nodes(r, only, &in, &out))
			ret = error_set(r->err, -ENOENT, "no function matches \"%.200s\"",
					r->o->function ? r->o->function : "");
	}
	adjacency_release(&in);
	adjacency_release(&out);
	return ret;
}

int report_tree(struct report *r)
{
	regex_t only;
	int ret;

	if (!r->o->function)
		return r->n ? emit_all(r, NULL) : (report_head(r), 0);
	ret = expression_compile(&only, r->o->function);
	if (ret)
		return error_set(r->err, -EINVAL,
				 "\"%.200s\" is not a regular expression, or too large",
				 r->o->function);
	ret = emit_all(r, &only);
	regfree(&only);
	return ret;
}
