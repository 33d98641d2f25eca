/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Exceptions through functions with a return probe (operator new that throws). The kernel has replaced such
 * a function's return address by that of its trampoline, which has no unwind information: the program would be
 * terminated. So, before the unwinder looks, the addresses are put back; the kernel finds its own notes stale
 * and drops them, as it does after longjmp (kernel/events/uprobes.c: cleanup_return_instances).
 *
 * Apart from all else, since bpf_probe_write_user() is announced in the kernel log and refused in lockdown:
 * loaded only where an allocator's own operator new is probed.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

#define RETURNS_MAX 64 /* MAX_URETPROBE_DEPTH of kernel/events/uprobes.c */

struct return_walk {
	struct return_instance *next;
	unsigned long sp, trampoline;
};

/* Only what still is the trampoline is replaced: notes of frames that are long gone are left alone. */
static long put_back(u32 index, struct return_walk *walk)
{
	struct return_instance *ri = walk->next;
	unsigned long stack, have = 0, address;

	if (!ri)
		return 1;
	walk->next = BPF_CORE_READ(ri, next);
	stack = BPF_CORE_READ(ri, stack);
	if (stack < walk->sp || BPF_CORE_READ(ri, chained))
		return 0; /* chained: the same place once more, whose address is the trampoline itself */
	if (bpf_probe_read_user(&have, sizeof(have), (void *)stack) || have != walk->trampoline)
		return 0;
	address = BPF_CORE_READ(ri, orig_ret_vaddr);
	bpf_probe_write_user((void *)stack, &address, sizeof(address));
	return 0;
}

/* At the entry of _Unwind_RaiseException. */
SEC("kprobe")
int on_throw(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct return_walk walk = {.sp = regs->sp};
	struct uprobe_task *utask = BPF_CORE_READ(task, utask);

	if (!utask)
		return 0;
	walk.next = BPF_CORE_READ(utask, return_instances);
	walk.trampoline = BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
	if (walk.next && walk.trampoline)
		bpf_loop(RETURNS_MAX, put_back, &walk, 0);
	return 0;
}
