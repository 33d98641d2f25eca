/* SPDX-License-Identifier: Apache-2.0 */
/* Opens sampling events for each thread and CPU: see perf_tasks.h. */
#include "collect/perf/perf_tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/perf_regs.h"
#include "base/hash.h"
#include "base/vec.h"
#include "collect/events.h"
#include "collect/perf/perf_record.h"

struct opened_event { /* by the id in its own samples and those of events that inherit from it */
	u64 id;
	u32 tid;
	UT_hash_handle hh;
};

struct opened_task {
	u32 tid;
	UT_hash_handle hh;
};

struct perf_tasks {
	struct perf_tasks_options opt;
	const struct perf_rings *rings;
	struct opened_event *events;
	struct opened_task *tasks;
	VEC(int) fds;
	bool kernel;
};

int perf_tasks_new(const struct perf_tasks_options *opt, const struct perf_rings *rings,
		   struct perf_tasks **out)
{
	struct perf_tasks *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->opt = *opt;
	t->rings = rings;
	t->kernel = true;
	*out = t;
	return 0;
}

void perf_tasks_free(struct perf_tasks *t)
{
	struct opened_event *e, *next_event;
	struct opened_task *task, *next_task;

	if (!t)
		return;
	HASH_ITER(hh, t->events, e, next_event) {
		HASH_DEL(t->events, e);
		free(e);
	}
	HASH_ITER(hh, t->tasks, task, next_task) {
		HASH_DEL(t->tasks, task);
		free(task);
	}
	vec_for_each(&t->fds, fd)
		close(*fd);
	vec_release(&t->fds);
	free(t);
}

bool perf_tasks_kernel(const struct perf_tasks *t)
{
	return t->kernel;
}

static struct perf_event_attr sampling_attr(const struct perf_tasks *t, bool inherit)
{
	return (struct perf_event_attr){
		.type = t->opt.event->type,
		.size = sizeof(struct perf_event_attr),
		.config = t->opt.event->config,
		.freq = 1,
		.sample_freq = t->opt.frequency,
		.sample_type = PERF_RECORD_FORMAT | (t->kernel ? PERF_SAMPLE_CALLCHAIN : 0),
		.sample_id_all = 1,
		.sample_regs_user = arch_perf_regs,
		.sample_stack_user = t->opt.stack_bytes,
		.exclude_callchain_user = 1,
		.disabled = 1,
		.inherit = inherit,
		.inherit_thread = inherit && !t->opt.children, /* 5.13 */
		.exclude_kernel = !t->kernel,
		.exclude_hv = 1,
		.exclude_idle = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.use_clockid = 1,
		.clockid = PERF_RINGS_CLOCK,
		.watermark = 1, /* wake up by the rings' fill level and not for each sample */
	};
}

static int open_event(struct perf_tasks *t, pid_t pid, int cpu, unsigned long flags)
{
	struct perf_event_attr attr = sampling_attr(t, pid > 0 && !flags);
	int fd;

	flags |= PERF_FLAG_FD_CLOEXEC;
	fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, flags);
	if (fd < 0 && (errno == EACCES || errno == EPERM) && t->kernel && !t->fds.len) {
		/* An ordinary user may not sample the kernel, because perf_event_paranoid > 1. */
		t->kernel = false;
		attr.exclude_kernel = 1;
		attr.sample_type &= ~(u64)PERF_SAMPLE_CALLCHAIN;
		fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, flags);
	}
	return fd < 0 ? -errno : fd;
}

static int remember(struct perf_tasks *t, int fd, u32 tid)
{
	struct opened_event *e;
	u64 id;

	if (vec_reserve(&t->fds, t->fds.len + 1))
		return -ENOMEM;
	if (ioctl(fd, PERF_EVENT_IOC_ID, &id))
		return -errno;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->id = id;
	e->tid = tid;
	HASH_ADD(hh, t->events, id, sizeof(e->id), e);
	if (!HASH_ADDED(e)) {
		free(e);
		return -ENOMEM;
	}
	t->fds.data[t->fds.len++] = fd;
	return 0;
}

static int add_on_all_cpus(struct perf_tasks *t, pid_t pid, unsigned long flags)
{
	for (u32 i = 0; i < perf_rings_count(t->rings); i++) {
		int fd = open_event(t, pid, perf_rings_cpu(t->rings, i), flags), code;

		if (fd < 0)
			return fd;
		code = perf_rings_attach(t->rings, i, fd);
		if (!code)
			code = remember(t, fd, pid > 0 ? (u32)pid : 0);
		if (code) {
			close(fd);
			return code;
		}
	}
	return 0;
}

static int open_error(const struct perf_tasks *t, int code, const char *what, struct error *err)
{
	const char *event = t->opt.event->name;

	switch (code) {
	case -ESRCH:
		return code;
	case -EACCES:
	case -EPERM:
		return error_set(err, code,
				 "cannot sample %s: %s (it belongs to another user, or as root: "
				 "sysctl kernel.perf_event_paranoid=2)",
				 what, error_reason(code));
	case -ENOENT:
	case -EOPNOTSUPP:
	case -ENODEV:
		return error_set(err, code,
				 "cannot sample event %s: this machine does not have it (cprof "
				 "doctor lists those it has)",
				 event);
	case -EMFILE:
	case -ENFILE:
		return error_set(err, code,
				 "cannot sample %s: one event for each thread and CPU is too many "
				 "open files (raise ulimit -n)",
				 what);
	case -EINVAL:
		return error_set(err, code,
				 "cannot sample event %s at %u Hz: %s (the limit is "
				 "kernel.perf_event_max_sample_rate)",
				 event, t->opt.frequency, error_reason(code));
	default:
		return error_set(err, code, "cannot sample %s: %s", what, error_reason(code));
	}
}

int perf_tasks_add(struct perf_tasks *t, pid_t tid, struct error *err)
{
	struct opened_task *task;
	u32 key = (u32)tid;
	char what[32];
	int code;

	HASH_FIND(hh, t->tasks, &key, sizeof(key), task);
	if (task)
		return -EEXIST;
	snprintf(what, sizeof(what), "thread %d", (int)tid);
	task = malloc(sizeof(*task));
	if (!task)
		return open_error(t, -ENOMEM, what, err);
	task->tid = key;
	HASH_ADD(hh, t->tasks, tid, sizeof(task->tid), task);
	if (!HASH_ADDED(task)) {
		free(task);
		return open_error(t, -ENOMEM, what, err);
	}
	code = add_on_all_cpus(t, tid, 0);
	if (code) {
		HASH_DEL(t->tasks, task);
		free(task);
		return open_error(t, code, what, err);
	}
	return 0;
}

int perf_tasks_add_machine(struct perf_tasks *t, struct error *err)
{
	int code = add_on_all_cpus(t, -1, 0);

	return code ? open_error(t, code, "the whole machine", err) : 0;
}

int perf_tasks_add_cgroup(struct perf_tasks *t, int cgroup_fd, struct error *err)
{
	int code = add_on_all_cpus(t, cgroup_fd, PERF_FLAG_PID_CGROUP);

	return code ? open_error(t, code, "the cgroup", err) : 0;
}

int perf_tasks_start(struct perf_tasks *t, struct error *err)
{
	vec_for_each(&t->fds, fd) {
		if (ioctl(*fd, PERF_EVENT_IOC_ENABLE, 0))
			return error_set(err, -errno, "cannot start sampling: %s",
					 error_reason(-errno));
	}
	return 0;
}

void perf_tasks_stop(struct perf_tasks *t)
{
	vec_for_each(&t->fds, fd)
		ioctl(*fd, PERF_EVENT_IOC_DISABLE, 0);
}

bool perf_tasks_is_double(const struct perf_tasks *t, u32 tid, u64 id)
{
	struct opened_event *e;
	struct opened_task *task;

	HASH_FIND(hh, t->events, &id, sizeof(id), e);
	if (!e || e->tid == tid)
		return false;
	HASH_FIND(hh, t->tasks, &tid, sizeof(tid), task);
	return task != NULL;
}

void perf_tasks_forget(struct perf_tasks *t, u32 tid)
{
	struct opened_task *task;

	HASH_FIND(hh, t->tasks, &tid, sizeof(tid), task);
	if (!task)
		return;
	HASH_DEL(t->tasks, task);
	free(task);
}
