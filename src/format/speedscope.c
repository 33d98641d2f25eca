/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes speedscope's own JSON (https://www.speedscope.app/file-format-schema.json), with shared
 * frames and one sampled profile for each sample type. Values there are integers up to 2^53.
 */
#include "format/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "view/view.h"

/* A frame is a function, because speedscope distinguishes frames by everything written here. */
static void emit_frame(struct out *o, const struct view *v, const struct view_node *n)
{
	const char *name = n->function ? profile_text(v->p, n->function) : n->name;
	const char *file = profile_text(v->p, n->file);

	out_literal(o, "{\"name\":");
	json_string(o, *name ? name : n->name);
	if (*file) {
		out_literal(o, ",\"file\":");
		json_string(o, file);
	}
	if (n->start_line > 0)
		out_printf(o, ",\"line\":%" PRId64, n->start_line);
	out_literal(o, "}\n");
}

static const char *unit_name(const char *unit)
{
	static const char *const known[] = {"nanoseconds", "microseconds", "milliseconds",
					    "seconds", "bytes"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!strcmp(unit, known[i]))
			return known[i];
	}
	return "none";
}

static int emit_stacks(struct out *o, struct view *v)
{
	bool first = true;

	for (size_t i = 0; i < v->p->samples.len; i++) {
		int ret = view_value(v, i) > 0 ? view_stack(v, i) : 0;

		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		json_comma(o, &first);
		out_literal(o, "[");
		for (size_t k = v->stack.len; k-- > 0;)
			out_printf(o, "%u%s", v->stack.data[k].node, k ? "," : "");
		out_literal(o, "]");
	}
	return 0;
}

static s64 emit_weights(struct out *o, struct view *v)
{
	bool first = true;
	s64 sum = 0;

	for (size_t i = 0; i < v->p->samples.len; i++) {
		s64 value = view_value(v, i);

		if (value <= 0 || view_stack(v, i) <= 0)
			continue;
		json_comma(o, &first);
		out_printf(o, "%" PRId64, value);
		sum = view_add(sum, value);
	}
	return sum;
}

static int emit_profile(struct out *o, struct view *v)
{
	const struct profile_value_type *vt = &v->p->sample_types.data[v->o.type];
	s64 sum;
	int ret;

	out_literal(o, "{\"type\":\"sampled\",\"name\":");
	json_string(o, profile_text(v->p, vt->type));
	out_printf(o, ",\"unit\":\"%s\",\"startValue\":0,\n\"samples\":[",
		   unit_name(profile_text(v->p, vt->unit)));
	ret = emit_stacks(o, v);
	if (ret)
		return ret;
	out_literal(o, "],\n\"weights\":[");
	sum = emit_weights(o, v);
	out_printf(o, "],\n\"endValue\":%" PRId64 "}\n", sum);
	return 0;
}

static int emit_all(struct out *o, struct view *v, int active)
{
	const struct profile *p = v->p;
	bool first = true;
	int ret = 0;

	out_literal(o, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
		       "\"exporter\":\"cprof\",\"name\":");
	json_string(o, p->comments.len ? profile_text(p, p->comments.data[0]) : "cprof");
	out_printf(o, ",\"activeProfileIndex\":%d,\n\"shared\":{\"frames\":[", active);
	vec_for_each(&v->nodes, n) {
		json_comma(o, &first);
		emit_frame(o, v, n);
	}
	out_literal(o, "]},\n\"profiles\":[");
	first = true;
	for (size_t i = 0; i < p->sample_types.len && !ret; i++) {
		json_comma(o, &first);
		v->o.type = (int)i;
		ret = emit_profile(o, v);
	}
	out_literal(o, "]}\n");
	return ret;
}

static int speedscope_write(const struct profile *p, const struct format_options *opt,
			    const struct sink *to, struct error *err)
{
	struct out *o;
	struct view *v;
	int ret = out_view(p, opt, VIEW_FUNCTION, &v, err);

	if (ret)
		return ret;
	o = malloc(sizeof(*o));
	ret = -ENOMEM;
	if (o) {
		out_init(o, to, OUT_JSON);
		ret = emit_all(o, v, v->o.type);
		if (!ret)
			ret = out_flush(o);
	}
	free(o);
	view_free(v);
	return ret;
}

const struct format format_speedscope = {
	.name = "speedscope",
	.suffix = ".speedscope.json",
	.suffix2 = ".speedscope",
	.summary = "speedscope.app's own JSON, all sample types",
	.write = speedscope_write,
};
