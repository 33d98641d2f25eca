/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes groups of threads as Go's debug=1 text (runtime/pprof, printCountProfile), which go tool
 * pprof reads as well: "threads profile: total N", and for each group "COUNT @ ADDRESSES" with its
 * labels and frames as comments. Readers subtract 1 from every address, also from that of the leaf.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/thread_groups.h"

static const struct profile_location *location_at(const struct thread_list *l, u32 sample, u32 i)
{
	const struct profile_sample *s = &l->p->samples.data[sample];

	return &l->p->locations.data[l->p->stack_locations.data[s->first_location + i]];
}

static void emit_addresses(const struct thread_list *l, const struct thread_group *g, u32 sample,
			   struct out *o)
{
	out_printf(o, "%lld @", (long long)g->threads);
	for (u32 i = 0; i < l->p->samples.data[sample].nlocations; i++)
		out_printf(o, " 0x%llx",
			   (unsigned long long)location_at(l, sample, i)->address + 1);
	out_literal(o, "\n");
}

static void emit_label(const char *key, const char *text, bool first, struct out *o)
{
	out_printf(o, "%s\"%s\":\"", first ? "" : ", ", key);
	for (; *text; text++) {
		char one[2] = {*text, '\0'};

		out_text(o, *text == '"' || *text == '\\' ? "\\" : "");
		out_bytes(o, one, (unsigned char)*text >= ' ');
	}
	out_literal(o, "\"");
}

static void emit_labels(const struct listed_thread *t, struct out *o)
{
	out_literal(o, "# labels: {");
	emit_label("state", t->state ? t->state : "unknown", true, o);
	if (t->reason)
		emit_label("reason", t->reason, false, o);
	if (t->object && thread_waits_for_owner(t))
		emit_label("object", t->object, false, o);
	if (t->owner)
		emit_label("owner", t->owner, false, o);
	out_literal(o, "}\n");
}

static void emit_frames(const struct profile *p, const struct profile_location *at, struct out *o)
{
	unsigned long long address = at->address + 1;
	char name[512];

	if (!at->nlines) {
		view_unnamed(p, at, name, sizeof(name));
		out_printf(o, "#\t0x%llx\t%s+0x0\t??:0\n", address, name);
	}
	for (u32 i = 0; i < at->nlines; i++) {
		const struct profile_line *line = &p->lines.data[at->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];

		out_printf(o, "#\t0x%llx\t%s+0x0\t%s:%lld\n", address, profile_text(p, f->name),
			   f->filename ? profile_text(p, f->filename) : "??",
			   (long long)line->line);
	}
}

static void emit_mappings(const struct profile *p, struct out *o)
{
	out_literal(o, "--- Memory map: ---\n");
	vec_for_each(&p->mappings, m) {
		if (m->kind != PROFILE_MAPPING_SYNTHETIC)
			out_printf(o, "%llx-%llx r-xp %08llx 00:00 0 %s\n",
				   (unsigned long long)m->start, (unsigned long long)m->limit,
				   (unsigned long long)m->offset, profile_text(p, m->path));
	}
}

static int emit_all(const struct thread_list *l, const thread_group_vec *groups,
		    const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	s64 total = 0;
	int err;

	if (!o)
		return -ENOMEM;
	vec_for_each(groups, g)
		total += g->threads;
	out_init(o, to, OUT_TEXT);
	out_printf(o, "threads profile: total %lld\n", (long long)total);
	vec_for_each(groups, g) {
		const struct listed_thread *t = thread_of_group(l, g, 0);

		if (!l->p->samples.data[t->sample].nlocations)
			continue;
		emit_addresses(l, g, t->sample, o);
		emit_labels(t, o);
		for (u32 i = 0; i < l->p->samples.data[t->sample].nlocations; i++)
			emit_frames(l->p, location_at(l, t->sample, i), o);
		out_literal(o, "\n");
	}
	emit_mappings(l->p, o);
	err = out_flush(o);
	free(o);
	return err;
}

static int counts_write(const struct profile *p, const struct format_options *opt,
			const struct sink *to, struct error *err)
{
	thread_group_vec groups = {0};
	struct thread_list l;
	int code = thread_list_init(&l, p, opt, err);

	if (!code)
		code = thread_groups_find(&l, &groups);
	if (!code)
		code = emit_all(&l, &groups, to);
	vec_release(&groups);
	thread_list_release(&l);
	return code;
}

const struct format format_counts = {
	.name = "counts",
	.suffix = ".counts",
	.summary = "groups of threads in the form of Go's goroutine?debug=1",
	.threads = true,
	.write = counts_write,
};
