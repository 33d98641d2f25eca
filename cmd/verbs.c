/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs: see verbs.h. */
#include "verbs.h"

#include <string.h>

#include "commands.h"
#include "exit_codes.h"
#include "nearest.h"
#include "terminal.h"

#define TARGET_SYNOPSIS "(-p PID[,PID...] | -n NAME | -a | --cgroup PATH | -- COMMAND [ARGS])"

const struct verb_spec verb_table[] = {
	{
		.name = "cpu",
		.bit = VERB_CPU,
		.summary = "where the CPU time of a running process goes, by call stack",
		.synopsis = TARGET_SYNOPSIS,
		.examples =
			"  cprof cpu -p 4711 -d 5s               five seconds of one process\n"
			"  cprof cpu -n redis-server -o r.pb.gz  go tool pprof opens the file\n"
			"  cprof cpu -p 4711 | flamegraph.pl     a pipe gets folded stacks\n"
			"  cprof cpu -- make -j8                 a command, from start to end\n",
		.run = cmd_cpu,
	},
	{
		.name = "heap",
		.bit = VERB_HEAP,
		.summary = "who holds the memory that was allocated since and not freed",
		.synopsis = "(-p PID[,PID...] | -n NAME | -- COMMAND [ARGS])",
		.examples =
			"  cprof heap -p 4711 -d 30s             what grew in half a minute\n"
			"  cprof heap -p 4711 --rate 1           every block, at a price\n"
			"  cprof heap -- ./server                a command, for next to nothing\n",
		.run = cmd_heap,
	},
	{
		.name = "allocs",
		.bit = VERB_ALLOCS,
		.summary = "who allocates most, freed or not",
		.synopsis = "(-p PID[,PID...] | -n NAME | -- COMMAND [ARGS])",
		.examples = "  cprof allocs -p 4711 -d 5s            five seconds of one process\n",
		.run = cmd_allocs,
	},
	{
		.name = "block",
		.bit = VERB_BLOCK,
		.summary = "time lost waiting on locks, by the call stack that waited",
		.synopsis = TARGET_SYNOPSIS,
		.examples = "  cprof block -p 4711 -d 5s             which locks it waits for, and "
			    "where\n"
			    "  cprof block -n postgres --all --min 1ms   long waits only\n",
		.run = cmd_block,
	},
	{
		.name = "mutex",
		.bit = VERB_MUTEX,
		.summary = "the same time, by the call stack that held the lock and let go",
		.synopsis = TARGET_SYNOPSIS,
		.examples =
			"  cprof mutex -p 4711 -d 5s             who keeps the others waiting\n",
		.run = cmd_mutex,
	},
	{
		.name = "offcpu",
		.bit = VERB_OFFCPU,
		.summary = "all time that threads do not run, by call stack and cause",
		.synopsis = TARGET_SYNOPSIS,
		.examples =
			"  cprof offcpu -p 4711 -d 5s --state ^idle  all but idle waits\n"
			"  cprof offcpu -p 4711 --state disk,fault   where it waits for the disk\n",
		.run = cmd_offcpu,
	},
	{
		.name = "wall",
		.bit = VERB_WALL,
		.summary = "running, runnable and blocked time, by call stack",
		.synopsis = TARGET_SYNOPSIS,
		.examples = "  cprof wall -p 4711 -d 5s              where the time of its threads "
			    "goes\n",
		.run = cmd_wall,
	},
	{
		.name = "report",
		.bit = VERB_REPORT,
		.summary = "what a profile says: top functions, callers, sources, stacks",
		.synopsis = "FILE [--tree | --peek FUNC | --list FUNC | --traces] [OPTIONS]",
		.examples =
			"  cprof report p.pb.gz                    the top functions\n"
			"  cprof report p.pb.gz --cum --focus ssl  by cum, of stacks through ssl\n"
			"  cprof report p.pb.gz --callers malloc   who calls malloc\n"
			"  cprof report p.pb.gz --list parse_line  its source, line by line\n"
			"  cprof report p.pb.gz -g module          which libraries\n",
		.run = cmd_report,
	},
	{
		.name = "diff",
		.bit = VERB_DIFF,
		.summary = "which functions grew or shrank, and what of it is noise",
		.synopsis = "BASE NEW [--normalize] [OPTIONS]",
		.examples = "  cprof diff monday.pb.gz friday.pb.gz --normalize\n",
		.run = cmd_diff,
	},
	{
		.name = "convert",
		.bit = VERB_CONVERT,
		.summary = "a profile in another format",
		.synopsis = "FILE (-o OUT | -f FORMAT) [OPTIONS]",
		.examples = "  cprof convert p.pb.gz -o p.svg          a flame graph\n"
			    "  cprof convert p.folded -o p.pb.gz       folded stacks to pprof\n",
		.run = cmd_convert,
	},
	{
		.name = "merge",
		.bit = VERB_MERGE,
		.summary = "several profiles of one kind as one",
		.synopsis = "FILE... -o OUT",
		.examples = "  cprof merge host-*.pb.gz -o all.pb.gz\n",
		.run = cmd_merge,
	},
	{
		.name = "doctor",
		.summary = "what this machine and this user can profile, and how to get more",
		.synopsis = "",
		.run = cmd_doctor,
	},
	{
		.name = "help",
		.summary = "this overview, or the help of one verb",
		.synopsis = "[VERB]",
		.run = cmd_help,
	},
	{
		.name = "version",
		.summary = "version, libraries, and what this kernel offers",
		.synopsis = "",
		.run = cmd_version,
	},
	{0},
};

const struct verb_spec *verb_by_name(const char *name)
{
	for (const struct verb_spec *v = verb_table; v->name; v++) {
		if (!strcmp(v->name, name))
			return v;
	}
	return NULL;
}

int verb_unknown(const char *name)
{
	const struct verb_spec *best = NULL;
	u32 least = UINT32_MAX;
	struct terminal t;

	for (const struct verb_spec *v = verb_table; v->name; v++) {
		u32 distance = word_distance(name, v->name);

		if (distance < least) {
			least = distance;
			best = v;
		}
	}
	terminal_init(&t, NULL);
	if (best && word_is_near(name, least))
		terminal_error(&t, "unknown verb \"%.128s\": did you mean cprof %s?", name,
			       best->name);
	else
		terminal_error(&t, "unknown verb \"%.128s\" (cprof help lists them)", name);
	return CPROF_EXIT_USAGE;
}
