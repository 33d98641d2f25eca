/* SPDX-License-Identifier: Apache-2.0 */
/* Converts counted waits to samples: see wait_samples.h. */
#include "collect/wait/wait_samples.h"

#include <stdio.h>
#include <string.h>

#include "target/pid_space.h"

static void values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		   s64 out[SAMPLE_VALUES_MAX])
{
	const struct wait_samples *r = arg;
	s64 samples = (s64)tally->count.samples, ns = (s64)tally->count.weight;
	u32 at = 0;

	memset(out, 0, SAMPLE_VALUES_MAX * sizeof(*out));
	if (r->kind == WAIT_READ_STATES) {
		at = key->cause == WAIT_NONE ? 0 : key->cause == WAIT_RUNNABLE ? 1 : 2;
		out[at] = out[3] = ns;
		return;
	}
	if (r->kind == WAIT_READ_HOLDS) {
		out[0] = samples;
		out[1] = key->outcome ? samples : 0;
		out[2] = ns;
		return;
	}
	if (key->outcome == WAIT_OWNED)
		at = 2;
	out[at] = samples;
	out[at + 1] = ns;
}

static const char *hold_kind_text(u16 cause)
{
	static const char *const texts[] = {"mutex", "rwlock", "spinlock", "semaphore"};
	u16 kind = cause - HOLD_CAUSE(0);

	return kind < ARRAY_LEN(texts) ? texts[kind] : "unknown";
}

/* Returns what the lock is if it has no address, or NULL. The text is also the kind. */
static const char *other_lock_text(u64 object)
{
	switch (object) {
	case LOCK_FLOCK:
		return "flock";
	case LOCK_FCNTL:
		return "fcntl";
	case LOCK_SEMOP:
		return "semop";
	default:
		return NULL;
	}
}

static u32 name_labels(struct wait_samples *r, const struct sample_key *key,
		       const struct thread_id *owner, struct sample_label *out)
{
	const char *other = other_lock_text(key->object), *name = NULL;
	pid_t tgid;

	/* Rare waits may have been merged, even those for different locks. */
	if (!key->object)
		return 0;
	if (other) {
		out[0] = (struct sample_label){.key = "lock", .text = other};
		out[1] = (struct sample_label){.key = "kind", .text = other};
		return 2;
	}
	if (!pid_from_proc(owner->tgid, &tgid))
		name = lock_names_find(r->names, tgid, key->object);
	snprintf(r->address, sizeof(r->address), "0x%llx", (unsigned long long)key->object);
	out[0] = (struct sample_label){.key = "lock", .text = name ? name : r->address};
	out[1] = (struct sample_label){.key = "address", .text = r->address};
	return name ? 2 : 1;
}

static u32 lock_labels(struct wait_samples *r, const struct sample_key *key,
		       const struct thread_id *owner, struct sample_label *out)
{
	u32 n = name_labels(r, key, owner, out);

	if (r->kind == WAIT_READ_HOLDS)
		out[n++] = (struct sample_label){.key = "kind", .text = hold_kind_text(key->cause)};
	else if (key->outcome && key->outcome != WAIT_OWNED)
		out[n++] = (struct sample_label){.key = "result",
						 .text = wait_outcome_text(key->outcome)};
	return n;
}

static u32 labels(void *arg, const struct sample_key *key, const struct thread_id *owner,
		  struct sample_label out[SAMPLE_LABELS_MAX])
{
	struct wait_samples *r = arg;

	if (r->kind == WAIT_READ_STATES)
		return 0;
	if (r->kind != WAIT_READ_CAUSES)
		return lock_labels(r, key, owner, out);
	out[0] = (struct sample_label){.key = "cause", .text = wait_cause_text(key->cause)};
	return 1;
}

static bool wanted(void *arg, const struct sample_key *key)
{
	const struct wait_samples *r = arg;

	return !r->causes || (r->causes & 1u << key->cause);
}

struct sample_mapping wait_mapping(struct wait_samples *r)
{
	return (struct sample_mapping){
		.values = values,
		.labels = labels,
		.wanted = wanted,
		.arg = r,
	};
}
