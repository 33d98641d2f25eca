/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* cprof yields: the stack of every sched_yield(2) is counted. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"

#define SYS_SCHED_YIELD 24 /* asm/unistd_64.h */

const volatile __u32 weight;

SEC("tp_btf/sys_enter")
int BPF_PROG(on_syscall, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 now = bpf_ktime_get_ns();
	struct sample_key key;
	struct scratch *s;

	if (number != SYS_SCHED_YIELD || !is_target(task))
		return 0;
	s = stack_begin();
	if (!s)
		return 0;
	take_user_stack(task, &s->state);
	stack_end(s, task, &key, now, (struct sample_count){.samples = 1, .weight = weight});
	return 0;
}

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
