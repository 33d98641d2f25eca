/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof offcpu: all time that threads do not run, by call stack and cause. */
#include "record.h"

const struct verb_spec verb_offcpu = {
	.name = "offcpu",
	.kind = &kind_offcpu,
	.examples = "  cprof offcpu -p 4711 -d 5s --state ^idle  all but idle waits\n"
		    "  cprof offcpu -p 4711 --state disk,fault   where it waits for the disk\n",
	.run = record_main,
};
