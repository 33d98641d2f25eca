/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of code that a process generated: the perf map, /tmp/perf-PID.map in the process' own mount
 * and PID namespace, lines "START SIZE NAME" in hex without 0x (Linux tools/perf/Documentation/
 * jit-interface.txt). The name goes to the end of the line and may hold spaces. A run-time that compiles
 * again writes a new line for a place it used before: the last line wins.
 */
#ifndef CPROF_SYMBOL_JIT_H
#define CPROF_SYMBOL_JIT_H

#include <sys/types.h>

#include "base/types.h"

#define JIT_MAP_MAX (256u << 20) /* bytes of a map that are read; the rest is left out */

struct jit_map;

/* Parses a map's text, which is kept and freed. Lines that do not parse are skipped. */
int jit_map_parse(char *text, size_t len, struct jit_map **out) MUST_CHECK;
/*
 * Opens /tmp/perf-`ns_pid`.map below `root_fd`. -ENOENT: there is none; -EPERM: a symlink or special file,
 * or owned by neither root nor `uid`. Symlinks are never followed.
 */
int jit_map_read(int root_fd, pid_t ns_pid, uid_t uid, struct jit_map **out) MUST_CHECK;
void jit_map_free(struct jit_map *map); /* NULL is fine */
bool jit_map_is_cut(const struct jit_map *map); /* the file was longer than JIT_MAP_MAX */

/* The name that covers `address`, lent; NULL when none does. */
const char *jit_map_find(const struct jit_map *map, u64 address);

#endif
