/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of a pprof file, which are arbitrary distinct numbers, as indexes. */
#ifndef CPROF_FORMAT_PPROF_IDS_H
#define CPROF_FORMAT_PPROF_IDS_H

#include "base/error.h"
#include "base/vec.h"
#include "profile/id_table.h"

/* Maps the ids of a file to indexes, through an array if the ids are small, as those of all known
 * writers are. */
struct id_map {
	VEC(u64) ids;
	VEC(u32) dense; /* index plus one */
	struct id_table sparse;
};

/* Gives the next index to an id; there may be `max` of them. `what` is for messages: "mapping". */
int id_map_add(struct id_map *m, u64 id, u32 max, const char *what, struct error *err) MUST_CHECK;
/* Call it once all are known; it makes them ready to be looked up. It fails if two are the same. */
int id_map_build(struct id_map *m, const char *what, struct error *err) MUST_CHECK;
void id_map_release(struct id_map *m);
/* For ids that are too large for an array. */
s64 id_map_find_sparse(const struct id_map *m, u64 id);

/* Returns the index of an id; -1 if there is none. */
static inline s64 id_map_find(const struct id_map *m, u64 id)
{
	if (m->dense.data)
		return id < m->dense.len ? (s64)m->dense.data[id] - 1 : -1;
	return id_map_find_sparse(m, id);
}

#endif
