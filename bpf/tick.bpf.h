/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counts the running task's stack at each tick of a perf event. */
#ifndef CPROF_BPF_TICK_BPF_H
#define CPROF_BPF_TICK_BPF_H

#define MAX_PERIODS 100000

/*
 * Returns for how many periods of a clock this tick counts. Ticks come late if interrupts are off
 * or a hypervisor has taken the CPU away, and the kernel then skips the missed ones. Their time
 * belongs to the current thread only if it has run ever since the last tick, without a switch. An
 * idle virtual CPU may get no ticks at all, and the first thread that runs on it again would
 * otherwise be charged with the idle time.
 */
static __always_inline u64 periods_since_last(struct scratch *s, struct task_struct *task, u64 now)
{
	u64 period = settings.clock_period, n = 1;

	if (period && s->last_tick && s->tick_tid == task->pid && s->tick_switches == s->switches)
		n = (now - s->last_tick + period / 2) / period;
	s->last_tick = now;
	s->tick_tid = task->pid;
	s->tick_switches = s->switches;
	return n && n <= MAX_PERIODS ? n : 1;
}

static __always_inline void take_sample(struct bpf_perf_event_data *ctx, struct scratch *s,
					struct task_struct *task)
{
	bool in_user = arch_is_user_pc(arch_pc((struct pt_regs *)&ctx->regs));

	if (settings.kernel && !in_user)
		take_kernel_stack(ctx, s);
	if (settings.user)
		take_user_stack(task, &s->state);
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 now = bpf_ktime_get_ns(), periods;
	struct scratch *s = stack_begin();
	struct sample_key key;

	if (!s)
		return 0;
	periods = periods_since_last(s, task, now);
	stat_add(STAT_TICKS, periods);
	stat_add(STAT_LATE_TICKS, periods - 1);
	if (!is_target(task)) {
		scratch_release(s);
		return 0;
	}
	take_sample(ctx, s, task);
	stack_end(s, task, &key, now,
		  (struct sample_count){.samples = 1, .weight = ctx->sample_period * periods});
	return 0;
}

#endif
