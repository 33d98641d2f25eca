/* SPDX-License-Identifier: Apache-2.0 */
/* Lists threads and processes that are alive: see created_list.h. */
#include "collect/state/created_list.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#define READ_RECORDS 64

static int read_all(int fd, created_vec *out)
{
	for (;;) {
		ssize_t got;

		if (vec_reserve(out, out->len + READ_RECORDS))
			return -ENOMEM;
		got = read(fd, out->data + out->len, READ_RECORDS * sizeof(*out->data));
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		out->len += (size_t)got / sizeof(*out->data);
	}
}

int created_list_read(struct bpf_program *list_created, created_vec *out)
{
	struct bpf_link *link = bpf_program__attach_iter(list_created, NULL);
	int fd, err;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 ? -errno : read_all(fd, out);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

/* Gives it the frames that stand in for its creator's. */
static void put_older(struct created_record *r, struct bpf_session *s, struct start_places *starts)
{
	u64 start = starts ? start_places_find(starts, r) : 0;
	u64 frames[] = {start, FRAME(MODULE_BEFORE, BEFORE_RECORDING)};
	struct sample_key base;

	/* A frame of a file is not a number that the kernel gives a stack by chance. */
	r->key.stack = start ? start : CREATED_BEFORE_STACK;
	base = r->key;
	base.cause = base.outcome = 0;
	bpf_session_put(s, &base, &r->thread, start ? frames : frames + 1, start ? 2 : 1);
	if (!start && starts)
		r->key.cause = CREATED_PLAIN;
	r->counted = 1;
}

void created_list_put(created_vec *list, struct bpf_session *s, struct start_places *starts)
{
	vec_for_each(list, r) {
		if (!r->key.stack)
			put_older(r, s, starts);
	}
	if (starts)
		start_places_rest(starts);
}

void created_list_count(created_vec *list, struct bpf_session *s, struct start_places *starts,
			enum tally_part part)
{
	const struct sample_count one = {.samples = 1};

	created_list_put(list, s, starts);
	vec_for_each(list, r) {
		if (!r->counted)
			bpf_session_add(s, &r->key, part, &one);
		/* Its frames may be lost, which is counted. */
		(void)stack_store_add(bpf_session_store(s), &r->key, TALLY_LIVE, &one);
	}
}

void created_list_await(const created_vec *list, struct stack_store *store)
{
	vec_for_each(list, r) {
		if (r->key.stack && !r->counted)
			stack_store_await(store, &r->key, 1);
	}
}
