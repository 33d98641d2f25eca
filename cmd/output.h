/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides where a profile goes and in which format:
 *   -o FILE       that file, in the format of -f or of its name, else pprof
 *   -o - or -f    standard output (pprof and html only if it is not a terminal)
 *   --open        a page, in the file of -o or one with a generated name, and a browser that shows
 *   it
 *   a pipe        folded stacks
 *   a terminal    a table of the top functions, and the pprof file in addition
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
	const char *path; /* NULL to generate a name; "-" for stdout */
	bool table; /* also a table on the terminal */
};

struct output_place { /* the parts of a generated file name */
	const char *kind;
	const struct target *target;
	bool is_command;
	/* kept out of text and folded stacks; NULL if nothing is */
	const struct kind_hidden *hidden;
};

/* Decides, and finds out now what would fail after the recording, such as a directory or a place
 * that is not writable. */
int output_init(struct output *out, const struct options *o, struct terminal *term,
		struct error *err) MUST_CHECK;

/* Returns the standard output of a command that is started, if the profile goes to ours; else
 * -1. */
int output_command_stdout(const struct output *out);

/* Removes what is hidden from the profile, after it was written to where everything belongs. */
int output_write(struct output *out, struct profile *p, const struct output_place *place,
		 struct error *err) MUST_CHECK;

#endif
