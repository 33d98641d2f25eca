/* SPDX-License-Identifier: Apache-2.0 */
/* Converts ids to indexes: see pprof_ids.h. */
#include "format/pprof_ids.h"

#include <errno.h>
#include <inttypes.h>

static bool same_id(const void *arg, u32 index)
{
	const struct {
		const u64 *ids;
		u64 id;
	} *w = arg;

	return w->ids[index] == w->id;
}

s64 id_map_find_sparse(const struct id_map *m, u64 id)
{
	const struct {
		const u64 *ids;
		u64 id;
	} w = {m->ids.data, id};

	return id_table_find(&m->sparse, hash_fold(hash_keyed(0, &id, sizeof(id))), same_id, &w);
}

int id_map_add(struct id_map *m, u64 id, u32 max, const char *what, struct error *err)
{
	if (!id)
		return error_set(err, -EBADMSG, "a %s has the id 0", what);
	if (m->ids.len >= max)
		return error_set(err, -EFBIG, "more than %u %ss", max, what);
	return vec_push(&m->ids, id) ? error_set(err, -ENOMEM, "not enough memory") : 0;
}

static int make_dense(struct id_map *m, u64 max, const char *what, struct error *err)
{
	m->dense.data = calloc((size_t)max + 1, sizeof(*m->dense.data));
	if (!m->dense.data)
		return error_set(err, -ENOMEM, "not enough memory");
	m->dense.len = m->dense.cap = (size_t)max + 1;
	for (size_t i = 0; i < m->ids.len; i++) {
		u32 *slot = &m->dense.data[m->ids.data[i]];

		if (*slot)
			return error_set(err, -EBADMSG, "two %ss have the id %" PRIu64, what,
					 m->ids.data[i]);
		*slot = (u32)i + 1;
	}
	return 0;
}

int id_map_build(struct id_map *m, const char *what, struct error *err)
{
	u64 max = 0;

	vec_for_each(&m->ids, id) {
		if (*id > max)
			max = *id;
	}
	if (max <= m->ids.len * 4 + 1024)
		return make_dense(m, max, what, err);
	for (size_t i = 0; i < m->ids.len; i++) {
		u64 id = m->ids.data[i];

		if (id_map_find_sparse(m, id) >= 0)
			return error_set(err, -EBADMSG, "two %ss have the id %" PRIu64, what, id);
		if (id_table_reserve(&m->sparse))
			return error_set(err, -ENOMEM, "not enough memory");
		id_table_add(&m->sparse, hash_fold(hash_keyed(0, &id, sizeof(id))), (u32)i);
	}
	return 0;
}

void id_map_release(struct id_map *m)
{
	vec_release(&m->ids);
	vec_release(&m->dense);
	id_table_release(&m->sparse);
}
