/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Calls of an operator new that will probably fail. They are left alone: an exception cannot pass a
 * return probe, and the remedy (heap_throw.bpf.c) is not to be had in lockdown. What fails is
 * nearly always what the kernel does not give: more than there is, or more than a limit.
 */
#ifndef CPROF_BPF_HEAP_THROW_BPF_H
#define CPROF_BPF_HEAP_THROW_BPF_H

#define RLIMIT_DATA_ 2 /* include/uapi/asm-generic/resource.h */
#define RLIMIT_AS_ 9
#define ALLOCATOR_SLACK (64ull << 20) /* it asks the kernel for more than it was asked for */

static __always_inline bool exceeds(u64 limit, u64 pages, u64 size)
{
	u64 wanted = size + size / 8 + ALLOCATOR_SLACK;

	return pages << PAGE_SHIFT > limit || limit - (pages << PAGE_SHIFT) < wanted;
}

static __always_inline bool may_throw(const struct heap_site *site, struct task_struct *task,
				      u64 size)
{
	u64 space, data;

	if (!(site->flags & HEAP_DOOR_THROWS))
		return false;
	if (heap.memory && size > heap.memory / 8 * 7)
		return true;
	space = BPF_CORE_READ(task, signal, rlim[RLIMIT_AS_].rlim_cur);
	data = BPF_CORE_READ(task, signal, rlim[RLIMIT_DATA_].rlim_cur);
	return (space != ~0ull && exceeds(space, BPF_CORE_READ(task, mm, total_vm), size)) ||
	       (data != ~0ull && exceeds(data, BPF_CORE_READ(task, mm, data_vm), size));
}

#endif
