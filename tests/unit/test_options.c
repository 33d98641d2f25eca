/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines that are right, wrong, and nearly right. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../cmd/nearest.h"
#include "../../cmd/verbs.h"
#include "base/bpf_shared.h"
#include "collect/event_options.h"
#include "collect/heap/heap_options.h"
#include "collect/wait/wait_options.h"

#define ARGS_MAX 32

/* Splits at spaces; the arguments stay valid until the case ends. */
static int parse_verb(const char *verb, const char *line, struct options *o, struct error *err)
{
	static char text[1024];
	static char *argv[ARGS_MAX + 1];
	char *save;
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < ARGS_MAX;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(o, verb_by_name(verb), argc, argv, err);
}

static int parse(const char *line, struct options *o, struct error *err)
{
	return parse_verb("cpu", line, o, err);
}

static void good(const char *line, struct options *o)
{
	struct error err = {0};
	int result = parse(line, o, &err);

	if (result)
		unit_fail(__FILE__, __LINE__, "%s: %s", line, err.text);
}

static void bad(const char *line, const char *text)
{
	struct options o;
	struct error err = {0};

	CHECK_INT(parse(line, &o, &err), -EINVAL);
	CHECK_STR(err.text, text);
}

static const struct event_desc *event_of(const struct options *o)
{
	return ((const struct event_options *)&o->own)->event;
}

TEST(options, defaults)
{
	struct options o;

	good("cpu -p 1", &o);
	CHECK_INT(o.target, OPTION_TARGET_PIDS);
	CHECK_STR(o.target_text, "1");
	CHECK_INT(o.duration_ns, 10000000000);
	CHECK(!o.duration_given);
	CHECK_INT(o.frequency, 99);
	CHECK_STR(event_of(&o)->name, "cpu-clock");
	CHECK(o.children && o.inlines && !o.user_only && !o.kernel_only && !o.full_names);
	CHECK(!o.output && !o.format && !o.sample_type && !o.command);
	CHECK_INT(o.labels, 0);
	CHECK_INT(o.mode, RECORDING_MODE_AUTO);
	CHECK_INT(o.color, OPTION_COLOR_AUTO);
	CHECK_INT(o.top, 20);
	CHECK_INT(o.verbosity, 0);
}

TEST(options, every_option_in_every_form)
{
	struct options o;

	good("cpu --name=redis --all --duration 2m -F999 --output=- -f folded -e page-faults "
	     "--user --no-inlines --no-children --label thread,cpu --label=pid --mode bpf "
	     "--top 5 --sample-type cpu --full-names -vv --color=always",
	     &o);
	CHECK_INT(o.target, OPTION_TARGET_NAME);
	CHECK_STR(o.target_text, "redis");
	CHECK(o.all_matches && o.duration_given);
	CHECK_INT(o.duration_ns, 120000000000);
	CHECK_INT(o.frequency, 999);
	CHECK_STR(o.output, "-");
	CHECK_STR(o.format->name, "folded");
	CHECK_STR(event_of(&o)->name, "page-faults");
	CHECK(o.user_only && !o.kernel_only && !o.inlines && !o.children && o.full_names);
	CHECK_INT(o.labels, OPTION_LABEL_THREAD | OPTION_LABEL_PID | OPTION_LABEL_CPU);
	CHECK_INT(o.mode, RECORDING_MODE_BPF);
	CHECK_INT(o.top, 5);
	CHECK_STR(o.sample_type, "cpu");
	CHECK_INT(o.verbosity, 2);
	CHECK_INT(o.color, OPTION_COLOR_ALWAYS);
	good("cpu -aq --mode=perf --color never -vd 1", &o);
	CHECK_INT(o.target, OPTION_TARGET_ALL);
	CHECK(o.quiet);
	CHECK_INT(o.mode, RECORDING_MODE_PERF);
	CHECK_INT(o.duration_ns, 1000000000);
	good("cpu --cgroup /system.slice --kernel", &o);
	CHECK_INT(o.target, OPTION_TARGET_CGROUP);
	CHECK(o.kernel_only);
	good("cpu -a --kernel --user", &o);
	CHECK(!o.kernel_only && !o.user_only);
}

TEST(options, a_command_runs_to_its_end)
{
	struct options o;

	good("cpu -q -- ls -l --color -d", &o);
	CHECK_INT(o.target, OPTION_TARGET_COMMAND);
	CHECK_STR(o.command[0], "ls");
	CHECK_STR(o.command[3], "-d");
	CHECK(!o.command[4]);
	CHECK_INT(o.duration_ns, 0);
	good("cpu -d 3 -- ls", &o);
	CHECK_INT(o.duration_ns, 3000000000);
	bad("cpu --", "-- needs a command behind it");
}

TEST(options, targets)
{
	bad("cpu", "nothing to profile: give -p PID, -n NAME, -a, --cgroup PATH or -- COMMAND");
	bad("cpu -p 1 -n a", "two targets, -p and -n: give one");
	bad("cpu -a --cgroup /x", "two targets, -a and --cgroup: give one");
	bad("cpu -a -- ls", "two targets, -a and -- COMMAND: give one");
	bad("cpu -p 1 -p 2", "-p is given twice: several PIDs go in one list, -p 1,2");
	bad("cpu -n a -n b", "-n is given twice");
	bad("cpu --name=", "-n needs a value");
	bad("cpu -p 1 --all", "--all goes with -n NAME (the whole machine is -a)");
	bad("cpu -p 12x", "\"12x\" is not a PID");
	bad("cpu -p 1,,2", "\"\" is not a PID");
	bad("cpu 4711", "unexpected \"4711\": did you mean -p 4711?");
	bad("cpu redis", "unexpected \"redis\": did you mean -n redis, or -- redis to start it?");
}

TEST(options, values)
{
	bad("cpu -a -d 5x", "\"5x\" is not a duration (5s, 500ms, 2m, 0 = until Ctrl-C)");
	bad("cpu -a -F 0", "\"0\" is not a frequency (samples a second, such as 99)");
	bad("cpu -a -F -1", "\"-1\" is not a frequency (samples a second, such as 99)");
	bad("cpu -a -F 4294967297",
	    "\"4294967297\" is not a frequency (samples a second, such as 99)");
	bad("cpu -a -F 1k", "\"1k\" is not a frequency (samples a second, such as 99)");
	bad("cpu -a -f pdf", "unknown format \"pdf\": one of pprof, folded, text, html, svg, "
			     "speedscope, firefox, chrome, dump, jstack, counts");
	bad("cpu -a -e cycle",
	    "unknown event \"cycle\": one of cpu-clock, task-clock, cycles, instructions, "
	    "cache-misses, branch-misses, page-faults, context-switches");
	bad("cpu -a --label thread,core", "unknown label \"core\": one of thread, pid, cpu");
	bad("cpu -a --label thread,", "unknown label \"\": one of thread, pid, cpu");
	bad("cpu -a --mode x", "unknown mode \"x\": one of bpf, perf");
	bad("cpu -a --color x", "unknown colour setting \"x\": one of auto, always, never");
	bad("cpu -a --top x", "\"x\" is not a number of rows");
	bad("cpu -a --output=", "-o needs the name of a file, or - for the standard output");
}

TEST(options, of_memory)
{
	struct error err = {0};
	struct options o;
	const struct heap_options *own = (const void *)&o.own;

	CHECK_INT(parse_verb("heap", "heap -p 1", &o, &err), 0);
	CHECK_INT(own->rate, 512 << 10);
	CHECK_INT(own->max_live, 1000000);
	CHECK_INT(probe_limit_percent(&own->limit), 50);
	CHECK_INT(
		parse_verb(
			"heap",
			"heap -p 1 --rate 64k --leaks --older-than 2m --peak --max-live 9 --force",
			&o, &err),
		0);
	CHECK_INT(own->rate, 64 << 10);
	CHECK_INT(own->older_than_ns, 120000000000);
	CHECK_INT(own->max_live, 9);
	CHECK_INT(probe_limit_percent(&own->limit), 0);
	CHECK(own->leaks && own->peak);
	CHECK_INT(parse_verb("allocs", "allocs -p 1 --max-slowdown 7 --lib x.so", &o, &err), 0);
	CHECK_INT(probe_limit_percent(&own->limit), 7);
	CHECK_STR(own->library, "x.so");
	CHECK(!own->leaks);
	CHECK(parse_verb("allocs", "allocs -p 1 --leaks", &o, &err) < 0);
	CHECK(parse_verb("heap", "heap -p 1 --rate 0", &o, &err) < 0);
	CHECK(parse_verb("heap", "heap -p 1 --rate 2000M", &o, &err) < 0);
	CHECK(parse_verb("heap", "heap -p 1 --rate 99999999999999999999", &o, &err) < 0);
	CHECK(parse_verb("heap", "heap -p 1 --max-live 0", &o, &err) < 0);
	CHECK(parse_verb("heap", "heap -p 1 --alloc nonsense", &o, &err) < 0);
	CHECK(parse_verb("heap", "heap -a", &o, &err) < 0);
}

TEST(options, of_waits)
{
	struct error err = {0};
	struct options o;
	const struct wait_options *own = (const void *)&o.own;

	CHECK_INT(parse_verb("offcpu", "offcpu -a --state disk,lock --min 2ms", &o, &err), 0);
	CHECK_INT(own->causes, 1u << WAIT_DISK | 1u << WAIT_LOCK);
	CHECK_INT(own->min_ns, 2000000);
	CHECK(parse_verb("offcpu", "offcpu -a --state disk,", &o, &err) < 0);
	CHECK_STR(err.text, "unknown cause \"\" (cprof offcpu -h lists them)");
	CHECK_INT(parse_verb("mutex", "mutex -p 1 --holds --max-slowdown 9", &o, &err), 0);
	CHECK_INT(probe_limit_percent(&own->limit), 9);
	CHECK(parse_verb("mutex", "mutex -p 1 --max-slowdown 9", &o, &err) < 0);
	CHECK_STR(err.text, "--max-slowdown and --force limit what the probes of --holds cost: "
			    "give that as well");
	CHECK(parse_verb("mutex", "mutex -p 1 --force", &o, &err) < 0);
	CHECK(parse_verb("mutex", "mutex -p 1 --holds --owners", &o, &err) < 0);
	CHECK(parse_verb("mutex", "mutex -p 1 --holds --min 1ms", &o, &err) < 0);
	CHECK(parse_verb("wall", "wall -a --min 1ms", &o, &err) < 0);
}

TEST(options, misspelt_and_misused)
{
	bad("cpu -a --frequncy 5", "unknown option --frequncy: did you mean --frequency?");
	bad("cpu -a --lable=pid", "unknown option --lable: did you mean --label?");
	bad("cpu -a --no-inline", "unknown option --no-inline: did you mean --no-inlines?");
	bad("cpu -a --xyzzy", "unknown option --xyzzy");
	bad("cpu -a -x", "unknown option -x");
	bad("cpu -a -qx", "unknown option -x");
	bad("cpu -a --quiet=yes", "--quiet takes no value");
	bad("cpu -p", "-p needs a value: PID[,PID...]");
	bad("cpu -a --mode", "--mode needs a value: bpf|perf");
}

TEST(options, open_wants_a_page)
{
	struct options o;
	struct error err = {0};

	CHECK_INT(parse("cpu -p 1 --open", &o, &err), 0);
	CHECK(o.open);
	CHECK_INT(parse("cpu -p 1 --open -o x.htm", &o, &err), 0);
	CHECK_INT(parse("cpu -p 1 --open -o x -f html", &o, &err), 0);
	bad("cpu -p 1 --open -o -", "--open needs a file: -o FILE.html, or no -o at all");
	bad("cpu -p 1 --open -f text", "--open shows html, not text: give -f html or -o FILE.html");
	bad("cpu -p 1 -o x.pb.gz --open",
	    "--open shows html, not pprof: give -f html or -o FILE.html");
}

TEST(options, help_ends_the_checks)
{
	struct options o;

	good("cpu -h", &o);
	CHECK(o.help);
	good("cpu --help -x --frobnicate", &o);
	CHECK(o.help);
	good("cpu -vhx", &o);
	CHECK(o.help);
}

TEST(options, long_junk_stays_in_bounds)
{
	char line[900] = "cpu --";
	struct options o;
	struct error err;

	memset(line + 6, 'a', sizeof(line) - 7);
	CHECK_INT(parse(line, &o, &err), -EINVAL);
	memcpy(line, "cpu -d", 6);
	CHECK_INT(parse(line, &o, &err), -EINVAL);
	memcpy(line, "cpu -p", 6);
	CHECK_INT(parse(line, &o, &err), -EINVAL);
	memcpy(line, "cpu -n", 6);
	CHECK_INT(parse(line, &o, &err), 0);
}

static void check_rows(const struct verb_spec *verb)
{
	for (const struct option_row *s = option_next(verb, NULL); s; s = option_next(verb, s)) {
		CHECK(s->help && *s->help && (s->set || s->type != OPTION_CUSTOM));
		for (const struct option_row *other = option_next(verb, s); other;
		     other = option_next(verb, other)) {
			CHECK(strcmp(s->name, other->name) != 0);
			CHECK(!s->letter || s->letter != other->letter);
		}
	}
}

TEST(options, no_verb_takes_two_of_a_name)
{
	for (const struct verb_spec *const *v = verb_table; *v; v++)
		check_rows(*v);
}

TEST(options, nearest_word)
{
	CHECK_INT(word_distance("cpu", "cpu"), 0);
	CHECK_INT(word_distance("cup", "cpu"), 1);
	CHECK_INT(word_distance("", "cpu"), 3);
	CHECK_INT(word_distance("kitten", "sitting"), 3);
	CHECK(word_is_near("cup", 1) && !word_is_near("cup", 2));
}
