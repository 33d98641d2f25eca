/* SPDX-License-Identifier: Apache-2.0 */
/* cprof mutex: time lost waiting on locks, by the call stack that let go of them. */
#include "record.h"

const struct verb_spec verb_mutex = {
	.name = "mutex",
	.kind = &kind_mutex,
	.examples = "  cprof mutex -p 4711 -d 5s             who keeps the others waiting\n",
	.run = record_main,
};
