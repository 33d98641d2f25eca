/* SPDX-License-Identifier: Apache-2.0 */
/* cprof cpu: where the CPU time of a running process goes, by call stack. */
#include "commands.h"
#include "record.h"

static const struct record_verb cpu_kind = {
	.name = "cpu",
	.verb = VERB_CPU,
	.collector_new = cpu_collector_new,
	.fallback_new = perf_collector_new,
	.samples = true,
};

int cmd_cpu(int argc, char **argv)
{
	return record_main(&cpu_kind, argc, argv);
}
