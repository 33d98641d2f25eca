/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of every verb. They feed the parser, -h, the completions (through --list-options) and
 * the test that compares the man pages with them.
 */
#ifndef CPROF_CMD_OPTIONS_H
#define CPROF_CMD_OPTIONS_H

#include "base/option.h"
#include "collect/kind.h"
#include "format/report.h"
#include "record/recording.h"

enum verb { /* bits, for option_row.verbs */
	    /* Verbs that read profiles; the bits of recording verbs are below. */
	    VERB_REPORT = 1 << 16,
	    VERB_DIFF = 1 << 17,
	    VERB_CONVERT = 1 << 18,
	    VERB_MERGE = 1 << 19,
	    VERB_READING = VERB_REPORT | VERB_DIFF | VERB_CONVERT | VERB_MERGE,
	    VERB_RECORDING = 1 << 20,
	    VERB_WITH_FALLBACK = 1 << 21, /* verbs whose kind can be recorded without privileges */
	    VERB_LASTING = 1 << 22, /* verbs that record for some time */
};

#define VERB_WITH(faculty) ((u32)(faculty) << 24) /* verbs whose kind has it: enum kind_faculty */

struct verb_spec; /* verbs.h */

enum option_target {
	OPTION_TARGET_NONE,
	OPTION_TARGET_PIDS, /* target_text: "4711,4712" */
	OPTION_TARGET_NAME, /* target_text: "redis-server" */
	OPTION_TARGET_ALL,
	OPTION_TARGET_CGROUP, /* target_text: a path */
	OPTION_TARGET_COMMAND, /* command */
};

enum option_label { /* bits */
		    OPTION_LABEL_THREAD = 1 << 0,
		    OPTION_LABEL_PID = 1 << 1,
		    OPTION_LABEL_CPU = 1 << 2,
};

enum option_color {
	OPTION_COLOR_AUTO,
	OPTION_COLOR_ALWAYS,
	OPTION_COLOR_NEVER,
};

#define OPTIONS_MAX_LABELS 16 /* of --label KEY=VALUE */

/* The command line, checked and with the defaults filled in. Strings are argv's. */
struct options {
	enum option_target target;
	const char *target_text;
	char **command; /* NULL-terminated; NULL unless OPTION_TARGET_COMMAND */
	bool all_matches; /* --all: every process that -n finds */
	bool children; /* false with --no-children */

	u64 duration_ns; /* 0 means until Ctrl-C or the end of the target */
	bool duration_given;
	u32 frequency; /* Hz, 1 or more; the kernel's limit is not checked here */
	const struct profile_kind *kind; /* NULL if the verb does not record */
	union kind_options own; /* the kind's own */
	u64 max_memory; /* bytes that cprof may use */
	bool user_only, kernel_only; /* at most one is set; both options together mean neither */
	enum recording_mode mode;

	const char *output; /* NULL if not given; "-" for stdout */
	const struct format *format; /* NULL if not given */
	u32 labels; /* enum option_label */
	bool inlines; /* false with --no-inlines */
	const char *debuginfod; /* servers of debug files; NULL for those of the environment */
	bool download; /* false with --no-debuginfod */
	u32 top; /* rows of the text table; 0 for all */
	bool top_given;
	const char *sample_type; /* NULL for the default one */
	bool full_names;
	bool open; /* show the written page in a browser; the format is then html */

	/* For the verbs that read profiles. */
	char **files;
	size_t nfiles;
	enum report_kind report;
	const char *report_function; /* a regular expression */
	enum view_group group;
	const char *group_label; /* a label's key, for VIEW_LABEL */
	const char *tag_root, *tag_leaf; /* lists of keys, or NULL */
	struct filter_options filter; /* its labels are label_filters */
	const char *label_filters[OPTIONS_MAX_LABELS];
	bool by_cum;
	enum compare_scale scale; /* diff: how the base is scaled */

	u32 verbosity; /* number of -v options */
	bool quiet;
	enum option_color color;
	bool help; /* -h was given, and nothing else has been checked */
};

/*
 * Returns the options that a verb takes, one after the other; `row` is the previous one (NULL for
 * the first), and NULL comes at the end.
 */
const struct option_row *option_next(const struct verb_spec *verb, const struct option_row *row);

/* Parses argv[1...] (argv[0] is the verb). Returns 0, or -EINVAL with a text for the user. */
int options_parse(struct options *o, const struct verb_spec *verb, int argc, char **argv,
		  struct error *err) MUST_CHECK;

/* Sets what -p, -n, -a, --cgroup and -- select; a second target is refused. */
int options_set_target(struct options *o, enum option_target kind, const char *text,
		       struct error *err) MUST_CHECK;

#endif
