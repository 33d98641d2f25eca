/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Keeps data of each thread until it ends or runs another program. */
#ifndef CPROF_BPF_HEAP_THREAD_BPF_H
#define CPROF_BPF_HEAP_THREAD_BPF_H

/* Holds what a thread has left of its distance, and the sampled call that it is in. */
struct heap_thread {
	struct heap_distance distance;
	u64 size; /* of the sampled call; valid while armed_sp is set */
	u64 armed_sp; /* stack pointer at its entry; 0 if there is none */
	u64 armed_return; /* its return address if no return probe waits for it, else 0 */
	u64 old; /* the block that a realloc would move */
	u64 stored_at; /* where the block's address will be stored; 0 if it is returned */
	u64 outer_sp, outer_return; /* those of the last function that may have jumped to another */
	u32 outer_site, armed_site;
	u32 sampled; /* 0 if it is armed only because `old` is a block that we know */
	u32 pad;
	/* of the call's stack, which was taken at its entry; valid with armed_return */
	struct sample_key key;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct heap_thread);
} threads SEC(".maps");

/*
 * Removes what was kept for a recording that has ended, before the programs serve another one. User
 * space cannot list it.
 */
SEC("iter/task")
int forget_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		bpf_task_storage_delete(&threads, task);
	return 0;
}

#endif
