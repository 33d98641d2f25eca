/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds names and source lines of generated code in a jitdump file (Linux
 * tools/perf/Documentation/jitdump-specification.txt): jit-PID.dump, which the process wrote while
 * it compiled, with a record for each function that it loaded or moved. Several functions may have
 * been at one address after each other, and the last record wins.
 */
#ifndef CPROF_SYMBOL_JIT_DUMP_H
#define CPROF_SYMBOL_JIT_DUMP_H

#include "base/budget.h"
#include "base/input_file.h"

struct jit_dump_frame {
	char *name; /* NULL if no record covers the address */
	char *file; /* NULL if unknown */
	u32 line; /* 0 if unknown */
};

struct jit_dump;

/*
 * Names `n` distinct addresses in ascending order. Returns -EBADMSG if it is not a jitdump file of
 * this byte order, -E2BIG if `budget` (BUDGET_NAMES) ran out, or another negative errno. A record
 * that is still being written ends the file.
 */
int jit_dump_scan(struct input_file *in, struct budget *budget, const u64 *addresses, size_t n,
		  struct jit_dump **out) MUST_CHECK;
void jit_dump_free(struct jit_dump *dump); /* NULL is allowed */

/* Returns what is known of addresses[i], borrowed. */
const struct jit_dump_frame *jit_dump_at(const struct jit_dump *dump, size_t i);

#endif
