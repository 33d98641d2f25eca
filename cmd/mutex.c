/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof mutex: time lost waiting on locks, by the call stack that released them. */
#include "record.h"

const struct verb_spec verb_mutex = {
	.name = "mutex",
	.kind = &kind_mutex,
	.examples = "  cprof mutex -p 4711 -d 5s             which threads keep others waiting\n",
	.run = record_main,
};
