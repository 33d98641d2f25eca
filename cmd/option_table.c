/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options, and the code of those whose type does not suffice: see options.h. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collect/session/memory_bound.h"
#include "target/select.h"
#include "verbs.h"

#define usage(err, ...) error_set(err, -EINVAL, __VA_ARGS__)

static const char *target_name(enum option_target kind)
{
	switch (kind) {
	case OPTION_TARGET_PIDS:
		return "-p";
	case OPTION_TARGET_NAME:
		return "-n";
	case OPTION_TARGET_ALL:
		return "-a";
	case OPTION_TARGET_CGROUP:
		return "--cgroup";
	default:
		return "-- COMMAND";
	}
}

int options_set_target(struct options *o, enum option_target kind, const char *text,
		       struct error *err)
{
	if (o->target == kind && kind == OPTION_TARGET_PIDS)
		return usage(err, "-p is given twice: several PIDs go in one list, -p %.64s,%.64s",
			     o->target_text, text);
	if (o->target == kind)
		return usage(err, "%s is given twice", target_name(kind));
	if (o->target)
		return usage(err, "two targets, %s and %s: give one", target_name(o->target),
			     target_name(kind));
	if (text && !*text)
		return usage(err, "%s needs a value", target_name(kind));
	o->target = kind;
	o->target_text = text;
	return 0;
}

static int set_pids(void *options, const char *value, struct error *err)
{
	struct options *o = options;
	int result = options_set_target(o, OPTION_TARGET_PIDS, value, err);

	return result ? result : target_check_pids(value, err);
}

static int set_name(void *options, const char *value, struct error *err)
{
	return options_set_target(options, OPTION_TARGET_NAME, value, err);
}

static int set_system(void *options, const char *value, struct error *err)
{
	return options_set_target(options, OPTION_TARGET_ALL, NULL, err);
}

static int set_cgroup(void *options, const char *value, struct error *err)
{
	return options_set_target(options, OPTION_TARGET_CGROUP, value, err);
}

static int set_duration(void *options, const char *value, struct error *err)
{
	struct options *o = options;

	if (!duration_parse(value, &o->duration_ns))
		return usage(err, "\"%.*s\" is not a duration (5s, 500ms, 2m, 0 = until Ctrl-C)",
			     OPTION_SHOWN, value);
	o->duration_given = true;
	return 0;
}

static void format_names(char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (const struct format *const *f = format_table; *f && used < size; f++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
					 (*f)->name);
}

static int set_format(void *options, const char *value, struct error *err)
{
	struct options *o = options;
	char names[256];

	o->format = format_by_name(value);
	if (o->format)
		return 0;
	format_names(names, sizeof(names));
	return usage(err, "unknown format \"%.*s\": one of %s", OPTION_SHOWN, value, names);
}

static int set_label(void *options, const char *value, struct error *err)
{
	struct options *o = options;
	static const char *const names[] = {"thread", "pid", "cpu"}; /* in the order of the bits */

	for (;;) {
		size_t len = strcspn(value, ","), i = 0;

		while (i < ARRAY_LEN(names) &&
		       (strlen(names[i]) != len || strncmp(value, names[i], len) != 0))
			i++;
		if (i == ARRAY_LEN(names))
			return usage(err, "unknown label \"%.*s\": one of thread, pid, cpu",
				     (int)(len > OPTION_SHOWN ? OPTION_SHOWN : len), value);
		o->labels |= 1u << i;
		if (!value[len])
			return 0;
		value += len + 1;
	}
}

static int set_top(void *options, const char *value, struct error *err)
{
	static const struct option_row number = {.type = OPTION_NUMBER,
						 .offset = offsetof(struct options, top),
						 .max = INT32_MAX,
						 .expects = "a number of rows"};
	struct options *o = options;

	o->top_given = true;
	return option_set(&number, o, value, err);
}

/* ---- for verbs that read profiles */

static int set_report(struct options *o, enum report_kind kind, const char *function,
		      struct error *err)
{
	if (o->report)
		return usage(err,
			     "--tree, --peek, --callers, --callees, --list, --traces and --tags "
			     "are different reports: give one");
	if (function && !*function)
		return usage(err, "the name of a function is missing");
	o->report = kind;
	o->report_function = function;
	return 0;
}

static int set_tree(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_TREE, NULL, err);
}

static int set_peek(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_PEEK, value, err);
}

static int set_callers(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_CALLERS, value, err);
}

static int set_callees(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_CALLEES, value, err);
}

static int set_list(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_LIST, value, err);
}

static int set_traces(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_TRACES, NULL, err);
}

static int set_tags(void *options, const char *value, struct error *err)
{
	return set_report(options, REPORT_TAGS, NULL, err);
}

/* In the order of enum view_group. */
static const char *const groups[] = {"function", "file",      "line", "module",   "thread",
				     "process",  "container", "unit", "label:KEY"};

static const char *group_at(u32 index, const char **summary)
{
	*summary = "";
	return index < ARRAY_LEN(groups) ? groups[index] : NULL;
}

static int set_group(void *options, const char *value, struct error *err)
{
	struct options *o = options;

	if (!strncmp(value, "label:", 6) && value[6]) {
		o->group = VIEW_LABEL;
		o->group_label = value + 6;
		return 0;
	}
	for (size_t i = 0; i + 1 < ARRAY_LEN(groups); i++) {
		if (strcmp(value, groups[i]) != 0)
			continue;
		o->group = (enum view_group)((u32)VIEW_FUNCTION + i);
		return 0;
	}
	return usage(
		err,
		"unknown group \"%.*s\": one of function, file, line, module, thread, process, "
		"container, unit, label:KEY",
		OPTION_SHOWN, value);
}

static int set_scale(struct options *o, enum compare_scale scale, struct error *err)
{
	if (o->scale != COMPARE_PER_SECOND && o->scale != scale)
		return usage(err, "--raw and --normalize exclude each other: give one");
	o->scale = scale;
	return 0;
}

static int set_raw(void *options, const char *value, struct error *err)
{
	return set_scale(options, COMPARE_RAW, err);
}

static int set_normalize(void *options, const char *value, struct error *err)
{
	return set_scale(options, COMPARE_TOTALS, err);
}

static int set_label_filter(void *options, const char *value, struct error *err)
{
	struct options *o = options;

	if (!*value || strchr("=~", *value))
		return usage(err, "--label needs KEY=PATTERN or KEY~RE");
	if (o->filter.nlabels == OPTIONS_MAX_LABELS)
		return usage(err, "more than %d labels", OPTIONS_MAX_LABELS);
	o->label_filters[o->filter.nlabels++] = value;
	o->filter.labels = o->label_filters;
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define IN(group_) VERB_RECORDING, OPTION_GROUP_##group_
#define OF_KINDS(faculty_, group_) VERB_WITH(KIND_##faculty_), OPTION_GROUP_##group_
#define OF(verbs_, group_) (verbs_), OPTION_GROUP_##group_
#define ALSO(verbs_, group_) (verbs_) | IN(group_)
#define VIEWING (VERB_REPORT | VERB_DIFF)
#define WRITING (VERB_CONVERT | VERB_MERGE)
#define FILTERING (VIEWING | VERB_CONVERT)

#define ON(member_) ROW_MEMBER(ON, struct options, member_)
#define OFF(member_) ROW_MEMBER(OFF, struct options, member_)
#define COUNT(member_) ROW_MEMBER(COUNT, struct options, member_)
#define ANY_TEXT(member_) ROW_MEMBER(TEXT, struct options, member_)
#define TEXT(member_, needs_) ROW_TEXT(struct options, member_, needs_)
#define NUMBER(member_, min_, max_, what_) ROW_NUMBER(struct options, member_, min_, max_, what_)
#define BYTES(member_, min_, max_, what_) ROW_BYTES(struct options, member_, min_, max_, what_)
#define CHOICE(member_, first_, what_) ROW_CHOICE(struct options, member_, first_, what_)
#define BY(set_) .set = (set_)

/* clang-format off */
static const struct option_row option_table[] = {
	{'p', "pid", "PID[,PID...]", "these processes, all threads, and their children",
	 IN(TARGET), BY(set_pids)},
	{'n', "name", "NAME", "the process whose name or program is NAME", IN(TARGET), BY(set_name)},
	{0, "all", NULL, "with -n: every process of that name", IN(TARGET), ON(all_matches)},
	{'a', "system", NULL, "the whole machine", OF_KINDS(MACHINE, TARGET), BY(set_system)},
	{0, "cgroup", "PATH", "a control group and those below it", OF_KINDS(MACHINE, TARGET), BY(set_cgroup)},
	{0, "no-children", NULL, "leave child processes out", IN(TARGET), OFF(children)},

	{'d', "duration", "DURATION",
	 "5s, 500ms, 2m, 1h; 0: until Ctrl-C (default 10s; COMMAND: its end)",
	 OF(VERB_LASTING, SAMPLING), BY(set_duration)},
	{'F', "frequency", "HZ", "samples a second on each CPU (default 99)",
	 OF_KINDS(RATE, SAMPLING), NUMBER(frequency, 1, INT32_MAX, "a frequency (samples a second, such as 99)")},
	{0, "max-memory", "BYTES", "use no more than this (default 512M); rare stacks are merged",
	 IN(SAMPLING), BYTES(max_memory, MEMORY_BOUND_MIN, INT64_MAX, "a number of bytes from 32M on (512M, 2G)")},
	{0, "user", NULL, "user frames only", OF_KINDS(KERNEL, SAMPLING), ON(user_only)},
	{0, "kernel", NULL, "kernel frames only", OF_KINDS(KERNEL, SAMPLING), ON(kernel_only)},
	{0, "mode", "bpf|perf", "how to record (default: bpf where allowed, else perf)",
	 OF(VERB_WITH_FALLBACK, SAMPLING), CHOICE(mode, RECORDING_MODE_BPF, "mode")},

	{0, "cum", NULL, "sort by the value of functions including what they called", OF(VIEWING, VIEW),
	 ON(by_cum)},
	{0, "tree", NULL, "each function with its callers and callees", OF(VERB_REPORT, VIEW),
	 BY(set_tree)},
	{0, "peek", "FUNC", "callers and callees of the functions that match the regex FUNC",
	 OF(VERB_REPORT, VIEW), BY(set_peek)},
	{0, "callers", "FUNC", "callers of the functions that match", OF(VERB_REPORT, VIEW),
	 BY(set_callers)},
	{0, "callees", "FUNC", "functions that they called", OF(VERB_REPORT, VIEW), BY(set_callees)},
	{0, "list", "FUNC", "their source lines", OF(VERB_REPORT, VIEW), BY(set_list)},
	{0, "traces", NULL, "every stack", OF(VERB_REPORT, VIEW), BY(set_traces)},
	{0, "tags", NULL, "the values of each label", OF(VERB_REPORT, VIEW), BY(set_tags)},
	{0, "tagroot", "KEY[,KEY...]", "put the values of these labels at the roots of stacks",
	 OF(FILTERING, VIEW), TEXT(tag_root, "--tagroot needs the key of a label")},
	{0, "tagleaf", "KEY[,KEY...]", "put the values of these labels at the leaves of stacks",
	 OF(FILTERING, VIEW), TEXT(tag_leaf, "--tagleaf needs the key of a label")},
	{'g', "group", "GROUP", "what a row is (default function; see below)", OF(VERB_REPORT, VIEW),
	 BY(set_group), .value_at = group_at, .values_title = "Groups"},
	{0, "raw", NULL, "compare values as they are (default: per second of recording)",
	 OF(VERB_DIFF, VIEW), BY(set_raw)},
	{0, "normalize", NULL, "scale the base to the total of the new profile",
	 OF(VERB_DIFF, VIEW), BY(set_normalize)},

	{0, "focus", "RE", "only stacks with a frame that matches", OF(FILTERING, FILTER), ANY_TEXT(filter.focus)},
	{0, "ignore", "RE", "no stacks with a frame that matches", OF(FILTERING, FILTER), ANY_TEXT(filter.ignore)},
	{0, "hide", "RE", "leave such frames out of their stacks", OF(FILTERING, FILTER), ANY_TEXT(filter.hide)},
	{0, "show-from", "RE", "let stacks begin at the outermost such frame",
	 OF(FILTERING, FILTER), ANY_TEXT(filter.show_from)},
	{0, "label", "KEY=PATTERN", "only samples with such a label (repeatable); KEY~RE",
	 OF(FILTERING, FILTER), BY(set_label_filter)},

	{'o', "output", "FILE", "where to write; the name selects the format, - is the standard output",
	 ALSO(WRITING | VERB_DIFF, OUTPUT), TEXT(output, "-o needs the name of a file, or - for the standard output")},
	{'f', "format", "FORMAT", "the format, whatever the name says (see below)",
	 ALSO(WRITING | VERB_DIFF, OUTPUT), BY(set_format)},
	{0, "open", NULL, "write html and show it in a browser",
	 ALSO(WRITING | VERB_DIFF, OUTPUT), ON(open)},
	{0, "label", "thread|pid|cpu", "separate the samples of each (repeatable)",
	 IN(OUTPUT), BY(set_label)},
	{0, "no-inlines", NULL, "do not show inlined functions (faster)",
	 IN(OUTPUT), OFF(inlines)},
	{0, "debuginfod", "URL", "download debug files of what is hot (default $DEBUGINFOD_URLS)",
	 IN(OUTPUT), TEXT(debuginfod, "--debuginfod needs the URL of a server")},
	{0, "no-debuginfod", NULL, "download nothing",
	 IN(OUTPUT), OFF(download)},
	{0, "top", "N", "rows of the table (default 20, 0: all)",
	 ALSO(VIEWING | VERB_CONVERT, OUTPUT), BY(set_top)},
	{0, "sample-type", "TYPE", "which value to show, where there are several",
	 ALSO(VIEWING | VERB_CONVERT, OUTPUT), ANY_TEXT(sample_type)},
	{0, "full-names", NULL, "do not shorten long function names",
	 ALSO(VIEWING | VERB_CONVERT, OUTPUT), ON(full_names)},

	{'v', "verbose", NULL, "print more (repeatable)", ALSO(VERB_READING, OTHER), COUNT(verbosity)},
	{'q', "quiet", NULL, "print errors only", ALSO(VERB_READING, OTHER), ON(quiet)},
	{0, "color", "auto|always|never", "colours on the terminal (default auto)",
	 ALSO(VERB_READING, OTHER), CHOICE(color, OPTION_COLOR_AUTO, "colour setting")},
	{'h', "help", NULL, "this text", ALSO(VERB_READING, OTHER), ON(help)},
	{0},
};
/* clang-format on */

/* The kind's own options come after those that verbs share. */
const struct option_row *option_next(const struct verb_spec *verb, const struct option_row *row)
{
	const struct option_row *const end = &option_table[ARRAY_LEN(option_table) - 1];
	u32 bits = verb_bits(verb);

	for (row = row ? row + 1 : option_table;; row++) {
		if (row == end && verb->kind && verb->kind->rows)
			row = verb->kind->rows;
		if (!row->name)
			return NULL;
		if (!row->verbs || (row->verbs & bits))
			return row;
	}
}
