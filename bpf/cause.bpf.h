/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Determines why a thread leaves the CPU, from its state, the system call that it is in
 * (arch/syscalls.h) and the kind of file of that call.
 */
#ifndef CPROF_BPF_CAUSE_BPF_H
#define CPROF_BPF_CAUSE_BPF_H

#include "files.bpf.h"

/* include/linux/sched.h */
#define TASK_INTERRUPTIBLE 0x01
#define TASK_STOPPED_OR_TRACED 0x0c
#define TASK_DEAD 0x80
#define TASK_WAKING 0x200
#define PF_EXITING 0x04
#define PF_IO_WORKER 0x10

/* include/uapi/asm-generic/fcntl.h */
#define F_SETLKW 7
#define F_OFD_SETLKW 38

/* include/uapi/linux/futex.h */
#define FUTEX_COMMANDS 0x7f
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_TID_MASK 0x3fffffffu
enum futex_op {
	FUTEX_WAIT,
	FUTEX_WAKE,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE,
	FUTEX_WAKE_OP,
	FUTEX_LOCK_PI,
	FUTEX_UNLOCK_PI,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET,
	FUTEX_WAIT_REQUEUE_PI,
	FUTEX_CMP_REQUEUE_PI,
	FUTEX_LOCK_PI2,
};

struct task_struct___old_state { /* before 5.14 */
	long state;
} __attribute__((preserve_access_index));

struct task_struct___new_state {
	unsigned int __state;
} __attribute__((preserve_access_index));

static __always_inline u32 task_state(struct task_struct *task)
{
	struct task_struct___new_state *new = (void *)task;
	struct task_struct___old_state *old = (void *)task;

	if (bpf_core_field_exists(new->__state))
		return BPF_CORE_READ(new, __state);
	return (u32)BPF_CORE_READ(old, state);
}

static __always_inline bool is_dead(struct task_struct *task)
{
	return BPF_CORE_READ(task, exit_state) || (task_state(task) & TASK_DEAD);
}

/* try_to_wake_up() has set this before the sleeper had left its CPU completely. */
static __always_inline bool is_waking(struct task_struct *task)
{
	return task_state(task) & TASK_WAKING;
}

static __always_inline bool signal_pending(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.flags) & ARCH_SIGPENDING;
}

static __always_inline enum wait_cause cause_of_file(struct task_struct *task, u32 fd)
{
	struct file *file = file_of(task, fd);

	switch (file ? file_type(file) : 0) {
	case S_IFSOCK:
		return WAIT_NETWORK;
	case S_IFIFO:
		return WAIT_PIPE;
	case S_IFREG:
	case S_IFBLK:
		return WAIT_DISK;
	default:
		return WAIT_OTHER;
	}
}

#include "uring_cause.bpf.h"

/*
 * Returns whether the value that a futex call expects means "locked, with waiters" in a lock that
 * goes to the fastest thread: 2 (glibc, Rust; with another bit, rwlocks) or the bit of robust
 * futexes and musl.
 */
static __always_inline bool waits_for_locked(u64 value)
{
	return ((u32)value & ~1u) == 2 || ((u32)value & FUTEX_WAITERS);
}

/* Finds the word that a futex call waits on; false if the call does something else. */
static __always_inline bool futex_wait_word(const struct pt_regs *regs, struct thread_wait *t)
{
	u64 word = arch_syscall_arg(regs, 0);

	t->retries = arch_syscall(regs) == SYS_FUTEX && waits_for_locked(arch_syscall_arg(regs, 2));
	switch (arch_syscall(regs)) {
	case SYS_FUTEX:
		switch (arch_syscall_arg(regs, 1) & FUTEX_COMMANDS) {
		case FUTEX_WAIT:
		case FUTEX_WAIT_BITSET:
		case FUTEX_LOCK_PI:
		case FUTEX_LOCK_PI2:
		case FUTEX_WAIT_REQUEUE_PI:
			t->timed = arch_syscall_arg(regs, 3) != 0;
			break;
		default:
			return false;
		}
		break;
	case SYS_FUTEX_WAIT:
		t->timed = arch_syscall_arg(regs, 4) != 0;
		break;
	case SYS_FUTEX_WAITV: /* struct futex_waitv { val, uaddr, ... }: the first one */
		t->timed = arch_syscall_arg(regs, 3) != 0;
		if (bpf_probe_read_user(&word, sizeof(word),
					(void *)(arch_syscall_arg(regs, 0) + 8)))
			word = 0;
		break;
	default:
		return false;
	}
	t->object = word;
	return true;
}

/* Handles waits for locks that are not futexes; WAIT_OTHER if the call is for something else. */
static __always_inline enum wait_cause other_lock(const struct pt_regs *regs, struct thread_wait *t)
{
	t->retries = 0;
	t->timed = 0;
	switch (arch_syscall(regs)) {
	case SYS_FLOCK:
		t->object = LOCK_FLOCK;
		return WAIT_LOCK;
	case SYS_FCNTL:
		if (arch_syscall_arg(regs, 1) != F_SETLKW &&
		    arch_syscall_arg(regs, 1) != F_OFD_SETLKW)
			return WAIT_OTHER;
		t->object = LOCK_FCNTL;
		return WAIT_LOCK;
	default:
		t->timed = arch_syscall(regs) == SYS_SEMTIMEDOP && arch_syscall_arg(regs, 3);
		t->object = LOCK_SEMOP;
		return WAIT_LOCK;
	}
}

/* Handles the calls whose cause depends on the kind of file. */
static __always_inline enum wait_cause cause_of_transfer(struct task_struct *task,
							 const struct pt_regs *regs)
{
	switch (arch_syscall(regs)) {
	case SYS_READ:
	case SYS_WRITE:
	case SYS_PREAD:
	case SYS_PWRITE:
	case SYS_READV:
	case SYS_WRITEV:
	case SYS_PREADV:
	case SYS_PWRITEV:
	case SYS_PREADV2:
	case SYS_PWRITEV2:
	case SYS_SENDFILE:
	case SYS_SPLICE:
		return cause_of_file(task, arch_syscall_arg(regs, 0));
	default:
		return WAIT_OTHER;
	}
}

static __always_inline enum wait_cause cause_of_syscall(struct task_struct *task,
							const struct pt_regs *regs,
							struct thread_wait *t)
{
	switch (arch_syscall(regs)) {
	case SYS_FUTEX:
	case SYS_FUTEX_WAIT:
	case SYS_FUTEX_WAITV:
		return futex_wait_word(regs, t) ? WAIT_LOCK : WAIT_OTHER;
	case SYS_FLOCK:
	case SYS_FCNTL:
	case SYS_SEMOP:
	case SYS_SEMTIMEDOP:
		return other_lock(regs, t);
	case SYS_IO_URING_ENTER:
		return cause_of_ring(task, regs);
	case SYS_RESTART: /* this resumes a call that a signal interrupted */
		return t->slept == WAIT_NONE ? WAIT_OTHER : t->slept;
	case SYS_NANOSLEEP:
	case SYS_CLOCK_NANOSLEEP:
		return WAIT_SLEEP;
	case SYS_EPOLL_WAIT:
	case SYS_EPOLL_PWAIT:
	case SYS_EPOLL_PWAIT2:
	case SYS_ACCEPT:
	case SYS_ACCEPT4:
		return WAIT_IDLE;
	case SYS_POLL:
	case SYS_PPOLL:
	case SYS_SELECT:
	case SYS_PSELECT:
	case SYS_CONNECT:
	case SYS_SENDTO:
	case SYS_RECVFROM:
	case SYS_SENDMSG:
	case SYS_RECVMSG:
	case SYS_SENDMMSG:
	case SYS_RECVMMSG:
		return WAIT_NETWORK;
	case SYS_FSYNC:
	case SYS_FDATASYNC:
	case SYS_SYNC:
	case SYS_SYNCFS:
	case SYS_SYNC_FILE_RANGE:
	case SYS_IO_GETEVENTS:
	case SYS_IO_PGETEVENTS:
		return WAIT_DISK;
	case SYS_MSGSND:
	case SYS_MSGRCV:
	case SYS_MQ_TIMEDSEND:
	case SYS_MQ_TIMEDRECEIVE:
		return WAIT_PIPE;
	case SYS_PAUSE:
	case SYS_SIGTIMEDWAIT:
	case SYS_SIGSUSPEND:
		return WAIT_STOP;
	default:
		return cause_of_transfer(task, regs);
	}
}

static __always_inline void find_cause(struct task_struct *task, struct thread_wait *t,
				       bool preempted)
{
	const struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u32 state = task_state(task);

	if (t->cause != WAIT_RUNNABLE)
		t->slept = t->cause;
	if (!state || preempted) {
		t->cause = WAIT_RUNNABLE;
	} else if (state & TASK_STOPPED_OR_TRACED) {
		t->cause = WAIT_STOP;
	} else if (!regs) {
		t->cause = WAIT_OTHER;
	} else if (task->flags & PF_IO_WORKER) {
		/* Its registers are zero, which would be read(0). */
		t->cause = WAIT_IO_URING;
	} else if (arch_syscall(regs) < 0) {
		/* Outside of system calls, only a page fault sleeps for user code. */
		t->cause = WAIT_FAULT;
	} else {
		t->sp = arch_sp(regs);
		t->cause = cause_of_syscall(task, regs, t);
		if (t->cause == WAIT_OTHER && BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait))
			t->cause = WAIT_DISK;
	}
}

/* Returns whether the object of a wait for a lock is an enum other_lock. */
static __always_inline bool is_other_lock(u64 object)
{
	return object && object < LOCK_ADDRESSES;
}

static __always_inline bool call_releases_futex(const struct pt_regs *regs)
{
	switch (arch_syscall(regs)) {
	case SYS_FUTEX:
		switch (arch_syscall_arg(regs, 1) & FUTEX_COMMANDS) {
		case FUTEX_WAKE:
		case FUTEX_WAKE_OP:
		case FUTEX_WAKE_BITSET:
		case FUTEX_UNLOCK_PI:
		case FUTEX_REQUEUE:
		case FUTEX_CMP_REQUEUE:
		case FUTEX_CMP_REQUEUE_PI:
			return true;
		default:
			return false;
		}
	case SYS_FUTEX_WAKE:
	case SYS_FUTEX_REQUEUE:
	case SYS_EXIT:
	case SYS_EXIT_GROUP:
		return true;
	default:
		return false;
	}
}

static __always_inline bool call_releases_other(const struct pt_regs *regs)
{
	switch (arch_syscall(regs)) {
	case SYS_FLOCK:
	case SYS_FCNTL:
	case SYS_CLOSE:
	case SYS_SEMOP:
	case SYS_SEMTIMEDOP:
	case SYS_SEMCTL:
	case SYS_EXIT:
	case SYS_EXIT_GROUP:
		return true;
	default:
		return false;
	}
}

/* Returns whether this thread is in a call that ends a wait for `object`: a futex wake, the release
 * of another lock, or its own exit. */
static __always_inline bool releases_lock(struct task_struct *task, u64 object)
{
	const struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!regs || !task->mm)
		return false;
	if (task->flags & PF_EXITING)
		return true;
	return is_other_lock(object) ? call_releases_other(regs) : call_releases_futex(regs);
}

#endif
