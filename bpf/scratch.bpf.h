/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The memory in which a CPU takes stacks. Another one of our programs may interrupt the one that
 * uses it, and probes may be preempted, so it is claimed first.
 */
#ifndef CPROF_BPF_SCRATCH_BPF_H
#define CPROF_BPF_SCRATCH_BPF_H

struct scratch {
	struct sample_record record;
	struct stack_walk state;
	u64 busy; /* it is claimed */
	u64 last_tick; /* bpf_ktime_get_ns() */
	u64 tick_switches; /* of the thread that ran then */
	int tick_tid;
	u64 switches; /* of the current thread, when it began to take a stack */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Returns NULL if another program has it, and then the stack is lost. */
static __always_inline struct scratch *scratch_claim(void)
{
	struct scratch *s;
	u32 zero = 0;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (s && !__sync_lock_test_and_set(&s->busy, 1))
		return s;
	return NULL;
}

static __always_inline void scratch_release(struct scratch *s)
{
	s->busy = 0;
}

#endif
