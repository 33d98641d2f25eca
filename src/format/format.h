/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats that a profile can be written in: one table, one file per format. A writer sees a finished
 * profile and a sink; it does not know whether bytes go to a file, a pipe or a test's memory.
 */
#ifndef CPROF_FORMAT_FORMAT_H
#define CPROF_FORMAT_FORMAT_H

#include "base/error.h"
#include "profile/profile.h"

struct sink {
	int (*write)(void *arg, const void *data,
		     size_t len); /* 0 or a negative errno; takes all of it */
	void *arg;
};

struct format_options {
	/*
	 * For formats with one value per stack. NULL: the profile's default; but folded stacks of a CPU
	 * profile (nanoseconds = samples * period) count samples. html: the one that is shown first.
	 */
	const char *sample_type;
	u32 top; /* text: rows in the table; 0: all */
	u32 width; /* text: columns of the terminal; 0: unlimited */
	bool color; /* text: ANSI colours */
	bool full_names; /* text: do not shorten long names */
	bool annotate; /* folded: _[k], _[i], _[j] suffixes */
	const char *
		root_label; /* folded: a label whose value becomes the root frame ("comm"); NULL: none */
	/*
	 * html: the profile that this one is compared with (borrowed), NULL: none. Sample types are matched by
	 * type and unit, functions by name and module; what the base lacks counts as 0 there.
	 */
	const struct profile *base;
	bool normalize; /* html with a base: scale it to equal totals at first (the page has a switch) */
};

struct format {
	const char *name; /* "pprof" */
	const char *suffix; /* ".pb.gz" */
	const char *suffix2; /* another one that means the same, or NULL */
	const char *summary; /* for help: "pprof protobuf, gzipped: go tool pprof, speedscope" */
	int (*write)(const struct profile *p, const struct format_options *opt,
		     const struct sink *to, struct error *err);
};

extern const struct format format_pprof, format_folded, format_text, format_html;
extern const struct format format_svg, format_speedscope, format_firefox, format_chrome;

/* All formats, NULL at the end. */
extern const struct format *const format_table[];
const struct format *format_by_name(const char *name); /* NULL if there is none */
const struct format *format_by_path(const char *path); /* by the longest suffix that fits; NULL */

struct destination;

/*
 * "cannot write ...": writes where `to` leads. A new file is written under a temporary name or none and then
 * renamed, so that nothing is left on failure. A reader that went away gives -EPIPE with an empty text,
 * because nobody is left to be told.
 */
int format_write_to(const struct profile *p, const struct format *f,
		    const struct format_options *opt, const struct destination *to,
		    struct error *err) MUST_CHECK;
/* The same for a path that is resolved just now (destination.h). */
int format_write_file(const struct profile *p, const struct format *f,
		      const struct format_options *opt, const char *path,
		      struct error *err) MUST_CHECK;
int format_write_fd(const struct profile *p, const struct format *f,
		    const struct format_options *opt, int fd, struct error *err) MUST_CHECK;

#endif
