/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof cpu: where the CPU time of a running process goes, by call stack. */
#include "record.h"

const struct verb_spec verb_cpu = {
	.name = "cpu",
	.kind = &kind_cpu,
	.examples = "  cprof cpu -p 4711 -d 5s               five seconds of one process\n"
		    "  cprof cpu -n redis-server -o r.pb.gz  go tool pprof opens the file\n"
		    "  cprof cpu -p 4711 | flamegraph.pl     a pipe gets folded stacks\n"
		    "  cprof cpu -- make -j8                 a command, from start to end\n",
	.run = record_main,
};
