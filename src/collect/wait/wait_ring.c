/* SPDX-License-Identifier: Apache-2.0 */
/* Finds deadlocks: see wait_ring.h. */
#include "collect/wait/wait_ring.h"

#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

void wait_ring_owners(struct ring_waiter *w)
{
	u32 words[OWNER_WORD + 1];
	struct iovec local = {words, sizeof(words)};
	struct iovec remote = {(void *)(uintptr_t)w->lock, sizeof(words)};

	w->owner[0] = w->owner[1] = (struct inner_pid){0};
	if (process_vm_readv(w->tgid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(words))
		return;
	w->owner[0].nr = words[OWNER_WORD];
	w->owner[1].nr = words[0] & FUTEX_TID_MASK;
}

static const struct ring_waiter *waiter_by_tid(const struct ring_waiter *w, u32 n, pid_t tgid,
					       struct inner_pid tid)
{
	for (u32 i = 0; i < n && tid.nr; i++) {
		if (w[i].inner.nr == tid.nr && w[i].tgid == tgid)
			return &w[i];
	}
	return NULL;
}

/* Returns the thread that holds what `w` waits for, if that thread waits as well. */
static const struct ring_waiter *holder(const struct ring_waiter *all, u32 n,
					const struct ring_waiter *w)
{
	const struct ring_waiter *h = waiter_by_tid(all, n, w->tgid, w->owner[0]);

	return h ? h : waiter_by_tid(all, n, w->tgid, w->owner[1]);
}

static void describe(const struct ring_waiter *w, struct wait_ring_member *m)
{
	char path[64];
	FILE *f;

	*m = (struct wait_ring_member){.tgid = w->tgid, .tid = w->tid, .lock = w->lock};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)w->tgid, (int)w->tid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(m->comm, sizeof(m->comm), f))
		m->comm[strcspn(m->comm, "\n")] = '\0';
	fclose(f);
}

/* Returns the length of the ring that leads from `w` back to it; 0 if there is none of at most
 * `max`. */
static u32 ring_length(const struct ring_waiter *all, u32 n, const struct ring_waiter *w, u32 max)
{
	const struct ring_waiter *at = w;

	for (u32 len = 1; len <= max; len++) {
		at = holder(all, n, at);
		if (!at)
			return 0;
		if (at == w)
			return len;
	}
	return 0;
}

u32 wait_ring_find(const struct ring_waiter *waiters, u32 n, struct wait_ring_member *ring, u32 max)
{
	for (u32 i = 0; i < n; i++) {
		const struct ring_waiter *at = &waiters[i];
		u32 len = ring_length(waiters, n, at, max);

		for (u32 k = 0; k < len; k++, at = holder(waiters, n, at))
			describe(at, &ring[k]);
		if (len)
			return len;
	}
	return 0;
}
