/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a flame graph as a still SVG 1.1 picture for documents. Each function in its stack is one
 * rectangle, as wide as its value, with a <title> that browsers show. Rectangles narrower than a
 * tenth of a pixel are left out. The picture runs no script and loads nothing.
 */
#include "format/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/out.h"
#include "format/short_name.h"
#include "format/units.h"
#include "base/utf8.h"
#include "view/tree.h"

#define WIDTH 1200.0
#define MARGIN 10.0
#define ROW 16u
#define TOP 40u
#define BOTTOM 24u
#define MIN_WIDTH 0.1
#define CHAR_WIDTH 6.6 /* of 11 px monospaced type */
#define MAX_ROWS 2000u

struct svg {
	const struct view *v;
	const struct tree *t;
	struct unit_scale scale;
	struct out *out;
	u32 rows;
};

/* The kind selects the hue and the name the shade, so equal functions have equal colours in every
 * picture. */
static void color_of(const struct svg *s, const struct tree_node *n, char text[16])
{
	static const u8 base[][3] = {
		[PROFILE_MAPPING_FILE] = {205, 110, 40},
		[PROFILE_MAPPING_KERNEL] = {200, 150, 50},
		[PROFILE_MAPPING_JIT] = {90, 170, 90},
		[PROFILE_MAPPING_SYNTHETIC] = {150, 150, 150},
	};
	const struct view_node *f = &s->v->nodes.data[n->frame];
	u32 shade = hash_fold(hash_bytes(0, f->name, strlen(f->name)));
	const u8 *rgb = base[f->kind <= PROFILE_MAPPING_SYNTHETIC ? f->kind : 0];

	snprintf(text, 16, "#%02x%02x%02x", rgb[0] + shade % 50, rgb[1] + shade / 50 % 80,
		 rgb[2] + shade / 4000 % 40);
}

static void emit_box(const struct svg *s, const struct tree_node *n, double x, double width)
{
	const char *name = n->frame == TREE_NONE ? "all" : s->v->nodes.data[n->frame].name;
	u32 y = TOP + (s->rows - n->depth) * ROW;
	char color[16] = "#d0d0d0", value[64], share[32], label[256];
	size_t fits = (size_t)((width - 4) / CHAR_WIDTH);

	if (n->frame != TREE_NONE)
		color_of(s, n, color);
	unit_format(&s->scale, n->value, value, sizeof(value));
	unit_percent(n->value, s->t->nodes.data[0].value, share, sizeof(share));
	out_literal(s->out, "<g><title>");
	out_text(s->out, name);
	out_printf(s->out, "%s (%s, %s)</title>",
		   n->frame != TREE_NONE && n->inlined ? " (inline)" : "", value,
		   share + strspn(share, " "));
	out_printf(s->out, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\" fill=\"%s\"/>",
		   x, y, width > 0.5 ? width - 0.3 : width, ROW - 1, color);
	if (width > 4 && fits >= 3) {
		short_name(name, fits, label, sizeof(label));
		out_printf(s->out, "<text x=\"%.2f\" y=\"%u\">", x + 3, y + ROW - 4);
		out_text(s->out, label);
		out_literal(s->out, "</text>");
	}
	out_literal(s->out, "</g>\n");
}

static double width_of(const struct svg *s, s64 value)
{
	return (WIDTH - 2 * MARGIN) * (double)value / (double)s->t->nodes.data[0].value;
}

/* Returns the next node in depth-first order; it goes below `at` only if `down` is true. */
static u32 step(const struct tree *t, u32 at, bool down)
{
	if (down && t->nodes.data[at].first_child != TREE_NONE)
		return t->nodes.data[at].first_child;
	while (at != TREE_NONE && t->nodes.data[at].next_sibling == TREE_NONE)
		at = t->nodes.data[at].parent;
	return at == TREE_NONE ? TREE_NONE : t->nodes.data[at].next_sibling;
}

/* Stacks may be deep, so this does not recurse. next_x says where the next child of each depth
 * begins. */
static void emit_boxes(const struct svg *s, double *next_x)
{
	u32 at = 0;

	next_x[0] = MARGIN;
	while (at != TREE_NONE) {
		const struct tree_node *n = &s->t->nodes.data[at];
		double x = next_x[n->depth], width = width_of(s, n->value);
		bool down = width >= MIN_WIDTH && n->depth < s->rows;

		if (width >= MIN_WIDTH)
			emit_box(s, n, x, width);
		next_x[n->depth] = x + width;
		if (down)
			next_x[n->depth + 1] = x;
		at = step(s->t, at, down);
	}
}

static void emit_all(const struct svg *s, double *next_x)
{
	const struct profile *p = s->v->p;
	const char *title = p->comments.len ? profile_text(p, p->comments.data[0]) : "cprof";
	u32 height = TOP + (s->rows + 1) * ROW + BOTTOM;
	char total[64];

	unit_format(&s->scale, s->t->nodes.data[0].value, total, sizeof(total));
	out_printf(s->out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" "
		   "height=\"%u\" viewBox=\"0 0 %.0f %u\" font-family=\"monospace\" "
		   "font-size=\"11\">\n"
		   "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		   "<text x=\"%.0f\" y=\"24\" font-size=\"15\">",
		   WIDTH, height, WIDTH, height, MARGIN);
	out_text(s->out, title);
	out_literal(s->out, "</text>\n<text x=\"1190\" y=\"24\" text-anchor=\"end\">");
	out_text(s->out, profile_text(p, p->sample_types.data[s->v->o.type].type));
	out_printf(s->out, ": %s</text>\n", total);
	if (s->t->nodes.data[0].value > 0)
		emit_boxes(s, next_x);
	out_literal(s->out, "</svg>\n");
}

static int draw(const struct profile *p, struct view *v, const struct sink *to)
{
	struct tree t = {0};
	struct svg s = {.v = v, .t = &t, .out = malloc(sizeof(*s.out))};
	int ret = s.out ? tree_build(&t, v) : -ENOMEM;
	double *next_x = NULL;
	u64 total;

	if (!ret) {
		s.rows = t.max_depth < MAX_ROWS ? t.max_depth : MAX_ROWS;
		next_x = calloc(s.rows + 2, sizeof(*next_x));
		ret = next_x ? 0 : -ENOMEM;
	}
	if (!ret) {
		total = (u64)t.nodes.data[0].value;
		s.scale = unit_scale_pick(profile_text(p, p->sample_types.data[v->o.type].unit),
					  total / 100, total);
		out_init(s.out, to, OUT_XML);
		emit_all(&s, next_x);
		ret = out_flush(s.out);
	}
	tree_release(&t);
	free(next_x);
	free(s.out);
	return ret;
}

static int svg_write(const struct profile *p, const struct format_options *opt,
		     const struct sink *to, struct error *err)
{
	struct view *v;
	int ret = out_view(p, opt, VIEW_FUNCTION, &v, err);

	if (ret)
		return ret;
	ret = draw(p, v, to);
	view_free(v);
	return ret;
}

const struct format format_svg = {
	.name = "svg",
	.suffix = ".svg",
	.summary = "a static flame graph, for documents",
	.write = svg_write,
};
