/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the threads or processes that are alive, and counts them in a session. */
#ifndef CPROF_COLLECT_CREATED_LIST_H
#define CPROF_COLLECT_CREATED_LIST_H

#include "base/vec.h"
#include "collect/session/bpf_session.h"
#include "collect/state/start_places.h"

typedef VEC(struct created_record) created_vec;

/* Appends what the iterator list_created lists. Returns 0 or a negative errno. */
int created_list_read(struct bpf_program *list_created, created_vec *out) MUST_CHECK;

/* Gives those that existed before a stack: the start routine of a thread, if `starts` is given and
 * knows it. */
void created_list_put(created_vec *list, struct bpf_session *s, struct start_places *starts);
/* Does that, and adds all to what is alive, and those whose creation is not counted yet under
 * `part`. */
void created_list_count(created_vec *list, struct bpf_session *s, struct start_places *starts,
			enum tally_part part);
/* Calls stack_store_await() for those whose creation will be counted. */
void created_list_await(const created_vec *list, struct stack_store *store);

#endif
