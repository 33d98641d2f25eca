/* SPDX-License-Identifier: Apache-2.0 */
/* Describes a deadlock in words: see deadlock.h. */
#include "collect/wait/deadlock.h"

#include <stdio.h>

#include "base/bpf_shared.h"
#include "view/wait_kind.h"

/* Logs where a thread of the ring waits, innermost frame first. */
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

/* Returns "orders_lock", or the address of the lock. */
static const char *lock_name(const struct profile *p, const struct profile_sample *s,
			     const struct wait_ring_member *m, char *buf, size_t size)
{
	const char *name = s ? wait_label_text(p, s, "lock") : NULL;

	if (name)
		return name;
	snprintf(buf, size, "0x%llx", (unsigned long long)m->lock);
	return buf;
}

void deadlock_note(const struct wait_ring_member *ring, u32 len, const struct profile *p,
		   const struct log *log)
{
	if (len)
		log_note(log, "deadlock: %u threads wait for each other in a ring", len);
	for (u32 i = 0; i < len; i++) {
		const struct wait_ring_member *m = &ring[i];
		const struct wait_ring_member *next = &ring[(i + 1) % len];
		const struct profile_sample *s = stack_of(p, m);
		char lock[32];

		log_note(log, "  thread %s (%d) waits for the lock %s of %s (%d):", m->comm,
			 (int)m->tid, lock_name(p, s, m, lock, sizeof(lock)), next->comm,
			 (int)next->tid);
		if (s)
			note_stack(log, p, s);
	}
}
