/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof block: time lost waiting on locks, by the waiter's call stack. */
#include "record.h"

const struct verb_spec verb_block = {
	.name = "block",
	.kind = &kind_block,
	.examples = "  cprof block -p 4711 -d 5s             which locks it waits for, and "
		    "where\n"
		    "  cprof block -n postgres --all --min 1ms   long waits only\n",
	.run = record_main,
};
