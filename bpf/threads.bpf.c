/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements cprof threads: what all threads of the target do at one moment. Nothing is attached to
 * the target. One iterator reads each thread's registers, kernel stack and times, and a second one
 * tells which of them have run since, so that user space can copy stacks in between. The stacks of
 * threads that run are copied by a tick of their CPU.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"
#include "cause.bpf.h"
#include "thread_file.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

/* The scheduler's part of a task, under names that also exist where vmlinux_min.h is used. */
struct sched_info___cprof {
	unsigned long long last_arrival, last_queued;
} __attribute__((preserve_access_index));

struct sched_entity___cprof {
	u64 exec_start, sum_exec_runtime;
} __attribute__((preserve_access_index));

struct task_struct___cprof {
	struct sched_entity___cprof se;
	struct sched_info___cprof sched_info; /* with CONFIG_SCHED_INFO */
} __attribute__((preserve_access_index));

/* One iterator runs at a time, in cprof. */
struct look_buffer {
	struct thread_wait wait; /* what find_cause() fills in */
	struct thread_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct look_buffer);
} look_buffers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct global_pid);
	__type(value, struct thread_mark);
} marks SEC(".maps");

static __always_inline struct thread_mark *mark_of(struct task_struct *task)
{
	struct global_pid tid = global_tid(task);

	return bpf_map_lookup_elem(&marks, &tid);
}

static __always_inline u64 arrival(const struct task_struct *task)
{
	const struct task_struct___cprof *t = (const void *)task;

	return bpf_core_field_exists(t->sched_info) ? BPF_CORE_READ(t, sched_info.last_arrival) : 0;
}

static __always_inline void read_times(struct thread_state *s, struct task_struct *task)
{
	const struct task_struct___cprof *t = (const void *)task;

	s->now = bpf_ktime_get_ns();
	s->reader_arrived = arrival(bpf_get_current_task_btf());
	s->arrived = arrival(task);
	s->queued = bpf_core_field_exists(t->sched_info) ? BPF_CORE_READ(t, sched_info.last_queued)
							 : 0;
	s->accounted = BPF_CORE_READ(t, se.exec_start);
	s->run_ns = BPF_CORE_READ(t, se.sum_exec_runtime);
	s->started = task->start_time;
}

static __always_inline void read_call(struct thread_state *s, const struct pt_regs *regs)
{
	s->syscall = arch_syscall(regs);
	for (u32 i = 0; i < THREAD_ARGUMENTS; i++)
		s->argument[i] = arch_syscall_arg(regs, i);
}

/* The words of a thread that runs in user mode are those of its last entry into the kernel. */
static __always_inline void read_record(struct thread_record *r, struct task_struct *task,
					const struct pt_regs *regs, u64 now)
{
	long bytes = 0;

	__builtin_memset(&r->key, 0, sizeof(r->key));
	r->key.stack = ticket_of(task->pid, now);
	r->key.tgid = global_tgid(task);
	r->key.tid = global_tid(task);
	fill_thread(&r->thread, task);
	arch_take_registers(&r->regs, regs);
	r->regs.exact = arch_syscall(regs) == -1;
	r->user = settings.user && task->mm;
	if (settings.kernel && !task->on_cpu)
		bytes = bpf_get_task_stack(task, r->frames, STACK_MAX_KERNEL * sizeof(u64), 0);
	r->nframes = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
}

/* Lists the threads of the target that are not settled. */
SEC("iter/task")
int list_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct look_buffer *b;
	struct thread_state *s;
	struct thread_mark *mark;
	struct pt_regs *regs;
	u32 zero = 0;

	if (!task || !task->pid || !is_target(task) || is_dead(task))
		return 0;
	mark = mark_of(task);
	if (mark && (mark->state == THREAD_SETTLED || mark->state == THREAD_TAKEN))
		return 0;
	b = bpf_map_lookup_elem(&look_buffers, &zero);
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (!b || !regs)
		return 0;
	s = &b->state;
	s->on_cpu = task->on_cpu;
	s->switches = task->nvcsw + task->nivcsw;
	read_times(s, task);
	read_call(s, regs);
	s->inner = inner_tid(task);
	s->kernel_state = task_state(task);
	__builtin_memset(&b->wait, 0, sizeof(b->wait));
	find_cause(task, &b->wait, false);
	s->cause = b->wait.cause;
	s->timed = b->wait.timed;
	s->object = b->wait.object;
	read_record(&s->record, task, regs, s->now);
	bpf_seq_write(ctx->meta->seq, s, sizeof(*s));
	return 0;
}

/* Says which of the threads that slept have run since, and describes what they wait for. */
SEC("iter/task")
int check_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_check check = {};
	struct thread_mark *mark;

	if (!task || !task->pid)
		return 0;
	mark = mark_of(task);
	if (!mark || mark->state != THREAD_ASLEEP || is_dead(task))
		return 0;
	check.tid = global_tid(task);
	check.on_cpu = task->on_cpu;
	check.switches = task->nvcsw + task->nivcsw;
	if (mark->fd >= 0)
		describe_file(task, mark->fd, &check.file);
	bpf_seq_write(ctx->meta->seq, &check, sizeof(check));
	return 0;
}

static __always_inline void take_kernel_part(struct bpf_perf_event_data *ctx, struct scratch *s)
{
	bool in_user = arch_is_user_pc(arch_pc((struct pt_regs *)&ctx->regs));

	if (settings.kernel && !in_user)
		take_kernel_stack(ctx, s);
}

/* User space walks the stack, because the walker would be most of what is loaded for a look. */
static __always_inline bool send_running(struct scratch *s, struct task_struct *task,
					 const struct pt_regs *regs, u64 ticket)
{
	struct sample_key key = {
		.stack = ticket, .tgid = global_tgid(task), .tid = global_tid(task)};

	if (!task->mm || !settings.user || !arch_is_64bit(regs))
		return s->state.nframes && send_stack(s, &key, task);
	arch_take_registers(&s->state.regs, regs);
	s->state.regs.exact = arch_syscall(regs) == -1;
	push_frame(&s->state, FRAME(MODULE_CUT, STACK_LOADING)); /* which is not sent */
	return send_pending(&s->state, &key, task);
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_mark *mark = mark_of(task);
	struct pt_regs *regs;
	struct scratch *s;

	if (!mark || mark->state != THREAD_RUNNING)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	s = regs ? stack_begin() : NULL;
	if (!s)
		return 0;
	take_kernel_part(ctx, s);
	if (send_running(s, task, regs, mark->ticket))
		mark->state = THREAD_TAKEN;
	else
		stat_add(STAT_LOST_RING, 1);
	scratch_release(s);
	return 0;
}
