/* SPDX-License-Identifier: Apache-2.0 */
/* The common parts of report, diff, convert and merge: see viewing.h. */
#include "viewing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "browser.h"
#include "exit_codes.h"
#include "format/destination.h"
#include "format/read.h"
#include "format/tag_frames.h"
#include "summary.h"
#include "symbol/symbolize_files.h"
#include "view/apply.h"

static int name_from_files(struct profile *p, struct terminal *t)
{
	struct readers_unanswered unanswered;
	struct readers *readers;
	struct left_out lost;
	int code = readers_new(&readers);

	if (code)
		return code;
	code = symbolize_from_files(p, readers, &lost);
	readers_unanswered(readers, &unanswered);
	summary_unanswered(t, &unanswered);
	summary_left_out(t, &lost);
	readers_free(readers);
	return code;
}

static void note_left_out(const char *path, const struct read_notes *notes, struct terminal *t)
{
	bool one = notes->lines_left_out == 1;

	if (notes->lines_left_out)
		terminal_note(t,
			      "cprof: %s: %" PRIu64 " %s not end in a count and %s left out (the "
			      "first is line %" PRIu64 ")",
			      path, notes->lines_left_out, one ? "line does" : "lines do",
			      one ? "is" : "are", notes->first_left_out);
}

struct profile *viewing_load(const struct options *o, size_t i, struct terminal *t)
{
	struct error err = {0};
	struct profile *p;
	struct read_notes notes = {0};
	int code = format_read_file(o->files[i], &notes, &p, &err);

	if (code) {
		terminal_failed(t, &err, code);
		return NULL;
	}
	note_left_out(o->files[i], &notes, t);
	code = name_from_files(p, t);
	if (!code && (o->tag_root || o->tag_leaf))
		code = tag_frames_add(p, o->tag_root, o->tag_leaf);
	if (!code)
		return p;
	terminal_error(t, "%s", error_reason(code));
	profile_free(p);
	return NULL;
}

int viewing_failed(struct terminal *t, int code, const struct error *err)
{
	if (code == -EPIPE)
		return CPROF_EXIT_OK;
	terminal_failed(t, err, code);
	return CPROF_EXIT_FAILED;
}

static int write_stdout(void *arg, const void *data, size_t len)
{
	return fwrite(data, 1, len, stdout) == len ? 0 : -errno;
}

struct sink viewing_stdout(void)
{
	return (struct sink){.write = write_stdout};
}

static const struct format *format_of(const struct options *o)
{
	const struct format *f = o->format   ? o->format
				 : o->output ? format_by_path(o->output)
					     : NULL;

	return f ? f : o->open ? &format_html : &format_pprof;
}

int viewing_write(const struct options *o, const struct profile *p, const struct profile *base,
		  struct terminal *t)
{
	const struct format *f = format_of(o);
	struct format_options opt = {.sample_type = o->sample_type,
				     .top = o->top,
				     .full_names = o->full_names,
				     .width = o->output ? 0 : t->width,
				     .color = !o->output && t->out_color,
				     .base = base,
				     .scale = o->scale};
	struct error err = {0};
	int code;

	if (!o->output && t->out_tty && (f == &format_pprof || f == &format_html)) {
		terminal_error(t, "%s cannot be shown on a terminal: give -o FILE%s", f->name,
			       f->suffix);
		return CPROF_EXIT_USAGE;
	}
	code = format_write_file(p, f, &opt, o->output ? o->output : "-", &err);
	if (code)
		return viewing_failed(t, code, &err);
	if (o->open)
		browser_open(t, o->output);
	else if (o->output && !destination_is_stdout(o->output))
		terminal_note(t, "cprof: wrote %s", o->output);
	return CPROF_EXIT_OK;
}

int viewing_filter(const struct options *o, struct profile *p, struct terminal *t)
{
	struct error err = {0};
	int code = filter_is_empty(&o->filter) ? 0 : filter_apply(p, &o->filter, &err);

	return code ? viewing_failed(t, code, &err) : CPROF_EXIT_OK;
}
