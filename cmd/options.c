/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of options and its parser: see options.h. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bpf_shared.h"
#include "nearest.h"
#include "target/allocator.h"
#include "target/select.h"

#define DEFAULT_DURATION_NS 10000000000ull
#define DEFAULT_FREQUENCY 99 /* off the beat of what runs at 100 Hz */
#define DEFAULT_TOP 20
#define MAX_DURATION_NS (366ull * 24 * 3600 * 1000000000)
#define HEAP_RATE_DEFAULT (512u << 10) /* as Go's runtime.MemProfileRate */
#define HEAP_RATE_MAX (1u << 30)
#define HEAP_LIVE_DEFAULT 1000000
#define HEAP_LIVE_MAX 16000000
#define HEAP_SLOWDOWN_DEFAULT 50 /* percent */
#define SHOWN 128 /* of what the user typed, in messages */

#define usage(err, ...) error_set(err, -EINVAL, __VA_ARGS__)

/* ---- values ------------------------------------------------------------------------------------ */

/* Digits only, at most `max`; steps behind them. */
static bool take_digits(const char **text, u64 max, u64 *out)
{
	const char *c = *text;
	u64 value = 0;

	for (; isdigit((unsigned char)*c); c++) {
		if (__builtin_mul_overflow(value, (u64)10, &value) ||
		    __builtin_add_overflow(value, (u64)(*c - '0'), &value) || value > max)
			return false;
	}
	if (c == *text)
		return false;
	*text = c;
	*out = value;
	return true;
}

static bool number_parse(const char *text, u32 max, u32 *out)
{
	u64 value;

	if (!take_digits(&text, max, &value) || *text)
		return false;
	*out = (u32)value;
	return true;
}

static bool unit_parse(const char *text, u64 *ns)
{
	static const struct {
		const char *name;
		u64 ns;
	} units[] = {
		{"", 1000000000},   {"ms", 1000000},      {"s", 1000000000},
		{"m", 60000000000}, {"h", 3600000000000},
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!strcmp(units[i].name, text)) {
			*ns = units[i].ns;
			return true;
		}
	}
	return false;
}

bool duration_parse(const char *text, u64 *ns)
{
	u64 whole, fraction = 0, scale = 1, unit, value;

	if (!take_digits(&text, MAX_DURATION_NS, &whole))
		return false;
	if (*text == '.') {
		const char *start = ++text;

		if (!take_digits(&text, 999999, &fraction))
			return false;
		for (; start < text && scale <= 1000000; start++)
			scale *= 10;
	}
	if (scale > 1000000 || !unit_parse(text, &unit) ||
	    __builtin_mul_overflow(whole, unit, &value) || value > MAX_DURATION_NS)
		return false;
	*ns = value + fraction * unit / scale;
	return true;
}

/* ---- what each option does --------------------------------------------------------------------- */

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

static int set_target(struct options *o, enum option_target kind, const char *text,
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

static int set_pids(struct options *o, const char *value, struct error *err)
{
	int result = set_target(o, OPTION_TARGET_PIDS, value, err);

	return result ? result : target_check_pids(value, err);
}

static int set_name(struct options *o, const char *value, struct error *err)
{
	return set_target(o, OPTION_TARGET_NAME, value, err);
}

static int set_system(struct options *o, const char *value, struct error *err)
{
	return set_target(o, OPTION_TARGET_ALL, NULL, err);
}

static int set_cgroup(struct options *o, const char *value, struct error *err)
{
	return set_target(o, OPTION_TARGET_CGROUP, value, err);
}

static int set_all(struct options *o, const char *value, struct error *err)
{
	o->all_matches = true;
	return 0;
}

static int set_no_children(struct options *o, const char *value, struct error *err)
{
	o->children = false;
	return 0;
}

static int set_duration(struct options *o, const char *value, struct error *err)
{
	if (!duration_parse(value, &o->duration_ns))
		return usage(err, "\"%.*s\" is not a duration (5s, 500ms, 2m, 0 = until Ctrl-C)",
			     SHOWN, value);
	o->duration_given = true;
	return 0;
}

static int set_frequency(struct options *o, const char *value, struct error *err)
{
	if (!number_parse(value, INT32_MAX, &o->frequency) || !o->frequency)
		return usage(err, "\"%.*s\" is not a frequency (samples a second, such as 99)",
			     SHOWN, value);
	return 0;
}

static int set_event(struct options *o, const char *value, struct error *err)
{
	const struct event_desc *e = event_by_name(value);
	char names[256];

	if (!e) {
		event_names(names, sizeof(names), false);
		return usage(err, "unknown event \"%.*s\": one of %s", SHOWN, value, names);
	}
	o->event = e;
	return 0;
}

static int set_min(struct options *o, const char *value, struct error *err)
{
	if (!duration_parse(value, &o->wait.min_ns))
		return usage(err, "\"%.*s\" is not a duration (10ms, 0.5s)", SHOWN, value);
	return 0;
}

/* The cause called so, of those that a thread off the CPU can have; 0: none. */
static u32 cause_by_name(const char *name, size_t len)
{
	for (u32 cause = WAIT_NONE + 1; cause < WAIT_CAUSE_COUNT; cause++) {
		const char *text = wait_cause_text(cause);

		if (strlen(text) == len && !strncmp(text, name, len))
			return cause;
	}
	return 0;
}

static int set_state(struct options *o, const char *value, struct error *err)
{
	bool except = *value == '^';
	u32 named = 0;

	for (value += except;; value++) {
		size_t len = strcspn(value, ",");
		u32 cause = cause_by_name(value, len);

		if (!cause)
			return usage(err, "unknown cause \"%.*s\" (cprof offcpu -h lists them)",
				     (int)(len > SHOWN ? SHOWN : len), value);
		named |= 1u << cause;
		value += len;
		if (!*value)
			break;
	}
	o->wait.causes = except ? ((1u << WAIT_CAUSE_COUNT) - 1) & ~named : named;
	return 0;
}

static int set_condvar(struct options *o, const char *value, struct error *err)
{
	o->wait.condvars = OPTION_CONDVAR_COUNT;
	return 0;
}

static int set_no_condvar(struct options *o, const char *value, struct error *err)
{
	o->wait.condvars = OPTION_CONDVAR_DROP;
	return 0;
}

static int set_wakers(struct options *o, const char *value, struct error *err)
{
	o->wait.wakers = true;
	return 0;
}

static int set_holds(struct options *o, const char *value, struct error *err)
{
	o->wait.holds = true;
	return 0;
}

static int set_owners(struct options *o, const char *value, struct error *err)
{
	o->wait.owners = true;
	return 0;
}

static int set_user(struct options *o, const char *value, struct error *err)
{
	o->user_only = true;
	return 0;
}

static int set_kernel(struct options *o, const char *value, struct error *err)
{
	o->kernel_only = true;
	return 0;
}

static int set_mode(struct options *o, const char *value, struct error *err)
{
	if (!strcmp(value, "bpf"))
		o->mode = OPTION_MODE_BPF;
	else if (!strcmp(value, "perf"))
		o->mode = OPTION_MODE_PERF;
	else
		return usage(err, "unknown mode \"%.*s\": one of bpf, perf", SHOWN, value);
	return 0;
}

/* ---- of heap and allocs */

static int set_rate(struct options *o, const char *value, struct error *err)
{
	static const struct {
		const char *unit;
		u64 bytes;
	} units[] = {{"", 1}, {"k", 1 << 10}, {"K", 1 << 10}, {"m", 1 << 20}, {"M", 1 << 20}};
	const char *unit = value;
	u64 number;

	if (take_digits(&unit, HEAP_RATE_MAX, &number) && number) {
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			if (!strcmp(unit, units[i].unit) &&
			    number <= HEAP_RATE_MAX / units[i].bytes) {
				o->heap.rate = number * units[i].bytes;
				return 0;
			}
		}
	}
	return usage(err, "\"%.*s\" is no number of bytes from 1 to 1024M (512k, 1M)", SHOWN,
		     value);
}

static int set_alloc(struct options *o, const char *value, struct error *err)
{
	struct alloc_names names = {0};
	int result = alloc_names_parse(value, &names, err);

	alloc_names_release(&names);
	o->heap.names = value;
	return result;
}

static int set_library(struct options *o, const char *value, struct error *err)
{
	if (!*value)
		return usage(err, "--lib needs the path or the name of a mapped file");
	o->heap.library = value;
	return 0;
}

static int set_max_live(struct options *o, const char *value, struct error *err)
{
	if (!number_parse(value, HEAP_LIVE_MAX, &o->heap.max_live) || !o->heap.max_live)
		return usage(err, "\"%.*s\" is no number of blocks from 1 to %d", SHOWN, value,
			     HEAP_LIVE_MAX);
	return 0;
}

static int set_max_slowdown(struct options *o, const char *value, struct error *err)
{
	if (!number_parse(value, 100000, &o->heap.max_slowdown) || !o->heap.max_slowdown)
		return usage(err, "\"%.*s\" is no number of percent, from 1 on", SHOWN, value);
	return 0;
}

static int set_leaks(struct options *o, const char *value, struct error *err)
{
	o->heap.leaks = true;
	return 0;
}

static int set_peak(struct options *o, const char *value, struct error *err)
{
	o->heap.peak = true;
	return 0;
}

static int set_older_than(struct options *o, const char *value, struct error *err)
{
	if (!duration_parse(value, &o->heap.older_than_ns))
		return usage(err, "\"%.*s\" is no age (5s, 500ms, 2m)", SHOWN, value);
	return 0;
}

static int set_no_preload(struct options *o, const char *value, struct error *err)
{
	o->heap.no_preload = true;
	return 0;
}

static int set_force(struct options *o, const char *value, struct error *err)
{
	o->heap.max_slowdown = 0;
	return 0;
}

static int set_output(struct options *o, const char *value, struct error *err)
{
	if (!*value)
		return usage(err, "-o needs the name of a file, or - for the standard output");
	o->output = value;
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

static int set_format(struct options *o, const char *value, struct error *err)
{
	char names[256];

	o->format = format_by_name(value);
	if (o->format)
		return 0;
	format_names(names, sizeof(names));
	return usage(err, "unknown format \"%.*s\": one of %s", SHOWN, value, names);
}

static int set_label(struct options *o, const char *value, struct error *err)
{
	static const char *const names[] = {"thread", "pid", "cpu"}; /* in the order of the bits */

	for (;;) {
		size_t len = strcspn(value, ","), i = 0;

		while (i < ARRAY_LEN(names) &&
		       (strlen(names[i]) != len || strncmp(value, names[i], len) != 0))
			i++;
		if (i == ARRAY_LEN(names))
			return usage(err, "unknown label \"%.*s\": one of thread, pid, cpu",
				     (int)(len > SHOWN ? SHOWN : len), value);
		o->labels |= 1u << i;
		if (!value[len])
			return 0;
		value += len + 1;
	}
}

static int set_no_inlines(struct options *o, const char *value, struct error *err)
{
	o->inlines = false;
	return 0;
}

static int set_top(struct options *o, const char *value, struct error *err)
{
	if (!number_parse(value, INT32_MAX, &o->top))
		return usage(err, "\"%.*s\" is not a number of rows", SHOWN, value);
	o->top_given = true;
	return 0;
}

static int set_sample_type(struct options *o, const char *value, struct error *err)
{
	o->sample_type = value;
	return 0;
}

static int set_full_names(struct options *o, const char *value, struct error *err)
{
	o->full_names = true;
	return 0;
}

static int set_open(struct options *o, const char *value, struct error *err)
{
	o->open = true;
	return 0;
}

/* ---- of the verbs that read profiles */

static int set_report(struct options *o, enum report_kind kind, const char *function,
		      struct error *err)
{
	if (o->report)
		return usage(err, "--tree, --peek, --callers, --callees, --list and --traces are "
				  "different reports: give one");
	if (function && !*function)
		return usage(err, "the name of a function is missing");
	o->report = kind;
	o->report_function = function;
	return 0;
}

static int set_tree(struct options *o, const char *value, struct error *err)
{
	return set_report(o, REPORT_TREE, NULL, err);
}

static int set_peek(struct options *o, const char *value, struct error *err)
{
	return set_report(o, REPORT_PEEK, value, err);
}

static int set_callers(struct options *o, const char *value, struct error *err)
{
	return set_report(o, REPORT_CALLERS, value, err);
}

static int set_callees(struct options *o, const char *value, struct error *err)
{
	return set_report(o, REPORT_CALLEES, value, err);
}

static int set_list(struct options *o, const char *value, struct error *err)
{
	return set_report(o, REPORT_LIST, value, err);
}

static int set_traces(struct options *o, const char *value, struct error *err)
{
	return set_report(o, REPORT_TRACES, NULL, err);
}

static int set_cum(struct options *o, const char *value, struct error *err)
{
	o->by_cum = true;
	return 0;
}

static int set_group(struct options *o, const char *value, struct error *err)
{
	static const char *const names[] = {
		[VIEW_FUNCTION] = "function", [VIEW_FILE] = "file",     [VIEW_LINE] = "line",
		[VIEW_MODULE] = "module",     [VIEW_THREAD] = "thread",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(value, names[i])) {
			o->group = (enum view_group)i;
			return 0;
		}
	}
	return usage(err, "unknown group \"%.*s\": one of function, file, line, module, thread",
		     SHOWN, value);
}

static int set_focus(struct options *o, const char *value, struct error *err)
{
	o->filter.focus = value;
	return 0;
}

static int set_ignore(struct options *o, const char *value, struct error *err)
{
	o->filter.ignore = value;
	return 0;
}

static int set_hide(struct options *o, const char *value, struct error *err)
{
	o->filter.hide = value;
	return 0;
}

static int set_show_from(struct options *o, const char *value, struct error *err)
{
	o->filter.show_from = value;
	return 0;
}

static int set_label_filter(struct options *o, const char *value, struct error *err)
{
	if (!*value || *value == '=')
		return usage(err, "--label needs KEY=VALUE");
	if (o->filter.nlabels == OPTIONS_MAX_LABELS)
		return usage(err, "more than %d labels", OPTIONS_MAX_LABELS);
	o->label_filters[o->filter.nlabels++] = value;
	o->filter.labels = o->label_filters;
	return 0;
}

static int set_normalize(struct options *o, const char *value, struct error *err)
{
	o->normalize = true;
	return 0;
}

static int set_verbose(struct options *o, const char *value, struct error *err)
{
	o->verbosity++;
	return 0;
}

static int set_quiet(struct options *o, const char *value, struct error *err)
{
	o->quiet = true;
	return 0;
}

static int set_color(struct options *o, const char *value, struct error *err)
{
	if (!strcmp(value, "auto"))
		o->color = OPTION_COLOR_AUTO;
	else if (!strcmp(value, "always"))
		o->color = OPTION_COLOR_ALWAYS;
	else if (!strcmp(value, "never"))
		o->color = OPTION_COLOR_NEVER;
	else
		return usage(err, "unknown colour setting \"%.*s\": one of auto, always, never",
			     SHOWN, value);
	return 0;
}

static int set_help(struct options *o, const char *value, struct error *err)
{
	o->help = true;
	return 0;
}

/* ---- the table --------------------------------------------------------------------------------- */

#define VERB_MEMORY (VERB_HEAP | VERB_ALLOCS)
#define VERB_WAITS (VERB_BLOCK | VERB_MUTEX | VERB_OFFCPU | VERB_WALL)
#define VERB_LOCKS (VERB_BLOCK | VERB_MUTEX)
#define VERB_STACKS (VERB_CPU | VERB_WAITS) /* see the kernel, and what it runs */
#define IN(group_) VERB_STACKS | VERB_MEMORY, OPTION_GROUP_##group_
#define OF(verbs_, group_) (verbs_), OPTION_GROUP_##group_
#define ALSO(verbs_, group_) (verbs_) | IN(group_)
#define VIEWING (VERB_REPORT | VERB_DIFF)
#define WRITING (VERB_CONVERT | VERB_MERGE)
#define FILTERING (VIEWING | VERB_CONVERT)

/* clang-format off */
const struct option_spec option_table[] = {
	{'p', "pid", "PID[,PID...]", "these processes, all threads, and their children",
	 IN(TARGET), set_pids},
	{'n', "name", "NAME", "the process whose name or program is NAME", IN(TARGET), set_name},
	{0, "all", NULL, "with -n: every process of that name", IN(TARGET), set_all},
	{'a', "system", NULL, "the whole machine", OF(VERB_STACKS, TARGET), set_system},
	{0, "cgroup", "PATH", "a control group and those below it", OF(VERB_STACKS, TARGET), set_cgroup},
	{0, "no-children", NULL, "leave child processes out", IN(TARGET), set_no_children},

	{'d', "duration", "DURATION",
	 "5s, 500ms, 2m, 1h; 0: until Ctrl-C (default 10s; COMMAND: its end)",
	 IN(SAMPLING), set_duration},
	{'F', "frequency", "HZ", "samples a second on each CPU (default 99)",
	 OF(VERB_CPU | VERB_WALL, SAMPLING), set_frequency},
	{'e', "event", "EVENT", "what to count (default cpu-clock; see below)",
	 OF(VERB_CPU, SAMPLING), set_event},
	{0, "user", NULL, "user frames only", OF(VERB_STACKS, SAMPLING), set_user},
	{0, "kernel", NULL, "kernel frames only", OF(VERB_STACKS, SAMPLING), set_kernel},
	{0, "mode", "bpf|perf", "how to record (default: bpf where allowed, else perf)",
	 OF(VERB_CPU, SAMPLING), set_mode},
	{0, "min", "DURATION", "leave shorter waits out (1ms, 0.5s)",
	 OF(VERB_LOCKS | VERB_OFFCPU, SAMPLING), set_min},
	{0, "state", "CAUSE[,CAUSE...]", "only these causes (see below); ^CAUSE: all but that one",
	 OF(VERB_OFFCPU, SAMPLING), set_state},
	{0, "wakers", NULL, "by who ended the wait, too: his stack after --",
	 OF(VERB_OFFCPU, SAMPLING), set_wakers},
	{0, "owners", NULL, "what the owner of the lock did meanwhile, too (owner_delay)",
	 OF(VERB_MUTEX, SAMPLING), set_owners},
	{0, "holds", NULL, "probe lock functions: how often taken, how long held, by whom",
	 OF(VERB_MUTEX, SAMPLING), set_holds},
	{0, "condvar", NULL, "count condition variables in tables and folded stacks, too",
	 OF(VERB_LOCKS, OUTPUT), set_condvar},
	{0, "no-condvar", NULL, "leave condition variables out of the profile (default: out of "
	 "tables)", OF(VERB_LOCKS, OUTPUT), set_no_condvar},
	{0, "rate", "BYTES", "mean distance between samples (default 512k; 1: every allocation)",
	 OF(VERB_MEMORY, SAMPLING), set_rate},
	{0, "leaks", NULL, "list the stacks whose blocks are alive, with age and growth",
	 OF(VERB_HEAP, SAMPLING), set_leaks},
	{0, "older-than", "AGE", "leave out live blocks that are younger (60s)",
	 OF(VERB_HEAP, SAMPLING), set_older_than},
	{0, "peak", NULL, "what was alive when most was, too (peak_space)",
	 OF(VERB_HEAP, SAMPLING), set_peak},
	{0, "alloc", "KIND=NAME[,...]", "functions of an allocator of your own (malloc=x,free=y)",
	 OF(VERB_MEMORY, SAMPLING), set_alloc},
	{0, "lib", "FILE", "look for the allocator in this mapped file only",
	 OF(VERB_MEMORY, SAMPLING), set_library},
	{0, "max-live", "N", "sampled blocks followed at once (default 1000000)",
	 OF(VERB_HEAP, SAMPLING), set_max_live},
	{0, "max-slowdown", "PERCENT", "refuse to slow the target down more (default 50)",
	 OF(VERB_MEMORY | VERB_MUTEX, SAMPLING), set_max_slowdown},
	{0, "force", NULL, "whatever it costs the target", OF(VERB_MEMORY | VERB_MUTEX, SAMPLING), set_force},
	{0, "no-preload", NULL, "COMMAND: probe every call, put no sampler in front",
	 OF(VERB_MEMORY, SAMPLING), set_no_preload},

	{0, "cum", NULL, "sort by what functions did with all they called", OF(VIEWING, VIEW),
	 set_cum},
	{0, "tree", NULL, "each function with its callers and callees", OF(VERB_REPORT, VIEW),
	 set_tree},
	{0, "peek", "FUNC", "callers and callees of the functions that match",
	 OF(VERB_REPORT, VIEW), set_peek},
	{0, "callers", "FUNC", "who called the functions that match", OF(VERB_REPORT, VIEW),
	 set_callers},
	{0, "callees", "FUNC", "whom they called", OF(VERB_REPORT, VIEW), set_callees},
	{0, "list", "FUNC", "their source lines", OF(VERB_REPORT, VIEW), set_list},
	{0, "traces", NULL, "every stack", OF(VERB_REPORT, VIEW), set_traces},
	{'g', "group", "function|file|line|module|thread", "what a row is (default function)",
	 OF(VERB_REPORT, VIEW), set_group},
	{0, "normalize", NULL, "scale the base to the total of the new profile",
	 OF(VERB_DIFF, VIEW), set_normalize},

	{0, "focus", "RE", "only stacks with a frame that matches", OF(FILTERING, FILTER), set_focus},
	{0, "ignore", "RE", "no stacks with a frame that matches", OF(FILTERING, FILTER), set_ignore},
	{0, "hide", "RE", "leave such frames out of their stacks", OF(FILTERING, FILTER), set_hide},
	{0, "show-from", "RE", "let stacks begin at the outermost such frame",
	 OF(FILTERING, FILTER), set_show_from},
	{0, "label", "KEY=VALUE", "only samples with this label (repeatable)",
	 OF(FILTERING, FILTER), set_label_filter},

	{'o', "output", "FILE", "where to; the name picks the format, - is the standard output",
	 ALSO(WRITING | VERB_DIFF, OUTPUT), set_output},
	{'f', "format", "FORMAT", "which format, whatever the name (see below)",
	 ALSO(WRITING | VERB_DIFF, OUTPUT), set_format},
	{0, "open", NULL, "write html and show it in a browser",
	 ALSO(WRITING | VERB_DIFF, OUTPUT), set_open},
	{0, "label", "thread|pid|cpu", "keep the samples of each apart (repeatable)",
	 IN(OUTPUT), set_label},
	{0, "no-inlines", NULL, "do not show inlined functions (faster)",
	 IN(OUTPUT), set_no_inlines},
	{0, "top", "N", "rows of the table (default 20, 0: all)",
	 ALSO(VIEWING | VERB_CONVERT, OUTPUT), set_top},
	{0, "sample-type", "TYPE", "which value to show, where there are several",
	 ALSO(VIEWING | VERB_CONVERT, OUTPUT), set_sample_type},
	{0, "full-names", NULL, "do not shorten long function names",
	 ALSO(VIEWING | VERB_CONVERT, OUTPUT), set_full_names},

	{'v', "verbose", NULL, "say more (repeatable)", ALSO(VERB_READING, OTHER), set_verbose},
	{'q', "quiet", NULL, "print errors only", ALSO(VERB_READING, OTHER), set_quiet},
	{0, "color", "auto|always|never", "colours on the terminal (default auto)",
	 ALSO(VERB_READING, OTHER), set_color},
	{'h', "help", NULL, "this text", ALSO(VERB_READING, OTHER), set_help},
	{0},
};
/* clang-format on */

/* ---- the parser -------------------------------------------------------------------------------- */

struct parser {
	enum verb verb;
	char **next; /* the argument that comes next */
	struct options *options;
	struct error *err;
	char **files; /* where the next one goes, at or before `next` */
};

static const struct option_spec *find_letter(const struct parser *p, char letter)
{
	for (const struct option_spec *s = option_table; s->name; s++) {
		if (s->letter == letter && (s->verbs & p->verb))
			return s;
	}
	return NULL;
}

static const struct option_spec *find_long(const struct parser *p, const char *name, size_t len)
{
	for (const struct option_spec *s = option_table; s->name; s++) {
		if (strlen(s->name) == len && !strncmp(s->name, name, len) && (s->verbs & p->verb))
			return s;
	}
	return NULL;
}

static int unknown_long(const struct parser *p, const char *name, size_t len)
{
	const struct option_spec *best = NULL;
	u32 least = UINT32_MAX;
	char typed[SHOWN];

	snprintf(typed, sizeof(typed), "%.*s", (int)(len < SHOWN ? len : SHOWN), name);
	for (const struct option_spec *s = option_table; s->name; s++) {
		u32 distance = word_distance(typed, s->name);

		if ((s->verbs & p->verb) && distance < least) {
			least = distance;
			best = s;
		}
	}
	if (best && word_is_near(typed, least))
		return usage(p->err, "unknown option --%s: did you mean --%s?", typed, best->name);
	return usage(p->err, "unknown option --%s", typed);
}

static int set_next(struct parser *p, const struct option_spec *s, const char *typed)
{
	if (!*p->next)
		return usage(p->err, "%s needs a value: %s", typed, s->value);
	return s->set(p->options, *p->next++, p->err);
}

static int parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_spec *s = find_long(p, name, len);

	if (!s)
		return unknown_long(p, name, len);
	if (!s->value && equals)
		return usage(p->err, "--%s takes no value", s->name);
	if (!s->value || equals)
		return s->set(p->options, equals ? equals + 1 : NULL, p->err);
	return set_next(p, s, arg);
}

/* "-v", "-vq", "-F99", "-vF 99" */
static int parse_letters(struct parser *p, const char *arg)
{
	int result = 0;

	for (const char *c = arg + 1; *c && !result && !p->options->help; c++) {
		const struct option_spec *s = find_letter(p, *c);
		char typed[3] = {'-', *c, '\0'};

		if (!s)
			return usage(p->err, "unknown option -%c", *c);
		if (s->value)
			return c[1] ? s->set(p->options, c + 1, p->err) : set_next(p, s, typed);
		result = s->set(p->options, NULL, p->err);
	}
	return result;
}

static int parse_command(struct parser *p)
{
	if (!*p->next || !**p->next)
		return usage(p->err, "-- needs a command behind it");
	p->options->command = p->next;
	return set_target(p->options, OPTION_TARGET_COMMAND, NULL, p->err);
}

/* A file goes where an argument stood that has been read. */
static void take_file(struct parser *p, char *arg)
{
	p->files[p->options->nfiles++] = arg;
}

static int stray(const struct parser *p, const char *arg)
{
	if (isdigit((unsigned char)*arg))
		return usage(p->err, "unexpected \"%.*s\": did you mean -p %.*s?", SHOWN, arg,
			     SHOWN, arg);
	return usage(p->err, "unexpected \"%.*s\": did you mean -n %.*s, or -- %.*s to start it?",
		     SHOWN, arg, SHOWN, arg, SHOWN, arg);
}

static int parse_all(struct parser *p)
{
	int result = 0;

	while (!result && *p->next && !p->options->help) {
		char *arg = *p->next++;

		if (!strcmp(arg, "--") && !(p->verb & VERB_READING))
			return parse_command(p);
		if (!strcmp(arg, "--")) {
			while (*p->next)
				take_file(p, *p->next++);
			return 0;
		}
		if (!strncmp(arg, "--", 2))
			result = parse_long(p, arg);
		else if (arg[0] == '-' && arg[1])
			result = parse_letters(p, arg);
		else if (p->verb & VERB_READING)
			take_file(p, arg);
		else
			result = stray(p, arg);
	}
	return result;
}

static int check_open(const struct options *o, struct error *err)
{
	const struct format *f = o->format   ? o->format
				 : o->output ? format_by_path(o->output)
					     : &format_html;

	if (o->output && !strcmp(o->output, "-"))
		return usage(err, "--open needs a file: -o FILE.html%s",
			     o->nfiles ? "" : ", or no -o at all");
	if (f && f != &format_html)
		return usage(err, "--open shows html, not %s: give -f html or -o FILE.html",
			     f->name);
	return 0;
}

static int check_together(struct options *o, struct error *err)
{
	if (!o->target)
		return usage(err, "nothing to profile: give -p PID, -n NAME, -a, --cgroup PATH or "
				  "-- COMMAND");
	if (o->all_matches && o->target != OPTION_TARGET_NAME)
		return usage(err, "--all goes with -n NAME (the whole machine is -a)");
	if (o->target == OPTION_TARGET_COMMAND && !o->duration_given)
		o->duration_ns = 0;
	if (o->user_only && o->kernel_only)
		o->user_only = o->kernel_only = false;
	return o->open ? check_open(o, err) : 0;
}

static int check_files(const struct options *o, enum verb verb, struct error *err)
{
	const size_t wanted = verb == VERB_DIFF ? 2 : 1;
	size_t piped = 0;

	if (verb == VERB_MERGE && !o->nfiles)
		return usage(err, "merge what? Give the files");
	if (verb != VERB_MERGE && o->nfiles != wanted)
		return usage(err, wanted == 2 ? "two files are compared: BASE NEW"
					      : "one file is read: give its name, or - for the "
						"standard input");
	for (size_t i = 0; i < o->nfiles; i++)
		piped += !strcmp(o->files[i], "-");
	return piped > 1 ? usage(err, "- is given twice: the standard input is one file") : 0;
}

/* The table of a comparison is printed, nothing else. */
static int check_diff(const struct options *o, struct error *err)
{
	const struct format *f = o->format   ? o->format
				 : o->output ? format_by_path(o->output)
					     : NULL;

	if (!o->format && !o->output)
		return 0;
	if (f && f != &format_html)
		return usage(err, "a comparison is printed or written as html, not %s", f->name);
	if (!f)
		return usage(err,
			     "\"%.*s\" does not say what to write: a comparison is html, "
			     "-o FILE.html",
			     SHOWN, o->output);
	return 0;
}

static int check_reading(const struct options *o, enum verb verb, struct error *err)
{
	int ret = check_files(o, verb, err);

	if (!ret && verb == VERB_DIFF)
		ret = check_diff(o, err);
	if (!ret && o->open)
		ret = !o->output ? usage(err, "--open needs a file: -o FILE.html")
				 : check_open(o, err);
	if (ret)
		return ret;
	if (verb == VERB_CONVERT && !o->output && !o->format)
		return usage(err, "convert into what? Give -o FILE, or -f FORMAT");
	if (verb == VERB_CONVERT && !o->format && strcmp(o->output, "-") != 0 &&
	    !format_by_path(o->output))
		return usage(err, "no format has the suffix of \"%.*s\": give -f FORMAT", SHOWN,
			     o->output);
	return 0;
}

int options_parse(struct options *o, enum verb verb, int argc, char **argv, struct error *err)
{
	struct parser p = {.verb = verb,
			   .next = argv + (argc > 0),
			   .options = o,
			   .err = err,
			   .files = argv + (argc > 0)};
	int result;

	*o = (struct options){
		.children = true,
		.inlines = true,
		.duration_ns = DEFAULT_DURATION_NS,
		.frequency = DEFAULT_FREQUENCY,
		.event = event_table,
		.top = DEFAULT_TOP,
		.heap = {.rate = HEAP_RATE_DEFAULT,
			 .max_live = HEAP_LIVE_DEFAULT,
			 .max_slowdown = HEAP_SLOWDOWN_DEFAULT},
		.files = p.files,
	};
	result = parse_all(&p);
	if (result || o->help)
		return result;
	return verb & VERB_READING ? check_reading(o, verb, err) : check_together(o, err);
}
