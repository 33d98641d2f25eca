/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the memory maps at the ends of text profiles. */
#ifndef CPROF_FORMAT_MEMORY_MAP_H
#define CPROF_FORMAT_MEMORY_MAP_H

#include "target/maps.h"

/*
 * Appends the entries, sorted by address. Lines have the form of /proc/PID/maps, or that of
 * gperftools, `00400000-00fcb000: /bin/program (@1000)`, which are executable. Other lines are
 * skipped. Returns 0 or -ENOMEM.
 */
int memory_map_parse(struct bytes text, map_vec *out) MUST_CHECK;

/* Returns the map after such a line, which is `line` or one of the text after it. */
struct bytes memory_map_after(struct cursor line, struct cursor text);

/* Returns whether a line says that a memory map follows. */
bool memory_map_begins(const struct cursor *line);

#endif
