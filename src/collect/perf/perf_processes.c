/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks names and mappings of processes: see perf_processes.h. */
#include "collect/perf/perf_processes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "target/pid_space.h"
#include "target/process.h"

#define REFRESH_NS 1000000000ull

struct perf_thread {
	u32 tid, tgid;
	char comm[COMM_LEN];
	UT_hash_handle hh;
};

struct perf_process {
	u32 tgid;
	u32 nthreads; /* in the table of threads */
	u64 start_time;
	u64 refreshed_ns;
	/* when the process was first seen to have ended, if its exit record was lost; else 0 */
	u64 ended_ns;
	bool ended;
	char comm[COMM_LEN];
	struct address_space space;
	UT_hash_handle hh;
};

struct perf_processes {
	struct perf_modules *modules;
	struct perf_process *processes;
	struct perf_thread *threads;
	u64 looked_ns;
};

int perf_processes_new(struct perf_modules *modules, struct perf_processes **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->modules = modules;
	return 0;
}

static void drop_process(struct perf_processes *p, struct perf_process *proc)
{
	HASH_DEL(p->processes, proc);
	address_space_release(&proc->space);
	free(proc);
}

void perf_processes_free(struct perf_processes *p)
{
	struct perf_process *proc, *next_process;
	struct perf_thread *thread, *next_thread;

	if (!p)
		return;
	HASH_ITER(hh, p->processes, proc, next_process)
		drop_process(p, proc);
	HASH_ITER(hh, p->threads, thread, next_thread) {
		HASH_DEL(p->threads, thread);
		free(thread);
	}
	free(p);
}

struct perf_process *perf_processes_find(struct perf_processes *p, u32 tgid)
{
	struct perf_process *proc;

	HASH_FIND(hh, p->processes, &tgid, sizeof(tgid), proc);
	return proc;
}

static struct perf_thread *find_thread(struct perf_processes *p, u32 tid)
{
	struct perf_thread *thread;

	HASH_FIND(hh, p->threads, &tid, sizeof(tid), thread);
	return thread;
}

/* With its last thread a process is gone, and its number may be reused. */
static void forget_thread(struct perf_processes *p, struct perf_thread *thread)
{
	struct perf_process *proc = perf_processes_find(p, thread->tgid);

	HASH_DEL(p->threads, thread);
	free(thread);
	if (proc && !--proc->nthreads)
		drop_process(p, proc);
}

struct perf_process *perf_processes_ensure(struct perf_processes *p, u32 tgid)
{
	struct perf_process *proc = perf_processes_find(p, tgid);

	if (proc)
		return proc;
	proc = calloc(1, sizeof(*proc));
	if (!proc)
		return NULL;
	proc->tgid = tgid;
	HASH_ADD(hh, p->processes, tgid, sizeof(proc->tgid), proc);
	if (HASH_ADDED(proc))
		return proc;
	free(proc);
	return NULL;
}

static struct perf_thread *ensure_thread(struct perf_processes *p, struct perf_process *proc,
					 u32 tid)
{
	struct perf_thread *thread = find_thread(p, tid);

	/* The end of a thread was not reported, and another process has its number now. */
	if (thread && thread->tgid != proc->tgid) {
		forget_thread(p, thread);
		thread = NULL;
	}
	if (thread)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->tid = tid;
	thread->tgid = proc->tgid;
	HASH_ADD(hh, p->threads, tid, sizeof(thread->tid), thread);
	if (!HASH_ADDED(thread)) {
		free(thread);
		return NULL;
	}
	proc->nthreads++;
	proc->ended = false;
	return thread;
}

static void copy_comm(char *dst, const char *src)
{
	size_t len = strnlen(src, COMM_LEN - 1);

	memset(dst, 0, COMM_LEN);
	memcpy(dst, src, len);
}

/* ---- from /proc ---- */

static int add_mapping(struct perf_processes *p, pid_t tgid, const map_vec *maps,
		       const struct map_entry *e, struct address_space *space)
{
	struct space_map map = perf_modules_map(p->modules, tgid, e);
	int code = address_space_add(space, &map);

	if (code || map.module != MODULE_ANON || !maps)
		return code;
	return perf_modules_moved(p->modules, tgid, maps, e, &map) ? address_space_add(space, &map)
								   : 0;
}

static int read_mappings(struct perf_processes *p, struct perf_process *proc)
{
	struct address_space fresh = {0};
	map_vec maps = {0};
	int code = maps_read((pid_t)proc->tgid, &maps);

	vec_for_each(&maps, e) {
		if (!code && e->executable)
			code = add_mapping(p, (pid_t)proc->tgid, &maps, e, &fresh);
	}
	/* An exiting process shows no mappings at all, so what we know of it is better. */
	if (code || !fresh.maps.len) {
		address_space_release(&fresh);
	} else {
		address_space_release(&proc->space);
		proc->space = fresh;
	}
	maps_release(&maps);
	return code;
}

int perf_processes_read(struct perf_processes *p, pid_t tgid)
{
	struct process_info info;
	struct perf_process *proc;
	int code = process_read(tgid, &info);

	if (code)
		return code;
	proc = perf_processes_ensure(p, (u32)tgid);
	if (!proc)
		return -ENOMEM;
	proc->start_time = info.start_time;
	copy_comm(proc->comm, info.comm);
	return read_mappings(p, proc);
}

int perf_processes_add_thread(struct perf_processes *p, pid_t tgid, pid_t tid)
{
	struct perf_process *proc = perf_processes_ensure(p, (u32)tgid);
	struct perf_thread *thread;

	if (!proc)
		return -ENOMEM;
	thread = ensure_thread(p, proc, (u32)tid);
	if (!thread)
		return -ENOMEM;
	(void)thread_comm(tgid, tid, thread->comm, sizeof(thread->comm));
	return 0;
}

/* ---- from the kernel's records ---- */

/* d_path() marks a file that no longer has a name. */
static bool cut_deleted(char *path)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(path), cut = sizeof(mark) - 1;

	if (len <= cut || strcmp(path + len - cut, mark) != 0)
		return false;
	path[len - cut] = '\0';
	return true;
}

/* It is false if the entry is invalid. The path is copied. */
static bool entry_of(const struct perf_mapped *m, struct map_entry *e)
{
	*e = (struct map_entry){
		.start = m->start,
		.offset = m->offset,
		.inode = m->inode,
		.dev_major = m->maj,
		.dev_minor = m->min,
		.readable = true,
		.executable = true,
	};
	if (__builtin_add_overflow(m->start, m->len, &e->end))
		return false;
	e->path = strdup(m->path);
	if (!e->path)
		return false;
	e->deleted = cut_deleted(e->path);
	return true;
}

void perf_processes_ask(struct perf_processes *p, const struct perf_mapped *m)
{
	struct map_entry e;

	if (!entry_of(m, &e))
		return;
	(void)perf_modules_map(p->modules, (pid_t)m->pid, &e);
	free(e.path);
}

/* Code that replaces that of a file may be the same, moved to other memory. */
static bool replaces_file(const struct perf_process *proc, const struct map_entry *e)
{
	const struct space_map *before = address_space_find(&proc->space, e->start);

	return before && before->module >= MODULE_FIRST_FILE;
}

static int on_mapped(struct perf_processes *p, const struct perf_mapped *m)
{
	struct perf_process *proc = perf_processes_find(p, m->pid);
	struct map_entry e;
	map_vec maps = {0};
	bool known;
	int code;

	if (!proc || !entry_of(m, &e))
		return 0;
	known = !e.inode && replaces_file(proc, &e) && !maps_read((pid_t)m->pid, &maps);
	code = add_mapping(p, (pid_t)m->pid, known ? &maps : NULL, &e, &proc->space);
	maps_release(&maps);
	free(e.path);
	return code;
}

static int on_fork(struct perf_processes *p, const struct perf_task *t)
{
	struct perf_process *proc = perf_processes_find(p, t->pid), *parent;
	struct perf_thread *thread, *from = find_thread(p, t->ptid);

	if (t->pid != t->ppid) {
		parent = perf_processes_find(p, t->ppid);
		proc = perf_processes_ensure(p, t->pid);
		if (!proc)
			return -ENOMEM;
		proc->start_time = 0;
		if (parent && address_space_copy(&proc->space, &parent->space))
			return -ENOMEM;
		if (from)
			memcpy(proc->comm, from->comm, COMM_LEN);
	}
	if (!proc)
		return 0;
	thread = ensure_thread(p, proc, t->tid);
	if (!thread)
		return -ENOMEM;
	if (from)
		memcpy(thread->comm, from->comm, COMM_LEN);
	return 0;
}

static void on_exit_record(struct perf_processes *p, const struct perf_task *t)
{
	struct perf_thread *thread = find_thread(p, t->tid);

	if (thread)
		forget_thread(p, thread);
}

static int on_comm(struct perf_processes *p, const struct perf_comm *m)
{
	struct perf_process *proc = perf_processes_find(p, m->pid);
	struct perf_thread *thread;

	if (!proc)
		return 0;
	/* After exec the other threads are gone, and the one that called it is now the leader. */
	if (m->exec)
		proc->space.maps.len = 0;
	if (m->tid == m->pid)
		copy_comm(proc->comm, m->name);
	thread = ensure_thread(p, proc, m->tid);
	if (!thread)
		return -ENOMEM;
	copy_comm(thread->comm, m->name);
	return 0;
}

int perf_processes_update(struct perf_processes *p, const struct perf_record *r)
{
	switch (r->type) {
	case PERF_RECORD_MMAP2:
		return on_mapped(p, &r->mapped);
	case PERF_RECORD_FORK:
		return on_fork(p, &r->task);
	case PERF_RECORD_EXIT:
		on_exit_record(p, &r->task);
		return 0;
	case PERF_RECORD_COMM:
		return on_comm(p, &r->comm);
	default:
		return 0;
	}
}

/* ---- queries ---- */

const struct address_space *perf_process_space(const struct perf_process *proc)
{
	return &proc->space;
}

bool perf_process_may_refresh(struct perf_process *proc, u64 now_ns)
{
	if (proc->refreshed_ns && now_ns - proc->refreshed_ns < REFRESH_NS)
		return false;
	proc->refreshed_ns = now_ns;
	return true;
}

void perf_processes_owner(struct perf_processes *p, u32 tgid, u32 tid, struct thread_id *out)
{
	const struct perf_process *proc = perf_processes_find(p, tgid);
	const struct perf_thread *thread = find_thread(p, tid);

	memset(out, 0, sizeof(*out));
	out->tgid = pid_to_proc((pid_t)tgid);
	out->tid = pid_to_proc((pid_t)tid);
	if (proc)
		memcpy(out->leader_comm, proc->comm, COMM_LEN);
	if (thread)
		memcpy(out->comm, thread->comm, COMM_LEN);
	else
		(void)thread_comm((pid_t)tgid, (pid_t)tid, out->comm, sizeof(out->comm));
}

/* Exit records may have been lost, or the thread may have ended before its events were enabled. */
static bool really_alive(struct perf_process *proc)
{
	struct process_info info;

	if (proc->start_time)
		return process_alive((pid_t)proc->tgid, proc->start_time);
	if (process_read((pid_t)proc->tgid, &info) || info.zombie)
		return false;
	proc->start_time = info.start_time;
	return true;
}

bool perf_processes_alive(struct perf_processes *p)
{
	struct perf_process *proc, *next;

	HASH_ITER(hh, p->processes, proc, next) {
		if (!proc->ended && really_alive(proc))
			return true;
		proc->ended = true;
	}
	return false;
}

static void drop_with_threads(struct perf_processes *p, struct perf_process *proc)
{
	struct perf_thread *thread, *next;

	HASH_ITER(hh, p->threads, thread, next) {
		if (thread->tgid != proc->tgid)
			continue;
		HASH_DEL(p->threads, thread);
		free(thread);
	}
	drop_process(p, proc);
}

void perf_processes_forget_ended(struct perf_processes *p, u64 now_ns)
{
	struct perf_process *proc, *next;

	if (now_ns - p->looked_ns < PERF_PROCESSES_LOOK_NS)
		return;
	p->looked_ns = now_ns;
	HASH_ITER(hh, p->processes, proc, next) {
		if (really_alive(proc)) {
			proc->ended_ns = 0;
			continue;
		}
		if (!proc->ended_ns)
			proc->ended_ns = now_ns;
		else if (now_ns - proc->ended_ns >= PERF_PROCESSES_ENDED_NS)
			drop_with_threads(p, proc);
	}
}

struct needed {
	const struct perf_processes *processes;
	const struct stack_store *store;
};

static void mark_modules(void *arg, struct module_marks *m)
{
	const struct needed *needed = arg;
	struct perf_process *proc, *next;

	stack_store_mark(needed->store, m);
	HASH_ITER(hh, needed->processes->processes, proc, next) {
		vec_for_each(&proc->space.maps, map)
			module_mark(m, map->module);
	}
}

void perf_processes_tend(struct perf_processes *p, const struct stack_store *store, u64 now_ns)
{
	struct module_set *modules = perf_modules_set(p->modules);
	struct needed needed = {p, store};

	perf_processes_forget_ended(p, now_ns);
	module_set_reading(modules, false);
	module_set_sweep(modules, mark_modules, &needed);
}
