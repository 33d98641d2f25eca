/* SPDX-License-Identifier: Apache-2.0 */
/* The kind block: time lost waiting on locks, by the waiter's call stack. */
#include <stdio.h>

#include "collect/wait/wait.h"
#include "view/wait_kind.h"

static const struct option_row rows[] = {
	WAIT_MIN_ROW,
	WAIT_CONDVAR_ROWS,
	{0},
};

/* Where a thread of the ring waits, innermost first. */
static void note_stack(const struct log *log, const struct profile *p,
		       const struct profile_sample *s)
{
	for (u32 i = 0; i < s->nlocations; i++) {
		u32 number = p->stack_locations.data[s->first_location + i];
		const struct profile_location *l = &p->locations.data[number];

		if (p->mappings.data[l->mapping].kind == PROFILE_MAPPING_KERNEL)
			continue;
		for (u32 line = 0; line < l->nlines; line++) {
			u32 function = p->lines.data[l->first_line + line].function;

			log_note(log, "    %s", profile_text(p, p->functions.data[function].name));
		}
	}
}

static const struct profile_sample *stack_of(const struct profile *p,
					     const struct wait_ring_member *m)
{
	char lock[32];

	snprintf(lock, sizeof(lock), "0x%llx", (unsigned long long)m->lock);
	vec_for_each(&p->samples, s) {
		if ((wait_has_label(p, s, "lock", lock) || wait_has_label(p, s, "address", lock)) &&
		    wait_has_label(p, s, "result", wait_outcome_text(WAIT_UNFINISHED)))
			return s;
	}
	return NULL;
}

/* "orders_lock", or its address. */
static const char *lock_name(const struct profile *p, const struct profile_sample *s,
			     const struct wait_ring_member *m, char *room, size_t size)
{
	const char *name = s ? wait_label_text(p, s, "lock") : NULL;

	if (name)
		return name;
	snprintf(room, size, "0x%llx", (unsigned long long)m->lock);
	return room;
}

static void note_deadlock(const struct profile *p, const struct collect_stats *stats,
			  const struct log *log)
{
	if (stats->wait.ring_len)
		log_note(log, "deadlock: %u threads wait for each other in a ring",
			 stats->wait.ring_len);
	for (u32 i = 0; i < stats->wait.ring_len; i++) {
		const struct wait_ring_member *m = &stats->wait.ring[i];
		const struct wait_ring_member *next =
			&stats->wait.ring[(i + 1) % stats->wait.ring_len];
		const struct profile_sample *s = stack_of(p, m);
		char lock[32];

		log_note(log, "  thread %s (%d) waits for the lock %s of %s (%d):", m->comm,
			 (int)m->tid, lock_name(p, s, m, lock, sizeof(lock)), next->comm,
			 (int)next->tid);
		if (s)
			note_stack(log, p, s);
	}
}

const struct profile_kind kind_block = {
	.name = "block",
	.summary = "time lost waiting on locks, by the call stack that waited",
	.faculties = KIND_MACHINE | KIND_KERNEL,
	.collector_new = block_collector_new,
	KIND_OPTIONS(rows, wait_defaults),
	.refine = wait_refine_locks,
	.notes = note_deadlock,
	.hidden = wait_hidden,
	.why_empty = "no thread of the target waited for a lock",
};
