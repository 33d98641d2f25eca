/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements cprof fds. Probes behind the system calls that open descriptors see the result and
 * take the stack. Nothing watches how a descriptor is closed, because an iterator over the open
 * files says at the end which of them are still the same.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"
#include "files.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

u32 stopped;
u32 beginning; /* the iterator notes what is open, and writes nothing */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct fd_key);
	__type(value, struct fd_entry);
} descriptors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10);
} new_processes SEC(".maps");

/* ---- files ---- */

static __always_inline u16 kind_of_file(struct file *file)
{
	switch (file_type(file)) {
	case S_IFSOCK:
		return FD_SOCKET;
	case S_IFREG:
		return FD_FILE;
	case S_IFBLK:
	case S_IFCHR:
		return FD_DEVICE;
	case S_IFDIR:
		return FD_DIRECTORY;
	case S_IFIFO:
		return FD_PIPE;
	default:
		return FD_OTHER;
	}
}

/* Returns what only the system call says, or FD_NONE. */
static __always_inline u16 kind_of_call(u32 number)
{
	switch (number) {
	case SYS_EPOLL_CREATE:
	case SYS_EPOLL_CREATE1:
		return FD_EPOLL;
	case SYS_EVENTFD:
	case SYS_EVENTFD2:
		return FD_EVENT;
	case SYS_TIMERFD_CREATE:
		return FD_TIMER;
	case SYS_SIGNALFD:
	case SYS_SIGNALFD4:
		return FD_SIGNAL;
	case SYS_INOTIFY_INIT:
	case SYS_INOTIFY_INIT1:
		return FD_NOTIFY;
	case SYS_MEMFD_CREATE:
		return FD_MEMORY;
	case SYS_PIDFD_OPEN:
		return FD_PIDFD;
	default:
		return FD_NONE;
	}
}

/* ---- opening ---- */

/* It is false if the stack is lost, which is counted. */
__noinline bool take_stack(struct pt_regs *regs, struct sample_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct sample_count later = COUNTED_LATER;
	u64 now = bpf_ktime_get_ns();
	struct scratch *s;
	bool taken;

	if (!key)
		return false;
	s = stack_begin();
	if (!s)
		return false;
	take_stack_at(task, &s->state, regs, STACK_AT_PROBE, 0);
	/* Memory of the caller is not a key of a map to the verifier of 6.1. */
	taken = stack_finish(s, task, &s->record.key, now, &later);
	if (taken)
		*key = s->record.key;
	stack_leave(s, now);
	return taken;
}

/* A copy is what the original was. */
static __always_inline u16 kind_of_copy(struct task_struct *task, u32 of, struct file *file)
{
	struct fd_key key = {.tgid = global_tgid(task), .fd = of};
	struct fd_entry *entry = bpf_map_lookup_elem(&descriptors, &key);

	return entry && entry->file == (u64)file && entry->key.cause ? entry->key.cause
								     : kind_of_file(file);
}

static __always_inline bool is_copy(u32 number)
{
	return number == SYS_DUP || number == SYS_DUP2 || number == SYS_DUP3 || number == SYS_FCNTL;
}

/* It is not inlined, because its frame would add to that of the walk, which is deep. */
static __noinline void opened(struct pt_regs *ctx, u32 number, u32 fd,
			      const struct sample_key *stack)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fd_key key = {.tgid = global_tgid(task), .fd = fd};
	struct file *file = file_of(task, fd);
	struct fd_entry entry = {.key = *stack, .file = (u64)file, .time = bpf_ktime_get_ns()};

	entry.key.cause = kind_of_call(number);
	if (!entry.key.cause && file)
		entry.key.cause = is_copy(number)
					  ? kind_of_copy(task, (u32)arch_syscall_arg(ctx, 0), file)
					  : kind_of_file(file);
	count_add(&entry.key, 1, 0);
	if (file && bpf_map_update_elem(&descriptors, &key, &entry, BPF_ANY))
		stat_add(STAT_FD_UNFOLLOWED, 1);
}

#define F_DUPFD 0 /* include/uapi/asm-generic/fcntl.h */
#define F_DUPFD_CLOEXEC 1030

/* The verifier refuses a pointer to one of two registers, which the compiler would make. */
static __always_inline u64 argument_of(const struct pt_regs *ctx, u32 which)
{
	u64 value = arch_syscall_arg(ctx, which);

	__asm__ volatile("" : "+r"(value));
	return value;
}

/* Returns how many descriptors a call has opened, and gives them. */
static __always_inline u32 opened_by(struct pt_regs *ctx, u32 number, u32 fds[2])
{
	u64 first = argument_of(ctx, 0), fourth = argument_of(ctx, 3), pair = 0;
	u32 command = (u32)argument_of(ctx, 1);

	fds[0] = (u32)arch_result(ctx);
	switch (number) {
	case SYS_PIPE:
	case SYS_PIPE2:
		pair = first;
		break;
	case SYS_SOCKETPAIR:
		pair = fourth;
		break;
	case SYS_FCNTL:
		return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
	case SYS_DUP2:
		return fds[0] != (u32)first;
	default:
		return 1;
	}
	return bpf_probe_read_user(fds, 2 * sizeof(*fds), (void *)pair) ? 0 : 2;
}

SEC("kprobe")
int on_syscall(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	u32 number = FD_COOKIE_NUMBER(cookie), fds[2] = {}, n;
	struct sample_key stack = {};

	if (stopped || !is_target(bpf_get_current_task_btf()))
		return 0;
	stat_add(STAT_FD_CALLS, 1);
	stat_add(STAT_FD_STEPPED, !!(cookie & FD_COOKIE_STEPPED));
	if ((s64)arch_result(ctx) < 0)
		return 0;
	n = opened_by(ctx, number, fds);
	if (!n || !take_stack(ctx, &stack))
		return 0;
	opened(ctx, number, fds[0], &stack);
	if (n == 2)
		opened(ctx, number, fds[1], &stack);
	return 0;
}

/* ---- processes ---- */

#define TABLE_MAX 65536u /* descriptors of a process that a child inherits with their stacks */

struct table_walk {
	struct file **files;
	struct global_pid parent, child;
};

static long inherit_one(u32 fd, struct table_walk *w)
{
	struct fd_key key = {.tgid = w->parent, .fd = fd};
	struct fd_entry *entry = bpf_map_lookup_elem(&descriptors, &key), copy;
	struct file *file = NULL;

	if (!entry)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), &w->files[fd]);
	if (!file || entry->file != (u64)file)
		return 0;
	copy = *entry;
	key.tgid = w->child;
	if (bpf_map_update_elem(&descriptors, &key, &copy, BPF_ANY))
		stat_add(STAT_FD_UNFOLLOWED, 1);
	return 0;
}

static long forget_one(u32 fd, struct table_walk *w)
{
	struct fd_key key = {.tgid = w->parent, .fd = fd};

	bpf_map_delete_elem(&descriptors, &key);
	return 0;
}

static __always_inline u32 table_size(struct task_struct *task, struct table_walk *w)
{
	u32 n = BPF_CORE_READ(task, files, fdt, max_fds);

	w->files = BPF_CORE_READ(task, files, fdt, fd);
	return n < TABLE_MAX ? n : TABLE_MAX;
}

static __always_inline void report(struct task_struct *task, bool exec)
{
	struct new_process news = {
		.tgid = proc_tgid(task), .exec = exec, .time = bpf_ktime_get_ns()};

	/* User space still finds it when it next looks through all targets. */
	if (bpf_ringbuf_output(&new_processes, &news, sizeof(news), BPF_RB_FORCE_WAKEUP))
		stat_add(STAT_UNANNOUNCED, 1);
}

/* This runs in the parent, before the child does. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork_fds, struct task_struct *parent, struct task_struct *child)
{
	struct table_walk walk = {.parent = global_tgid(parent), .child = global_tgid(child)};

	if (!settings.follow_children || walk.parent.nr == walk.child.nr || !is_target(parent))
		return 0;
	bpf_loop(table_size(parent, &walk), inherit_one, &walk, 0);
	report(child, false);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_fds, struct task_struct *task)
{
	if (is_target(task))
		report(task, true);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_fds, struct task_struct *task)
{
	struct table_walk walk = {.parent = global_tgid(task)};

	if (process_has_ended(task) && is_target(task))
		bpf_loop(table_size(task, &walk), forget_one, &walk, 0);
	return 0;
}

/* ---- what is open ---- */

static __always_inline void note_open(const struct fd_key *key, struct file *file)
{
	struct fd_entry entry = {.file = (u64)file};

	entry.key.stack = FD_BEFORE_STACK;
	entry.key.cause = kind_of_file(file);
	if (bpf_map_update_elem(&descriptors, key, &entry, BPF_NOEXIST) &&
	    !bpf_map_lookup_elem(&descriptors, key))
		stat_add(STAT_FD_UNFOLLOWED, 1);
}

SEC("iter/task_file")
int list_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct fd_record record = {};
	struct fd_entry *entry;
	struct fd_key key;

	if (!task || !file || !is_target(task))
		return 0;
	key = (struct fd_key){.tgid = global_tgid(task), .fd = ctx->fd};
	if (beginning) {
		note_open(&key, file);
		return 0;
	}
	entry = bpf_map_lookup_elem(&descriptors, &key);
	if (entry && entry->file == (u64)file) {
		record.entry = *entry;
	} else {
		record.entry.key.stack = FD_UNSEEN_STACK;
		record.entry.key.cause = kind_of_file(file);
	}
	if (record.entry.key.stack <= FD_UNSEEN_STACK)
		fill_labels(&record.entry.key, task);
	record.fd = key.fd;
	record.tgid = key.tgid.nr;
	fill_thread(&record.thread, task);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
