/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats that a profile can be written in, as one table with one file per format. A writer
 * gets a finished profile and a sink, and does not know whether the bytes go to a file, a pipe or a
 * test's memory.
 */
#ifndef CPROF_FORMAT_FORMAT_H
#define CPROF_FORMAT_FORMAT_H

#include "base/error.h"
#include "profile/profile.h"
#include "view/compare.h"

struct sink {
	int (*write)(void *arg, const void *data,
		     size_t len); /* must take all of it; returns 0 or a negative errno */
	void *arg;
};

struct format_options {
	/*
	 * This is for formats with one value per stack. NULL selects the profile's default, except
	 * that folded stacks of a CPU profile (nanoseconds = samples * period) count samples. For
	 * html it is the type that is shown first.
	 */
	const char *sample_type;
	u32 top; /* text: rows in the table; 0 for all */
	u32 width; /* text: columns of the terminal; 0 for no limit */
	bool color; /* text: ANSI colours */
	bool full_names; /* text: do not shorten long names */
	bool annotate; /* folded: _[k], _[i], _[j] suffixes */
	/* folded: a label whose value becomes the root frame ("comm"); NULL for none */
	const char *root_label;
	/*
	 * html: the profile that this one is compared with (borrowed), or NULL. Sample types are
	 * matched by type and unit, and functions by name and module. What the base lacks counts as
	 * 0 there.
	 */
	const struct profile *base;
	/* html with a base: how it is scaled initially (the page has a choice) */
	enum compare_scale scale;
};

struct format {
	const char *name; /* "pprof" */
	const char *suffix; /* ".pb.gz" */
	const char *suffix2; /* a second suffix for the same format, or NULL */
	const char *summary; /* for help: "pprof protobuf, gzipped: go tool pprof, speedscope" */
	bool threads; /* it shows what threads do, so it is for profiles of cprof threads only */
	int (*write)(const struct profile *p, const struct format_options *opt,
		     const struct sink *to, struct error *err);
};

extern const struct format format_pprof, format_folded, format_text, format_html;
extern const struct format format_svg, format_speedscope, format_firefox, format_chrome;
extern const struct format format_dump, format_jstack, format_counts;

/* All formats, with NULL at the end. */
extern const struct format *const format_table[];
const struct format *format_by_name(const char *name); /* NULL if there is none */
/* by the longest suffix that matches; NULL if there is none */
const struct format *format_by_path(const char *path);

struct destination;

/*
 * Writes to the destination `to`; errors read "cannot write ...". A new file is written under a
 * temporary name or none and then renamed, so that nothing is left on failure. If the reader has
 * gone away, it returns -EPIPE with an empty text, because nobody is left to read it.
 */
int format_write_to(const struct profile *p, const struct format *f,
		    const struct format_options *opt, const struct destination *to,
		    struct error *err) MUST_CHECK;
/* Does the same for a path that is resolved by this call (destination.h). */
int format_write_file(const struct profile *p, const struct format *f,
		      const struct format_options *opt, const char *path,
		      struct error *err) MUST_CHECK;
int format_write_fd(const struct profile *p, const struct format *f,
		    const struct format_options *opt, int fd, struct error *err) MUST_CHECK;

#endif
