/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* cprof cpu: a perf event ticks, the running task's stack is counted. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "vma.bpf.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

static __always_inline void sample(struct bpf_perf_event_data *ctx, struct scratch *s, u64 id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool in_user = (s64)ctx->regs.ip >= 0; /* the kernel has the upper half */

	state_reset(&s->state);
	if (settings.kernel && !in_user)
		take_kernel_stack(ctx, s);
	if (settings.user)
		take_user_stack(task, &s->state);
	if (!s->state.nframes)
		return;
	stat_add(STAT_SAMPLES, 1);
	stat_add(STAT_ENDS_FIRST + s->state.end, 1);
	count_stack(s, id >> 32, (u32)id, ctx->sample_period, task);
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	struct scratch *s;
	u32 zero = 0;
	u64 begin;

	stat_add(STAT_TICKS, 1);
	if (!is_target(bpf_get_current_task_btf(), id >> 32))
		return 0;
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s)
		return 0;
	if (s->busy) {
		stat_add(STAT_LOST_SCRATCH, 1);
		return 0;
	}
	s->busy = 1;
	begin = bpf_ktime_get_ns();
	sample(ctx, s, id);
	stat_add(STAT_NANOSECONDS, bpf_ktime_get_ns() - begin);
	s->busy = 0;
	return 0;
}
