/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof threadcreate: which stacks create threads or processes. */
#include "record.h"

const struct verb_spec verb_threadcreate = {
	.name = "threadcreate",
	.kind = &kind_threadcreate,
	.examples = "  cprof threadcreate -p 4711 -d 30s     who starts threads\n"
		    "  cprof threadcreate --processes -a     who starts programs, on the whole "
		    "machine\n"
		    "  cprof threadcreate -- ./server        a command, from its start\n",
	.run = record_main,
};
