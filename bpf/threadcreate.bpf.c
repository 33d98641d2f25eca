/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements cprof threadcreate: takes the stack of the creator of a thread (--processes: of
 * a process), and follows what was created until it ends. Nothing runs between creations.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

const volatile struct created_config created;

u64 began_ns; /* CLOCK_MONOTONIC; what has no creator and began earlier existed before */
u32 command_waits; /* the target is a command whose first exec is still to come */
u32 ending; /* what is alive is being listed for the last time */
u32 names_used;

/* Threads by task, which has no number that another one could get. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct created_task);
} created_threads SEC(".maps");

/* Processes by number, because exec by another thread than the first one exchanges the tasks. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct global_pid);
	__type(value, struct created_task);
} created_processes SEC(".maps");

struct created_name {
	char text[COMM_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CREATED_MAX_NAMES);
	__type(key, struct created_name);
	__type(value, u32);
} names SEC(".maps");

/* By the number of a module; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CREATED_MAX_LIBRARIES);
	__type(key, u32);
	__type(value, u32);
} start_places SEC(".maps");

SEC("iter/task")
int forget_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		bpf_task_storage_delete(&created_threads, task);
	return 0;
}

/* ---- names ---- */

/* Returns its number, or 0 if there is no space for more names. */
static __always_inline u16 name_number(struct task_struct *task)
{
	struct created_name name = {};
	u32 *known, number;

	bpf_probe_read_kernel_str(name.text, sizeof(name.text), task->comm);
	known = bpf_map_lookup_elem(&names, &name);
	if (known)
		return (u16)*known;
	number = __sync_fetch_and_add(&names_used, 1) + 1;
	if (number > CREATED_MAX_NAMES) {
		names_used = CREATED_MAX_NAMES;
		return 0;
	}
	if (!bpf_map_update_elem(&names, &name, &number, BPF_NOEXIST))
		return (u16)number;
	known = bpf_map_lookup_elem(&names, &name); /* another CPU was faster */
	return known ? (u16)*known : 0;
}

/* ---- the start routine ---- */

/* musl puts the arguments of a thread below it, and its stack pointer points to their address. */
static __always_inline u64 start_on_stack(struct task_struct *child)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(child);
	u64 args = 0, start = 0;

	if (!regs || bpf_probe_read_user(&args, sizeof(args), (void *)arch_sp(regs)) ||
	    bpf_probe_read_user(&start, sizeof(start), (void *)args))
		return 0;
	return start;
}

/* The child's memory is that of its creator, which is running. */
static __always_inline u64 start_address(u32 place, struct task_struct *child)
{
	u64 start = 0;

	if (place == CREATED_START_ON_STACK)
		return start_on_stack(child);
	if (place >= CREATED_START_MAX)
		return 0;
	if (bpf_probe_read_user(&start, sizeof(start),
				(void *)(arch_thread_pointer(child) + place)))
		return 0;
	return start;
}

/* Adds it in front of the creator's frames; false if it is not known. */
static __always_inline bool take_start(struct stack_walk *st, struct task_struct *child)
{
	u32 module = 0, *place;
	u64 start, off = 0;

	if (!env_find_module(st, st->regs.pc, &module, &off))
		return false;
	place = bpf_map_lookup_elem(&start_places, &module);
	start = place ? start_address(*place, child) : 0;
	if (!start || !env_find_module(st, start, &module, &off)) {
		st->missing_module = 0;
		return false;
	}
	push_frame(st, FRAME(module, off));
	return true;
}

/* ---- creation ---- */

static __always_inline u32 take_creator(struct task_struct *task, struct task_struct *child,
					struct stack_walk *st)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u32 cause = CREATED_PLAIN;

	if (!task->mm || !regs || !begin_user_stack(task, st, regs))
		return cause;
	st->regs.exact = arch_syscall(regs) == -1;
	if (!created.processes && take_start(st, child))
		cause = CREATED_STARTS;
	st->missing_module = 0;
	unwind_user(st);
	return cause;
}

static __always_inline bool follow(struct task_struct *child, const struct created_task *made)
{
	struct global_pid tgid = global_tgid(child);
	struct created_task *to;

	if (created.processes)
		return !bpf_map_update_elem(&created_processes, &tgid, made, BPF_ANY);
	to = bpf_task_storage_get(&created_threads, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (to)
		*to = *made;
	return to;
}

/* This runs in the creator, before the new thread runs. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_created, struct task_struct *parent, struct task_struct *child)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool process = parent->tgid != child->tgid;
	u64 now = bpf_ktime_get_ns();
	struct created_task made = {};
	struct scratch *s;

	if (process != !!created.processes || !is_target(task))
		return 0;
	s = stack_begin();
	if (!s)
		return 0;
	made.cause = take_creator(task, child, &s->state);
	if (!stack_end(s, task, &made.key, now, COUNTED_LATER) || follow(child, &made))
		return 0;
	made.key.cause = made.cause;
	count_add(&made.key, 1, 0);
	stat_add(STAT_CREATED_UNFOLLOWED, 1);
	return 0;
}

/* ---- what becomes of it ---- */

static __always_inline struct created_task *created_task_of(struct task_struct *task)
{
	struct global_pid tgid = global_tgid(task);

	if (created.processes)
		return bpf_map_lookup_elem(&created_processes, &tgid);
	return bpf_task_storage_get(&created_threads, task, NULL, 0);
}

static __always_inline void count_named(const struct created_task *made, struct task_struct *task,
					u64 creations, u64 execs)
{
	struct sample_key key = made->key;

	key.cause = made->cause;
	key.outcome = name_number(task);
	count_add(&key, creations, execs);
}

/* Returns whether it is this caller who has to count it. */
static __always_inline bool claim(struct created_task *made)
{
	return __sync_val_compare_and_swap(&made->counted, CREATED_UNCOUNTED, CREATED_COUNTED) ==
	       CREATED_UNCOUNTED;
}

/* This runs at the exit of any thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_ended, struct task_struct *task)
{
	struct created_task *made = created_task_of(task);
	struct global_pid tgid = global_tgid(task);

	if (!made || (created.processes && !process_has_ended(task)))
		return 0;
	if (claim(made))
		count_named(made, task, 1, 0);
	if (created.processes)
		bpf_map_delete_elem(&created_processes, &tgid);
	return 0;
}

/* A process runs another program, and has its name then. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct created_task *made, before = {.cause = CREATED_BEFORE};

	if (!created.processes || ending)
		return 0;
	made = created_task_of(task);
	if (made) {
		count_named(made, task, claim(made), 1);
		return 0;
	}
	if (!is_target(task) || __sync_lock_test_and_set(&command_waits, 0))
		return 0;
	before.key.stack = CREATED_BEFORE_STACK;
	fill_labels(&before.key, task);
	count_named(&before, task, 0, 1);
	return 0;
}

/* ---- what is alive ---- */

#define PF_EXITING 0x4 /* include/linux/sched.h */
#define PF_IO_WORKER 0x10 /* made by io_uring, not by the program */

/* A main thread begins with its process. */
static __always_inline bool is_listed(struct task_struct *task)
{
	return task->pid && task->mm && !(task->flags & PF_IO_WORKER) &&
	       (task->pid == task->tgid) == !!created.processes;
}

static __always_inline bool is_dead(struct task_struct *task)
{
	return created.processes ? process_has_ended(task) : !!(task->flags & PF_EXITING);
}

/* An iterator visits a task again if its record did not fit, so the mark for it can be there. */
static __always_inline bool is_counted(struct created_task *made)
{
	u32 was = made->counted;

	if (ending)
		was = __sync_val_compare_and_swap(&made->counted, CREATED_UNCOUNTED,
						  CREATED_LISTED);
	return was == CREATED_COUNTED;
}

SEC("iter/task")
int list_created(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct created_record record = {};
	struct created_task *made;

	if (!task || !is_listed(task))
		return 0;
	made = created_task_of(task);
	if (made) {
		record.counted = is_counted(made);
		record.key = made->key;
		record.key.cause = made->cause;
		/* A thread that has been counted is about to end. */
		if (record.counted && !created.processes)
			return 0;
	} else {
		if (!is_target(task) || is_dead(task) || task->start_time > began_ns)
			return 0;
		record.key.cause = CREATED_BEFORE;
		fill_labels(&record.key, task);
	}
	record.key.outcome = name_number(task);
	record.thread_pointer = arch_thread_pointer(task);
	fill_thread(&record.thread, task);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
