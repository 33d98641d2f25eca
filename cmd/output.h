/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a profile goes and in which form:
 *   -o FILE       that file, in the form of -f or of its name, else pprof
 *   -o - or -f    standard output (pprof and html only when that is no terminal)
 *   --open        a page, in the file of -o or one whose name is made up, and a browser that shows it
 *   a pipe        folded stacks
 *   a terminal    a table of the top functions, and the pprof file saved beside
 */
#ifndef CPROF_CMD_OUTPUT_H
#define CPROF_CMD_OUTPUT_H

#include "format/format.h"
#include "options.h"
#include "target/select.h"
#include "terminal.h"

struct output {
	const struct options *o;
	struct terminal *term;
	const struct format *format; /* of the main result */
	const char *path; /* NULL: a name is made up; "-": stdout */
	bool table; /* also a table on the terminal */
};

struct output_place { /* what a made-up file name is made of */
	const char *kind;
	const struct target *target;
	bool is_command;
	const struct kind_hidden *hidden; /* kept out of text and folded stacks; NULL: nothing is */
};

/* Decides, and finds out now what would fail after the recording: a directory, an unwritable place. */
int output_init(struct output *out, const struct options *o, struct terminal *term,
		struct error *err) MUST_CHECK;

/* What a command that is started gets for its standard output, where the profile goes to ours; else -1. */
int output_command_stdout(const struct output *out);

/* Takes what is hidden out of the profile, once it is written where all belongs. */
int output_write(struct output *out, struct profile *p, const struct output_place *place,
		 struct error *err) MUST_CHECK;

#endif
