/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one thread after the other as Go's runtime writes goroutines (debug=2 of net/http/pprof),
 * so that readers of that form understand it: a header "goroutine ID [STATE, N minutes]:", where
 * the ID is a thread's number, and then two lines for each function. Deadlocks come first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/thread_list.h"

#define MINUTE 60000000000ll

/* The header ends with "]:", and its items are separated by commas. */
static void emit_item(const char *text, struct out *o)
{
	char item[256];
	size_t n = 0;

	for (; text[n] && n + 1 < sizeof(item); n++)
		item[n] = strchr("[],", text[n]) ? '_' : text[n];
	item[n] = '\0';
	out_text(o, item);
}

static void emit_header(const struct listed_thread *t, struct out *o)
{
	out_printf(o, "goroutine %lld [", (long long)t->tid);
	emit_item(thread_doing(t), o);
	if (t->object) {
		out_literal(o, " ");
		emit_item(t->object, o);
	}
	if (t->since >= MINUTE)
		out_printf(o, ", %lld minutes", (long long)(t->since / MINUTE));
	if (t->owner) {
		out_literal(o, ", held by ");
		emit_item(t->owner, o);
	}
	if (t->until) {
		out_literal(o, ", until ");
		emit_item(t->until, o);
	}
	if (t->name) {
		out_literal(o, ", thread \"");
		emit_item(t->name, o);
		out_literal(o, "\"");
	}
	if (t->moved)
		out_literal(o, ", moved while it was read");
	out_literal(o, "]:\n");
}

/* Go writes "(...)" where it does not know the arguments; names of C++ have their types. */
static void emit_frame(const char *name, const char *file, s64 line, u64 address, struct out *o)
{
	size_t len = strlen(name);

	out_printf(o, len && name[len - 1] == ')' ? "%s\n" : "%s(...)\n", name);
	out_printf(o, "\t%s:%lld +0x%llx\n", file && *file ? file : "??", (long long)line,
		   (unsigned long long)address);
}

static void emit_stack(const struct thread_list *l, u32 sample, struct out *o)
{
	const struct profile *p = l->p;
	const struct profile_sample *s = &p->samples.data[sample];
	char name[512];

	for (u32 i = 0; i < s->nlocations; i++) {
		const struct profile_location *at =
			&p->locations.data[p->stack_locations.data[s->first_location + i]];

		if (!at->nlines) {
			view_unnamed(p, at, name, sizeof(name));
			emit_frame(name, NULL, 0, at->address, o);
		}
		for (u32 k = 0; k < at->nlines; k++) {
			const struct profile_line *line = &p->lines.data[at->first_line + k];
			const struct profile_function *f = &p->functions.data[line->function];

			emit_frame(profile_text(p, f->name), profile_text(p, f->filename),
				   line->line, at->address, o);
		}
	}
}

static void emit_thread(const struct thread_list *l, const struct listed_thread *t, struct out *o)
{
	emit_header(t, o);
	emit_stack(l, t->sample, o);
	out_literal(o, "\n");
}

static void emit_member(const struct thread_list *l, const struct listed_thread *t,
			const struct listed_thread *next, struct out *o)
{
	out_printf(o, "# %lld \"%s\" waits for %s of %lld \"%s\"\n", (long long)t->tid,
		   t->name ? t->name : "", t->object ? t->object : "the end", (long long)next->tid,
		   next->name ? next->name : "");
}

static int emit_all(const struct thread_list *l, const struct sink *to)
{
	struct out *o = malloc(sizeof(*o));
	u32 rings = thread_count_rings(l);
	int err;

	if (!o)
		return -ENOMEM;
	out_init(o, to, OUT_TEXT);
	for (u32 ring = 1; ring <= rings; ring++) {
		out_literal(o, "# Found one deadlock:\n");
		thread_for_ring(l, ring, emit_member, o);
		out_literal(o, "\n");
	}
	vec_for_each(&l->threads, t)
		emit_thread(l, t, o);
	err = out_flush(o);
	free(o);
	return err;
}

static int dump_write(const struct profile *p, const struct format_options *opt,
		      const struct sink *to, struct error *err)
{
	struct thread_list l;
	int code = thread_list_init(&l, p, opt, err);

	if (!code) {
		thread_list_by_number(&l);
		code = emit_all(&l, to);
	}
	thread_list_release(&l);
	return code;
}

const struct format format_dump = {
	.name = "dump",
	.suffix = ".dump",
	.summary = "threads one after the other, in the form of Go's goroutine?debug=2",
	.threads = true,
	.write = dump_write,
};
