/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that are open at a moment, with what each of them is. */
#ifndef CPROF_COLLECT_FD_ROWS_H
#define CPROF_COLLECT_FD_ROWS_H

#include "base/vec.h"
#include "collect/session/bpf_session.h"
#include "collect/state/fd_names.h"

struct fd_row {
	u64 object; /* sample_key.object of its sample */
	struct fd_record record;
	enum fd_kind kind;
	u64 age_ns; /* 0 if it is not known */
	char *text; /* owned; NULL if it is not known */
};

typedef VEC(struct fd_row) fd_row_vec;

/* Reads what the iterator list_files lists, in place of what was in `rows`. They are sorted by
 * object. Returns 0 or a negative errno. */
int fd_rows_read(struct bpf_program *list_files, struct fd_names *names,
		 fd_row_vec *rows) MUST_CHECK;
void fd_rows_release(fd_row_vec *rows);
const struct fd_row *fd_rows_find(const fd_row_vec *rows, u64 object); /* NULL if there is none */

/* Counts those that are at least that old as alive, each with a sample of its own. What has no
 * stack is put below a frame that says why. */
void fd_rows_count(const fd_row_vec *rows, struct bpf_session *s, u64 older_than_ns);

#endif
