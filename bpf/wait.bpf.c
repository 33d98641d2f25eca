/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements cprof block, mutex, offcpu and wall: why threads do not run, measured at the
 * scheduler. A thread's stack is taken when it leaves the CPU, and the time is counted under it
 * when it comes back. The waker is the task that runs in sched_waking. No system call gets slower,
 * and a lock without contention costs nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"
#include "tick.bpf.h"
#include "wait_table.bpf.h"
#include "waiters.bpf.h"
#include "owners.bpf.h"
#include "retries.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

/* One iterator runs at a time, in cprof; our own programs may interrupt it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct thread_record);
} thread_buffer SEC(".maps");

/* ---- leaving and coming ---------------------------------------------------------------------- */

static __always_inline bool stack_wanted(const struct thread_wait *t)
{
	return has_mode(WAIT_MODE_OFFCPU | WAIT_MODE_OWNERS) ||
	       (has_mode(WAIT_MODE_BLOCK) && t->cause == WAIT_LOCK);
}

static __always_inline enum wait_outcome outcome_of(struct task_struct *task,
						    const struct thread_wait *t)
{
	if (t->outcome == WAIT_ACQUIRED)
		return WAIT_ACQUIRED;
	if (signal_pending(task))
		return WAIT_INTERRUPTED;
	return t->timed ? WAIT_TIMEOUT : WAIT_ACQUIRED;
}

/* Handles a lock wait that ends now: the waiter's stack was taken, or it was among the waiters. */
static __always_inline bool lock_wait_seen(const struct thread_wait *t)
{
	if (t->cause != WAIT_LOCK)
		return false;
	if (has_mode(WAIT_MODE_BLOCK))
		return t->counted;
	return has_mode(WAIT_MODE_MUTEX) && t->woken && !is_other_lock(t->object);
}

static __always_inline void count_off_cpu(struct thread_wait *t, u64 now)
{
	const struct wait_rules rules = rules_now();
	struct wait_count parts[2];

	wait_end_off_cpu(t, &rules, now, parts);
	count_wait(&parts[0]);
	count_wait(&parts[1]);
}

/*
 * sched_waking on another CPU can fire before our sched_switch for the sleeper. Such a wait had
 * ended before we recorded its start; only waiting for the CPU is left.
 */
#define EARLY_NS 10000

static __always_inline void heed_early_waker(struct task_struct *task, struct thread_wait *t)
{
	if (!t->woken && t->early && t->since - t->early < EARLY_NS) {
		t->woken = t->since;
		t->outcome = WAIT_ACQUIRED;
	}
	t->early = 0;
	unqueue_waiter(t); /* if it is still among them */
}

/* Ends the thread's wait at `now`; from then on it runs. */
static __always_inline void wait_ends(struct task_struct *task, struct thread_wait *t, u64 now)
{
	if (now < begun)
		t->counted = 0;
	if (!t->running && lock_wait_seen(t))
		lock_wait_over(t, outcome_of(task, t), now);
	else if (has_mode(WAIT_MODE_OFFCPU) && t->counted)
		count_off_cpu(t, now);
	t->counted = 0;
	t->since = now;
	t->running = 1;
}

static __always_inline void lock_wait_begins(struct task_struct *task, struct thread_wait *t)
{
	if (t->first)
		t->since = t->first;
	queue_waiter(t);
	if (has_mode(WAIT_MODE_OWNERS))
		ask_owner(t);
}

static __always_inline void leave(void *ctx, struct task_struct *task, struct thread_wait *t,
				  bool preempted)
{
	u64 now = bpf_ktime_get_ns();

	/*
	 * It has run without being seen: some hypervisors' kernels run no program on a switch away
	 * from their own agent. Its wait was over when it was woken.
	 */
	if (!t->running) {
		unqueue_waiter(t);
		wait_ends(task, t, t->woken ? t->woken : now);
	}
	stat_add(STAT_RUNNING, passed(t->since, now));
	find_cause(task, t, preempted);
	if (has_mode(WAIT_MODE_LOCKS))
		settle_unless_going_on(t, now);
	t->counted = 0;
	t->outcome = 0;
	t->waker = 0;
	t->since = now;
	/* It is already on its way back, because this program ran after the waker; or it never
	 * slept. */
	t->woken = t->cause == WAIT_RUNNABLE || is_waking(task) ? now : 0;
	arch_order_stores();
	t->running = 0;
	if (has_mode(WAIT_MODE_MUTEX) && t->cause == WAIT_LOCK && !is_other_lock(t->object) &&
	    !t->woken)
		lock_wait_begins(task, t);
	if (!stack_wanted(t))
		return;
	t->counted = take_stack(ctx, task, kernel_path_of(task, t), &t->key, now);
	if (has_mode(WAIT_MODE_OWNERS) && t->counted && t->asked)
		answer(t, &t->key);
}

static __always_inline void come(struct task_struct *task)
{
	u64 now = bpf_ktime_get_ns();
	struct thread_wait *t = wait_of(task);

	if (!t) {
		wait_new(task, now);
		return;
	}
	if (!t->running)
		heed_early_waker(task, t);
	wait_ends(task, t, now);
}

/* The thread has left its CPU for the last time. */
static __always_inline void thread_ends(struct task_struct *task)
{
	struct thread_wait *t = wait_of(task);

	if (!t)
		return;
	if (has_mode(WAIT_MODE_BLOCK))
		settle(t);
	unqueue_waiter(t);
	wait_delete(global_tid(task));
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	if (prev->exit_state) {
		/* The process is no longer a target if this is its last thread. */
		thread_ends(prev);
	} else if (prev->pid && is_target(prev)) {
		struct thread_wait *t = wait_of(prev);

		if (!t)
			t = wait_new(prev, bpf_ktime_get_ns());
		if (t)
			leave(ctx, prev, t, preempt);
	}
	if (next->pid && !next->exit_state && is_target(next))
		come(next);
	return 0;
}

/*
 * A thread other than the first one runs another program. The other threads have ended, and it gets
 * the number of the first one (fs/exec.c, de_thread), whose entry may still be there.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_wait, struct task_struct *task, int old_pid)
{
	struct global_pid old = {old_pid}, tid = global_tid(task);
	struct thread_wait *t = bpf_map_lookup_elem(&thread_waits, &old), moved;

	if (!t || old.nr == tid.nr || t->tgid.nr != global_tgid(task).nr)
		return 0;
	moved = *t;
	moved.proc_tid = proc_tid(task);
	moved.inner = inner_tid(task);
	wait_delete(old);
	wait_delete(tid);
	wait_put(tid, &moved);
	return 0;
}

/* ---- waking ---------------------------------------------------------------------------------- */

/* Counts the wait under the stack of the running thread, which has just ended a lock wait. */
static __always_inline void blame_holder(void *ctx, struct task_struct *sleeper,
					 struct thread_wait *t, u64 now)
{
	u64 delay = release_waiters(t, now);
	struct sample_key key;

	if (has_mode(WAIT_MODE_OWNERS))
		owner_leaves(t, delay);
	if (now - t->since < wait_settings.min_ns)
		return;
	if (!take_stack(ctx, bpf_get_current_task_btf(), KERNEL_PATH_ANY, &key, now))
		return;
	key.object = t->object;
	key.cause = WAIT_LOCK;
	count_add(&key, 1, delay);
}

/* For a wake-up from interrupt context the interrupted task is recorded as the waker, as there is
 * no better candidate. */
static __always_inline void take_waker(void *ctx, struct thread_wait *t, u64 now)
{
	struct sample_key key;

	if (t->counted && take_stack(ctx, bpf_get_current_task_btf(), KERNEL_PATH_ANY, &key, now))
		t->waker = key.stack;
}

static __always_inline void no_holder(struct task_struct *sleeper, struct thread_wait *t, u64 now)
{
	stat_add(STAT_NO_HOLDER, 1);
	stat_add(STAT_NO_HOLDER_TIME, passed(t->since, now));
	unqueue_waiter(t);
}

static __always_inline void lock_wait_ends(void *ctx, struct task_struct *sleeper,
					   struct thread_wait *t, u64 now)
{
	if (releases_lock(bpf_get_current_task_btf(), t->object)) {
		t->outcome = WAIT_ACQUIRED;
		if (has_mode(WAIT_MODE_LOCKS))
			note_release(t->object);
		if (has_mode(WAIT_MODE_MUTEX))
			blame_holder(ctx, sleeper, t, now);
	} else if (has_mode(WAIT_MODE_MUTEX)) {
		no_holder(sleeper, t, now);
	}
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct thread_wait *t;
	u64 now;

	if (!is_target(task))
		return 0;
	t = wait_of(task);
	if (!t || t->woken)
		return 0;
	now = bpf_ktime_get_ns();
	if (t->running) {
		t->early = now;
		return 0;
	}
	t->woken = now;
	if (has_mode(WAIT_MODE_WAKERS))
		take_waker(ctx, t, now);
	/* mutex is about locks of the program's memory, which have holders. */
	if (t->cause == WAIT_LOCK && !(has_mode(WAIT_MODE_MUTEX) && is_other_lock(t->object)))
		lock_wait_ends(ctx, task, t, now);
	return 0;
}

/* Handles mutex --owners: a thread runs that owns a lock which others wait for. */
SEC("perf_event")
int on_owner_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool in_user = arch_is_user_pc(arch_pc((struct pt_regs *)&ctx->regs));
	struct thread_wait *t = wait_of(task);
	struct sample_key key;

	if (t && t->running && t->asked &&
	    take_stack(ctx, task, in_user ? KERNEL_PATH_NONE : KERNEL_PATH_ANY, &key,
		       bpf_ktime_get_ns()))
		answer(t, &key);
	return 0;
}

/* ---- the start of a recording ---------------------------------------------------------------- */

static __always_inline void fill_record(struct thread_record *r, struct task_struct *task,
					const struct pt_regs *regs, u64 ticket)
{
	long bytes;

	__builtin_memset(&r->key, 0, sizeof(r->key));
	r->key.stack = ticket;
	fill_labels(&r->key, task);
	fill_thread(&r->thread, task);
	arch_take_registers(&r->regs, regs);
	r->regs.exact = arch_syscall(regs) == -1;
	r->user = settings.user && task->mm;
	r->nframes = 0;
	bytes = settings.kernel
			? bpf_get_task_stack(task, r->frames, STACK_MAX_KERNEL * sizeof(u64), 0)
			: 0;
	if (bytes > 0)
		r->nframes = (u32)bytes / sizeof(u64);
}

/*
 * Handles the target's threads when the recording begins. From now on their time counts, and user
 * space takes the stacks of those that sleep.
 */
SEC("iter/task")
int list_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u64 now = bpf_ktime_get_ns();
	struct thread_wait *t;
	struct thread_record *r;
	struct pt_regs *regs;
	u32 zero = 0;

	if (!task || !task->pid || !is_target(task))
		return 0;
	r = bpf_map_lookup_elem(&thread_buffer, &zero);
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (!r || !regs || is_dead(task) || wait_of(task))
		return 0;
	t = wait_new(task, now);
	if (!t || BPF_CORE_READ(task, on_cpu))
		return 0;
	find_cause(task, t, false);
	fill_record(r, task, regs, ticket_of(task->pid, now));
	t->key = r->key;
	t->woken = t->cause == WAIT_RUNNABLE ? now : 0;
	t->counted = stack_wanted(t);
	arch_order_stores();
	t->running = 0;
	if (BPF_CORE_READ(task, on_cpu)) /* it has come back meanwhile */
		t->running = 1;
	else if (t->counted && !bpf_seq_write(ctx->meta->seq, r, sizeof(*r)))
		stat_add(STAT_SAMPLES, 1);
	return 0;
}
