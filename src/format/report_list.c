/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows source lines with their cost, as go tool pprof -list does; a function's sums are those of
 * its lines. A source file is looked up at the profile's path. If that is relative or missing, ever
 * shorter tails of the path are tried from the working directory.
 */
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/regular_file.h"
#include "base/utf8.h"
#include "format/report_print.h"
#include "view/expression.h"

#define MARGIN 5 /* lines before the first and after the last one */
#define MAX_LINES 2000 /* of one function, because start lines come from the file */
#define LINE_BYTES 4096
#define COPY_MAX (64u << 20)
#define NUMBER_COLUMNS 29u

struct routine { /* holds the nodes of one function in one file, by line */
	const struct report *r;
	const u32 *nodes;
	size_t n;
	s64 flat, cum, start, end;
};

/* What a reader copies is copied as a whole. */
static FILE *copy_text(struct input_file *in)
{
	size_t len = in->size < COPY_MAX ? (size_t)in->size : COPY_MAX;
	FILE *f = tmpfile();
	u8 *text = f ? malloc(len) : NULL;
	ssize_t got = text ? input_file_read(in, text, len, 0) : -ENOMEM;

	if (got > 0 && fwrite(text, 1, (size_t)got, f) == (size_t)got) {
		rewind(f);
	} else if (f) {
		fclose(f);
		f = NULL;
	}
	free(text);
	errno = got < 0 ? (int)-got : ENOENT;
	return f;
}

static FILE *open_text(struct readers *readers, const char *path)
{
	struct input_file in;
	int err = regular_file_input(readers, path, &in);
	FILE *f = NULL;

	/* The path comes from the profile. Files of the kernel have no size, and reading them may
	 * have effects. */
	if (!err && !in.size)
		err = -ENOENT;
	if (!err && in.served)
		f = copy_text(&in);
	else if (!err)
		f = fdopen(in.fd, "r");
	if (err)
		errno = err == -EINVAL ? ENOENT : -err;
	if (!f || in.served)
		input_file_close(&in);
	return f;
}

static FILE *open_source(struct readers *readers, const char *path)
{
	FILE *f = *path ? open_text(readers, path) : NULL;

	while (!f && (path = strchr(path, '/'))) {
		while (*path == '/')
			path++;
		if (*path)
			f = open_text(readers, path);
	}
	return f;
}

static s64 line_of(const struct routine *x, size_t i)
{
	return x->r->v->nodes.data[x->nodes[i]].line;
}

/* Finds the first node at or after that line by binary search, because a hostile file may have any
 * number of lines. */
static size_t first_at(const struct routine *x, s64 line)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (line_of(x, middle) < line)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void line_sums(const struct routine *x, s64 line, s64 *flat, s64 *cum)
{
	*flat = *cum = 0;
	for (size_t i = first_at(x, line); i < x->n && line_of(x, i) == line; i++) {
		const struct view_node *n = &x->r->v->nodes.data[x->nodes[i]];

		*flat = view_add(*flat, n->flat);
		*cum = view_add(*cum, n->cum);
	}
}

/* Prints the first `left` columns of a piece without tabs, and returns how many there were. */
static u32 emit_piece(const struct report *r, const char *text, size_t len, u32 left)
{
	char raw[LINE_BYTES], shown[4 * LINE_BYTES];
	u32 columns = 0;
	size_t end = 0;

	snprintf(raw, sizeof(raw), "%.*s", (int)len, text);
	escape_text(raw, shown, sizeof(shown));
	for (; shown[end] && columns < left; columns++)
		end += utf8_char(shown + end);
	out_printf(r->out, "%.*s", (int)end, shown);
	return columns;
}

/* The terminal has tab stops at eight columns, and the text is cut at the end of the line. */
static void emit_text(const struct report *r, const char *text)
{
	u32 left = r->o->width > NUMBER_COLUMNS && !r->o->full_names ? r->o->width - NUMBER_COLUMNS
								     : UINT32_MAX;
	u32 column = 0;

	while (*text && *text != '\n' && *text != '\r' && column < left) {
		size_t len = strcspn(text, "\t\r\n");
		u32 gap = 8 - column % 8;

		if (len) {
			column += emit_piece(r, text, len, left - column);
		} else if (r->o->width) {
			out_printf(r->out, "%*s", (int)(gap < left - column ? gap : left - column),
				   "");
			column += gap;
		} else {
			out_literal(r->out, "\t");
		}
		text += len ? len : 1;
	}
}

static void emit_line(const struct routine *x, s64 line, const char *text)
{
	char flat_text[REPORT_NUMBER], cum_text[REPORT_NUMBER];
	const struct report *r = x->r;
	enum out_color color;
	s64 flat, cum;

	line_sums(x, line, &flat, &cum);
	report_number(r, flat, true, flat_text);
	report_number(r, cum, true, cum_text);
	color = flat ? OUT_RED : cum ? OUT_NO_COLOR : OUT_DIM;
	report_paint(r, color);
	out_printf(r->out, "%10s %10s %6" PRId64 ":", flat_text, cum_text, line);
	emit_text(r, text);
	report_paint(r, color ? OUT_PLAIN : OUT_NO_COLOR);
	out_literal(r->out, "\n");
}

static void emit_source(const struct routine *x, FILE *f)
{
	char text[LINE_BYTES];
	s64 line = 1;
	bool begins = true;

	while (line <= x->end && fgets(text, sizeof(text), f)) {
		if (begins && line >= x->start)
			emit_line(x, line, text);
		begins = strchr(text, '\n') != NULL;
		line += begins;
	}
}

/* Without the source, it prints the lines that have values. */
static void emit_lines_alone(const struct routine *x)
{
	for (size_t i = 0; i < x->n; i++) {
		if (!i || line_of(x, i) != line_of(x, i - 1))
			emit_line(x, line_of(x, i), " ?");
	}
}

static void routine_measure(struct routine *x)
{
	x->start = INT64_MAX;
	for (size_t i = 0; i < x->n; i++) {
		const struct view_node *n = &x->r->v->nodes.data[x->nodes[i]];
		s64 start = n->start_line ? n->start_line : n->line - MARGIN;

		x->flat = view_add(x->flat, n->flat);
		x->cum = view_add(x->cum, n->cum);
		if (start < x->start)
			x->start = start;
		if (n->line < INT64_MAX - MARGIN && n->line + MARGIN > x->end)
			x->end = n->line + MARGIN;
	}
	if (x->start < 1)
		x->start = 1;
	if (x->end > MAX_LINES && x->start < x->end - MAX_LINES)
		x->start = x->end - MAX_LINES;
}

static void emit_routine(const struct report *r, const u32 *nodes, size_t n)
{
	struct routine x = {.r = r, .nodes = nodes, .n = n};
	const struct view_node *any = &r->v->nodes.data[nodes[0]];
	const char *path = profile_text(r->v->p, any->file);
	char flat[REPORT_NUMBER], cum[REPORT_NUMBER], share[32];
	FILE *f;

	routine_measure(&x);
	if (!*path) {
		out_literal(r->out, "No source information for ");
		report_name(r, profile_text(r->v->p, any->function), 26);
		out_literal(r->out, "\n");
		return;
	}
	report_number(r, x.flat, false, flat);
	report_number(r, x.cum, false, cum);
	unit_percent(x.cum, r->v->total, share, sizeof(share));
	report_paint(r, OUT_BOLD);
	out_literal(r->out, "ROUTINE ======================== ");
	report_name(r, profile_text(r->v->p, any->function), 33);
	out_printf(r->out, " in %.1000s", path);
	report_paint(r, OUT_PLAIN);
	out_literal(r->out, "\n");
	out_printf(r->out, "%10s %10s (flat, cum) %s of Total\n", flat, cum, share);
	f = open_source(r->o->readers, path);
	if (!f) {
		out_printf(r->out, " The source is not here: %s\n", error_reason(errno));
		emit_lines_alone(&x);
		return;
	}
	emit_source(&x, f);
	fclose(f);
}

/* The order is by function and file, so that related nodes are neighbours. */
static int routine_compare(const void *left, const void *right, void *arg)
{
	const struct report *r = arg;
	const struct view_node *a = &r->v->nodes.data[*(const u32 *)left];
	const struct view_node *b = &r->v->nodes.data[*(const u32 *)right];
	int order = strcmp(profile_text(r->v->p, a->function), profile_text(r->v->p, b->function));

	if (!order)
		order = strcmp(profile_text(r->v->p, a->file), profile_text(r->v->p, b->file));
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static bool same_routine(const struct report *r, u32 a, u32 b)
{
	const struct view_node *x = &r->v->nodes.data[a], *y = &r->v->nodes.data[b];

	return x->function == y->function && x->file == y->file;
}

static size_t keep_matching(struct report *r, const regex_t *only)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		string_id f = r->v->nodes.data[r->order[i]].function;

		if (f && !regexec(only, profile_text(r->v->p, f), 0, NULL, 0))
			r->order[kept++] = r->order[i];
	}
	return kept;
}

int report_list(struct report *r)
{
	size_t kept, end;
	regex_t only;

	if (expression_compile(&only, r->o->function))
		return error_set(r->err, -EINVAL,
				 "\"%.200s\" is not a regular expression, or too large",
				 r->o->function);
	kept = keep_matching(r, &only);
	regfree(&only);
	if (!kept)
		return error_set(r->err, -ENOENT, "no function matches \"%.200s\"", r->o->function);
	qsort_r(r->order, kept, sizeof(*r->order), routine_compare, r);
	report_head(r);
	for (size_t i = 0; i < kept; i = end) {
		for (end = i + 1; end < kept && same_routine(r, r->order[i], r->order[end]);)
			end++;
		emit_routine(r, r->order + i, end - i);
	}
	return 0;
}
