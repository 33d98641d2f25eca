/* SPDX-License-Identifier: Apache-2.0 */
/* Lists open descriptors: see fd_rows.h. */
#include "collect/state/fd_rows.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "target/pid_space.h"

#define READ_RECORDS 64
#define TEXT_MAX 512

static int compare(const void *a, const void *b)
{
	const struct fd_row *x = a, *y = b;

	return (x->object > y->object) - (x->object < y->object);
}

/* What was opened while recording has the kind that the system call says. */
static void name_row(struct fd_row *row, struct fd_names *names, u64 now)
{
	const struct fd_entry *entry = &row->record.entry;
	enum fd_kind kind = FD_NONE;
	char text[TEXT_MAX] = "";
	pid_t tgid;

	row->kind = entry->key.cause;
	row->object = (u64)row->record.tgid << 32 | (row->record.fd + 1);
	if (entry->time)
		row->age_ns = now > entry->time ? now - entry->time : 1;
	if (!pid_from_proc(row->record.thread.tgid, &tgid))
		kind = fd_names_find(names, tgid, row->record.fd, text, sizeof(text));
	if (kind != FD_NONE && entry->key.stack <= FD_UNSEEN_STACK)
		row->kind = kind;
	row->text = *text ? strdup(text) : NULL;
}

static int read_rows(int fd, struct fd_names *names, fd_row_vec *rows)
{
	struct fd_record records[READ_RECORDS];
	const u64 now = monotonic_ns();

	for (;;) {
		ssize_t got = read(fd, records, sizeof(records));

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		for (size_t i = 0; i < (size_t)got / sizeof(*records); i++) {
			struct fd_row row = {.record = records[i]};

			if (vec_push(rows, row))
				return -ENOMEM;
			name_row(&rows->data[rows->len - 1], names, now);
		}
	}
}

int fd_rows_read(struct bpf_program *list_files, struct fd_names *names, fd_row_vec *rows)
{
	struct bpf_link *link = bpf_program__attach_iter(list_files, NULL);
	int fd, err;

	fd_rows_release(rows);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 ? -errno : read_rows(fd, names, rows);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	fd_names_rest(names);
	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), compare);
	return err;
}

void fd_rows_release(fd_row_vec *rows)
{
	vec_for_each(rows, row)
		free(row->text);
	vec_release(rows);
}

const struct fd_row *fd_rows_find(const fd_row_vec *rows, u64 object)
{
	const struct fd_row want = {.object = object};

	if (!rows->len)
		return NULL;
	return bsearch(&want, rows->data, rows->len, sizeof(*rows->data), compare);
}

static void put_reason(const struct fd_row *row, struct bpf_session *s)
{
	const struct sample_key *key = &row->record.entry.key;
	const u64 frame = FRAME(MODULE_BEFORE,
				key->stack == FD_BEFORE_STACK ? BEFORE_RECORDING : BEFORE_PROBES);
	struct sample_key base = *key;

	base.cause = base.outcome = 0;
	bpf_session_put(s, &base, &row->record.thread, &frame, 1);
}

void fd_rows_count(const fd_row_vec *rows, struct bpf_session *s, u64 older_than_ns)
{
	const struct sample_count one = {.samples = 1};

	stack_store_forget_live(bpf_session_store(s));
	vec_for_each(rows, row) {
		struct sample_key key = row->record.entry.key;

		if (row->age_ns && row->age_ns < older_than_ns)
			continue;
		if (key.stack <= FD_UNSEEN_STACK)
			put_reason(row, s);
		key.object = row->object;
		/* Its frames may be lost, which is counted. */
		(void)stack_store_add(bpf_session_store(s), &key, TALLY_LIVE, &one);
	}
}
