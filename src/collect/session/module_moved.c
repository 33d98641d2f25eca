/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what code without a file of its own is: text that a program moved away from its file, or
 * code that it generated. The kernel keeps it for each mapping of an address space. Stacks that
 * wait in user space find it here, for a short time, because the mapping may change.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/session/module_store_impl.h"

#define KEPT_MS 2000u
#define KEPT_MAX 4096u

struct moved_answer {
	struct asked_key key;
	struct moved_range range;
	u64 until_ms;
	UT_hash_handle hh;
};

static struct moved_answer *find(struct module_store *s, const struct asked_key *key)
{
	struct moved_answer *a;

	HASH_FIND(hh, s->moved, key, sizeof(*key), a);
	return a;
}

static void forget(struct module_store *s, struct moved_answer *a)
{
	HASH_DEL(s->moved, a);
	free(a);
}

/* Without memory the stacks that wait for the answer request it again. */
static void keep(struct module_store *s, const struct module_result *r,
		 const struct moved_range *range)
{
	const struct asked_key key = {(u64)r->tgid, r->start, r->end};
	struct moved_answer *a = find(s, &key);

	if (a)
		forget(s, a);
	if (HASH_COUNT(s->moved) >= KEPT_MAX)
		forget(s, s->moved); /* the oldest one */
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	*a = (struct moved_answer){
		.key = key, .range = *range, .until_ms = monotonic_ms() + KEPT_MS};
	HASH_ADD(hh, s->moved, key, sizeof(a->key), a);
	if (!HASH_ADDED(a))
		free(a);
}

void store_moved_drop(struct module_store *s)
{
	struct moved_answer *a, *next;

	HASH_ITER(hh, s->moved, a, next)
		forget(s, a);
}

/* ---- what the kernel is told ---- */

void store_moved_allow_request(struct module_store *s, u64 mm_id, u64 start, u64 end)
{
	const struct moved_key key = {mm_id, start, end};

	if (mm_id && s->maps.moved_fd >= 0)
		bpf_map_delete_elem(s->maps.moved_fd, &key);
}

static void tell(struct module_store *s, const struct module_result *r,
		 const struct moved_range *range)
{
	const struct moved_key key = {r->token, r->start, r->end};

	if (r->token && s->maps.moved_fd >= 0)
		bpf_map_update_elem(s->maps.moved_fd, &key, range, BPF_ANY);
}

void store_moved_forget(struct module_store *s, u32 number)
{
	struct moved_key key, next;
	struct moved_range range;
	struct moved_answer *a, *next_answer;
	int err;

	HASH_ITER(hh, s->moved, a, next_answer) {
		if (a->range.module == number)
			forget(s, a);
	}
	if (s->maps.moved_fd < 0)
		return;
	err = bpf_map_get_next_key(s->maps.moved_fd, NULL, &next);
	while (!err) {
		key = next;
		err = bpf_map_get_next_key(s->maps.moved_fd, &key, &next);
		if (!bpf_map_lookup_elem(s->maps.moved_fd, &key, &range) && range.module == number)
			bpf_map_delete_elem(s->maps.moved_fd, &key);
	}
}

/* ---- requests and answers ---- */

void store_take_moved(struct module_store *s, const struct module_result *r, struct store_file *f,
		      int err)
{
	struct moved_range range = {.module = MODULE_ANON};

	if (!err) {
		f->moved = true;
		range = (struct moved_range){.start = r->text.start,
					     .end = r->text.end,
					     .shift = r->text.shift,
					     .module = f->number};
	}
	keep(s, r, &range);
	if (!err || err == -ENOEXEC)
		tell(s, r, &range);
	else /* The process has changed or ended, or this failed for a reason of our own. */
		store_moved_allow_request(s, r->token, r->start, r->end);
}

int store_moved(struct module_store *s, u32 user, pid_t tgid, const struct map_entry *e,
		struct moved_range *out)
{
	const struct asked_key key = {(u64)tgid, e->start, e->end};
	const struct module_request q = {
		.tgid = tgid, .entry = {.start = e->start, .end = e->end}, .moved = true};
	const struct moved_answer *a = find(s, &key);
	int err;

	if (a && monotonic_ms() < a->until_ms) {
		*out = a->range;
		return 0;
	}
	if (store_is_asked(s, tgid, e))
		return -EAGAIN;
	err = store_ask_record(s, user, &q);
	return err ? err : -EAGAIN;
}
