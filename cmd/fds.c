/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof fds: which stacks open descriptors, and which of these are open. */
#include "record.h"

const struct verb_spec verb_fds = {
	.name = "fds",
	.kind = &kind_fds,
	.examples = "  cprof fds -p 4711 -d 30s             what is open, and who opened it\n"
		    "  cprof fds -p 4711 --kind socket      sockets only\n"
		    "  cprof fds -- ./server                a command, from its start\n",
	.run = record_main,
};
