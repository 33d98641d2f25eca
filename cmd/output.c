/* SPDX-License-Identifier: Apache-2.0 */
/* Decides where a profile goes and in which format: see output.h. */
#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "browser.h"
#include "base/path.h"
#include "view/wait_kind.h"
#include "format/destination.h"
#include "interrupt.h"
#include "rescue.h"

static bool is_stdout(const struct output *out)
{
	return out->path && destination_is_stdout(out->path);
}

/* This is refused now, and not after the recording. */
static int check_path(const char *path, struct error *err)
{
	struct destination d;
	int code = destination_open(&d, path, err);

	destination_release(&d);
	return code;
}

/* Returns the format that is printed for people. */
static const struct format *text_format(const struct output *out)
{
	const struct options *o = out->o;
	const struct format *f = o->kind && o->kind->table ? o->kind->table(&o->own) : NULL;

	return f ? f : &format_text;
}

int output_init(struct output *out, const struct options *o, struct terminal *term,
		struct error *err)
{
	const struct format *by_name = o->output ? format_by_path(o->output) : NULL;

	*out = (struct output){.o = o, .term = term, .path = o->output};
	out->format = o->format ? o->format : by_name;
	if (o->open)
		out->format = &format_html;
	if (!o->output && !o->open && (o->format || !term->out_tty))
		out->path = "-";
	/* pprof's bytes and pages are useless on a screen, so they go to a file. */
	if (is_stdout(out) && term->out_tty && !o->output &&
	    (out->format == &format_pprof || out->format == &format_html))
		out->path = NULL;
	if (!out->format)
		out->format = is_stdout(out) ? &format_folded : &format_pprof;
	if (out->format == &format_text)
		out->format = text_format(out);
	out->table = term->out_tty && !is_stdout(out);
	if (out->path && !is_stdout(out))
		return check_path(out->path, err);
	return 0;
}

int output_command_stdout(const struct output *out)
{
	return is_stdout(out) ? STDERR_FILENO : -1;
}

/* Makes "cprof-cpu-redis-server-4711-TIME"; the target's name may contain anything. */
static void make_up_name(const struct output_place *place, char *path, size_t size)
{
	const struct target *t = place->target;
	char name[128] = "machine", *c;
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	if (place->is_command)
		snprintf(name, sizeof(name), "%s", path_name(t->title));
	else if (t->scope == TARGET_CGROUP)
		snprintf(name, sizeof(name), "cgroup");
	else if (t->processes.len)
		snprintf(name, sizeof(name), "%s-%d", t->processes.data[0].comm,
			 (int)t->processes.data[0].tgid);
	for (c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("._+-", *c))
			*c = '_';
	}
	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	snprintf(path, size, "cprof-%s-%s-%s", place->kind, name, stamp);
}

static int print_table(const struct output *out, const struct profile *p, struct error *err)
{
	const struct format_options opt = {.sample_type = out->o->sample_type,
					   .top = out->o->top,
					   .width = out->term->width,
					   .color = out->term->out_color,
					   .full_names = out->o->full_names};

	return format_write_fd(p, text_format(out), &opt, STDOUT_FILENO, err);
}

/*
 * A signal may only wait for a file that is created next to its place. Opening a FIFO and writing
 * to it wait for its reader, perhaps forever, and leave nothing behind.
 */
static int write_main(const struct output *out, const struct profile *p,
		      const struct format_options *opt, const char *path, struct error *err)
{
	struct destination to;
	int code = destination_open(&to, path, err);

	if (!code && to.kind != DESTINATION_FILE) {
		interrupt_quit_at_next();
		code = format_write_to(p, out->format, opt, &to, err);
	} else if (!code) {
		interrupt_hold();
		code = format_write_to(p, out->format, opt, &to, err);
		interrupt_release();
	}
	destination_release(&to);
	return code;
}

static bool is_view(const struct format *f)
{
	return f == &format_text || f == &format_folded;
}

static void hide(const struct output *out, const struct output_place *place, struct profile *p)
{
	size_t before = p->samples.len;
	const struct kind_hidden *h = place->hidden;

	if (!h)
		return;
	wait_drop(p, h->key, h->text);
	if (p->samples.len < before)
		terminal_note(out->term, "cprof: not shown: %zu stacks of %s %s (%s shows them)",
			      before - p->samples.len, h->key, h->text, h->option);
}

int output_write(struct output *out, struct profile *p, const struct output_place *place,
		 struct error *err)
{
	struct format_options opt = {.sample_type = out->o->sample_type,
				     .top = out->o->top,
				     .full_names = out->o->full_names};
	char name[NAME_MAX], made_up[PATH_MAX];
	const char *path = out->path;
	int code, written;

	make_up_name(place, name, sizeof(name));
	if (!path) {
		snprintf(made_up, sizeof(made_up), "%s%s", name, out->format->suffix);
		path = made_up;
	}
	if (is_stdout(out) && out->term->out_tty) {
		opt.width = out->term->width;
		opt.color = out->term->out_color;
	}
	/* Stacks of several processes begin with the name of their process, as users of flame
	 * graphs expect. */
	if (out->format == &format_folded &&
	    (place->target->scope != TARGET_PROCESSES || place->target->processes.len > 1))
		opt.root_label = "comm";
	if (is_view(out->format))
		hide(out, place, p);
	code = written = write_main(out, p, &opt, path, err);
	if (code)
		rescue_profile(p, name, err);
	if (!written && out->table && !is_view(out->format))
		hide(out, place, p);
	if (!written && out->table && p->samples.len)
		code = print_table(out, p, err);
	if (!written && !is_stdout(out))
		terminal_note(out->term, "cprof: wrote %s", path);
	if (!written && out->o->open)
		browser_open(out->term, path);
	return code;
}
