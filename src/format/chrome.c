/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes Chrome's trace event format (the "JSON Array Format" of its Trace Event documentation),
 * which Perfetto and chrome://tracing open. The tree of all stacks becomes nested complete events
 * ("X") with siblings ordered by name. The time axis shows values and not when things happened; a
 * microsecond stands for a thousand ns, or for one of any other unit.
 */
#include "format/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/json.h"
#include "view/tree.h"

struct chrome {
	struct view *v;
	struct tree t;
	struct out *out;
	double divisor; /* converts values to microseconds */
};

static void emit_event(struct chrome *c, const struct tree_node *n, s64 start)
{
	const struct view_node *f = &c->v->nodes.data[n->frame];
	const char *file = profile_text(c->v->p, f->file);

	out_printf(c->out,
		   ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%.3f,\"dur\":%.3f,\"name\":",
		   (double)start / c->divisor, (double)n->value / c->divisor);
	json_string(c->out, f->name);
	out_literal(c->out, ",\"cat\":");
	json_string(c->out, path_name(profile_text(c->v->p, f->module)));
	out_printf(c->out, ",\"args\":{\"value\":%" PRId64 ",\"inlined\":%s", n->value,
		   n->inlined ? "true" : "false");
	if (*file) {
		out_literal(c->out, ",\"file\":");
		json_string(c->out, file);
	}
	out_literal(c->out, "}}");
}

static void emit_tree(struct chrome *c, s64 *next_start)
{
	const struct tree_node *nodes = c->t.nodes.data;
	u32 at = nodes[0].first_child;

	next_start[1] = 0;
	while (at != TREE_NONE) {
		const struct tree_node *n = &nodes[at];
		s64 start = next_start[n->depth];

		emit_event(c, n, start);
		next_start[n->depth] = view_add(start, n->value);
		next_start[n->depth + 1] = start;
		if (n->first_child != TREE_NONE) {
			at = n->first_child;
			continue;
		}
		while (at && nodes[at].next_sibling == TREE_NONE)
			at = nodes[at].parent;
		at = at ? nodes[at].next_sibling : TREE_NONE;
	}
}

static int emit_all(struct chrome *c)
{
	const struct profile *p = c->v->p;
	const struct profile_value_type *vt = &p->sample_types.data[c->v->o.type];
	s64 *next_start;
	int ret = tree_build(&c->t, c->v);

	if (ret)
		return ret;
	next_start = calloc(c->t.max_depth + 3, sizeof(*next_start));
	if (!next_start)
		return -ENOMEM;
	c->divisor = strcmp(profile_text(p, vt->unit), "nanoseconds") ? 1 : 1000;
	out_literal(c->out,
		    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"exporter\":\"cprof\",\"type\":");
	json_string(c->out, profile_text(p, vt->type));
	out_literal(c->out, ",\"unit\":");
	json_string(c->out, profile_text(p, vt->unit));
	out_literal(
		c->out,
		"},\n\"traceEvents\":[\n"
		"{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":");
	json_string(c->out, p->comments.len ? profile_text(p, p->comments.data[0]) : "cprof");
	out_literal(c->out, "}}");
	emit_tree(c, next_start);
	out_literal(c->out, "\n]}\n");
	free(next_start);
	return out_flush(c->out);
}

static int chrome_write(const struct profile *p, const struct format_options *opt,
			const struct sink *to, struct error *err)
{
	struct chrome c = {0};
	int ret = out_view(p, opt, VIEW_FUNCTION, &c.v, err);

	if (ret)
		return ret;
	c.out = malloc(sizeof(*c.out));
	ret = -ENOMEM;
	if (c.out) {
		out_init(c.out, to, OUT_JSON);
		ret = emit_all(&c);
	}
	tree_release(&c.t);
	free(c.out);
	view_free(c.v);
	return ret;
}

const struct format format_chrome = {
	.name = "chrome",
	.suffix = ".trace.json",
	.suffix2 = ".perfetto.json",
	.summary = "Chrome trace events: ui.perfetto.dev, chrome://tracing",
	.write = chrome_write,
};
