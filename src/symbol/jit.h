/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds names of code that a process generated in its perf map. That is /tmp/perf-PID.map in the
 * process' own mount and PID namespace, with lines "START SIZE NAME" in hex without 0x (Linux
 * tools/perf/Documentation/jit-interface.txt). The name extends to the end of the line and may
 * contain spaces. A runtime that compiles again writes a new line for a range that it used before,
 * so the last line wins.
 */
#ifndef CPROF_SYMBOL_JIT_H
#define CPROF_SYMBOL_JIT_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/budget.h"
#include "base/target_root.h"

#define JIT_MAP_MAX (256u << 20) /* how many bytes of a map are read; the rest is left out */
#define JIT_NAME_MAX 65536u /* bytes of a name with its NUL; a line with a longer one is skipped */

struct jit_names;

/*
 * Names `n` distinct addresses in ascending order from the map in `fd`, of which only these names
 * are kept. Lines that do not parse, and those longer than 64 KiB, are skipped. Returns -E2BIG if
 * `budget` (BUDGET_NAMES) ran out.
 */
int jit_names_scan(int fd, struct budget *budget, const u64 *addresses, size_t n,
		   struct jit_names **out) MUST_CHECK;
/*
 * Does the same for /tmp/perf-`pid`.map below `root`, read with the rights of the process' user.
 * Returns -ENOENT if there is none; -EACCES if that user may not read it; -EPERM if it is a
 * symlink, a special file, a file that has other names as well, or one owned by neither root nor
 * that user.
 */
int jit_names_read(const struct target_root *root, struct inner_pid pid, struct budget *budget,
		   const u64 *addresses, size_t n, struct jit_names **out) MUST_CHECK;
void jit_names_free(struct jit_names *names); /* NULL is allowed */
bool jit_names_are_cut(const struct jit_names *names); /* the map was longer than JIT_MAP_MAX */

/* Returns the name of addresses[i], borrowed; NULL if no line covers it. */
const char *jit_names_at(const struct jit_names *names, size_t i);

#endif
