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
	struct scratch *s;
	u32 zero = 0;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (number != SYS_SCHED_YIELD || !s || !is_target(task))
		return 0;
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		stat_add(STAT_LOST_SCRATCH, 1);
		return 0;
	}
	state_reset(&s->state);
	take_user_stack(task, &s->state);
	if (s->state.nframes)
		sample_done(s, weight, task);
	s->busy = 0;
	return 0;
}

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
