/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what /proc says about one process: see process.h. */
#include "target/process.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/proc_fs.h"
#include "target/process_status.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h; field 9 of /proc/PID/stat shows it */

/* The fields of /proc/PID/stat that matter here (proc(5) numbers them from 1). */
struct stat_fields {
	char comm[64];
	char state;
	pid_t ppid;
	u32 flags;
	u64 threads, start_time, vsize;
};

/* Reads at most size - 1 bytes, NUL-terminated, and drops the rest. Returns the length or a
 * negative errno. */
static ssize_t read_text(int dir, const char *name, char *out, size_t size)
{
	size_t len = 0;
	ssize_t got = 0;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return proc_errno();
	while (len < size - 1) {
		got = read(fd, out + len, size - 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	if (got < 0)
		got = proc_errno();
	close(fd);
	out[len] = '\0';
	return got < 0 ? got : (ssize_t)len;
}

/* Thread names may contain any bytes and end up on terminals, so controls become '?'. */
static void copy_printable(char *out, size_t size, const char *text, size_t len)
{
	if (len > size - 1)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	out[len] = '\0';
}

static int parse_stat(const char *text, struct stat_fields *out)
{
	/* The name may contain spaces and parentheses, but nothing after it does. */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned long long threads, start_time, vsize;
	unsigned int flags;
	int ppid;

	if (!open || !close || close < open)
		return -EBADMSG;
	if (sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %llu %*d "
		   "%llu %llu",
		   &out->state, &ppid, &flags, &threads, &start_time, &vsize) != 6)
		return -EBADMSG;
	copy_printable(out->comm, sizeof(out->comm), open + 1, (size_t)(close - open - 1));
	out->ppid = ppid;
	out->flags = flags;
	out->threads = threads;
	out->start_time = start_time;
	out->vsize = vsize;
	return 0;
}

static int read_stat(int dir, struct stat_fields *out)
{
	char text[2048];
	ssize_t len = read_text(dir, "stat", text, sizeof(text));

	return len < 0 ? (int)len : parse_stat(text, out);
}

static int read_stat_of(pid_t pid, struct stat_fields *out)
{
	int dir = proc_dir_open(pid), result;

	if (dir < 0)
		return dir;
	result = read_stat(dir, out);
	close(dir);
	return result;
}

/* A process whose first thread has ended lives on while other threads run. */
static bool is_zombie(const struct stat_fields *s)
{
	return (s->state == 'Z' || s->state == 'X') && s->threads <= 1;
}

/* The first thread has ended, but others are left. */
static bool is_headless(const struct stat_fields *s)
{
	return (s->state == 'Z' || s->state == 'X') && s->threads > 1;
}

static int read_owner(int dir, struct process_info *out)
{
	struct process_status s;
	int result = process_status_read(dir, &s);

	if (result)
		return result;
	if (s.uid < 0)
		return -EBADMSG;
	out->uid = (uid_t)s.uid;
	/* Kernels without PID namespaces do not have this line. */
	out->inner.nr = (u32)(s.ns_pid < 0 ? out->tgid : s.ns_pid);
	return 0;
}

static bool parse_pid(const char *name, pid_t *out)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)*name))
		return false;
	errno = 0;
	number = strtoul(name, &end, 10);
	if (*end || errno || !number || number > 0x7fffffff)
		return false;
	*out = (pid_t)number;
	return true;
}

/* Appends the numbered entries of a directory. */
static int list_numbers(const char *path, pid_vec *out)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return proc_errno();
	for (errno = 0; !result && (entry = readdir(dir)); errno = 0) {
		pid_t pid;

		if (parse_pid(entry->d_name, &pid))
			result = vec_push(out, pid);
	}
	if (!result && errno)
		result = proc_errno();
	closedir(dir);
	return result;
}

int process_threads(pid_t tgid, pid_vec *out)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)tgid);
	return list_numbers(path, out);
}

static void path_of(pid_t tgid, const struct stat_fields *s, const char *name,
		    char out[PROCESS_PATH_MAX])
{
	pid_vec threads = {0};

	snprintf(out, PROCESS_PATH_MAX, "/proc/%d/%s", (int)tgid, name);
	if (!is_headless(s) || process_threads(tgid, &threads))
		goto out;
	vec_for_each(&threads, tid) {
		if (*tid != tgid)
			snprintf(out, PROCESS_PATH_MAX, "/proc/%d/task/%d/%s", (int)tgid, (int)*tid,
				 name);
	}
out:
	vec_release(&threads);
}

void process_path(pid_t tgid, const char *name, char out[PROCESS_PATH_MAX])
{
	struct stat_fields s;

	if (read_stat_of(tgid, &s))
		s = (struct stat_fields){.state = 'R'};
	path_of(tgid, &s, name, out);
}

static void read_exe(pid_t tgid, const struct stat_fields *s, char *out, size_t size)
{
	char path[PROCESS_PATH_MAX];
	ssize_t len;

	path_of(tgid, s, "exe", path);
	len = readlink(path, out, size - 1);
	out[len < 0 ? 0 : len] = '\0';
}

int process_read(pid_t tgid, struct process_info *out)
{
	struct stat_fields s;
	/* All reads use one descriptor, which becomes invalid with the process, even if the PID is
	 * reused. */
	int dir = proc_dir_open(tgid), result;

	if (dir < 0)
		return dir;
	memset(out, 0, sizeof(*out));
	out->tgid = tgid;
	result = read_stat(dir, &s);
	if (result)
		goto out;
	result = read_owner(dir, out);
	if (result)
		goto out;
	out->ppid = s.ppid;
	out->start_time = s.start_time;
	out->kernel_thread = s.flags & PF_KTHREAD;
	out->zombie = is_zombie(&s);
	memcpy(out->comm, s.comm, sizeof(out->comm));
	read_exe(tgid, &s, out->exe, sizeof(out->exe));
out:
	close(dir);
	return result;
}

/* Reads the `children` file of one thread. Returns -ENOENT if the kernel does not have these
 * files. */
static int thread_children(pid_t tgid, pid_t tid, pid_vec *out)
{
	char path[64];
	FILE *f;
	int child, result = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)tgid, (int)tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!result && fscanf(f, "%d", &child) == 1)
		result = child > 0 ? vec_push(out, child) : 0;
	fclose(f);
	return result;
}

static int children_by_file(pid_t tgid, pid_vec *out)
{
	pid_vec threads = {0};
	int result = process_threads(tgid, &threads);

	for (size_t i = 0; !result && i < threads.len; i++) {
		result = thread_children(tgid, threads.data[i], out);
		/* A thread or a process may exit between the two reads; then it has no children. */
		if (result == -ESRCH || (result == -ENOENT && i))
			result = 0;
	}
	vec_release(&threads);
	return result == -ESRCH ? 0 : result;
}

struct parent {
	pid_t pid, ppid;
};

typedef VEC(struct parent) parent_vec;

static int parents_read(parent_vec *out)
{
	pid_vec all = {0};
	int result = list_numbers("/proc", &all);

	vec_for_each(&all, pid) {
		struct stat_fields s;

		if (!result && !read_stat_of(*pid, &s))
			result = vec_push(out, (struct parent){*pid, s.ppid});
	}
	vec_release(&all);
	return result;
}

static int children_by_parent(const parent_vec *parents, pid_t tgid, pid_vec *out)
{
	int result = 0;

	vec_for_each(parents, p) {
		if (!result && p->ppid == tgid && p->pid != tgid)
			result = vec_push(out, p->pid);
	}
	return result;
}

static bool has_pid(const pid_vec *v, size_t len, pid_t pid)
{
	for (size_t i = 0; i < len; i++) {
		if (v->data[i] == pid)
			return true;
	}
	return false;
}

/* PIDs that were reused between two reads can make parents form a circle. */
static void drop_known(pid_vec *v, size_t from, pid_t self)
{
	size_t keep = from;

	for (size_t i = from; i < v->len; i++) {
		if (v->data[i] != self && !has_pid(v, keep, v->data[i]))
			v->data[keep++] = v->data[i];
	}
	v->len = keep;
}

/* Children are found through the kernel's lists, or through the parent of every process, read
 * once. */
struct family {
	bool by_parent;
	parent_vec parents;
};

static int children_of(struct family *f, pid_t tgid, pid_vec *out)
{
	int result;

	if (!f->by_parent) {
		result = children_by_file(tgid, out);
		if (result != -ENOENT)
			return result;
		f->by_parent = true; /* no CONFIG_PROC_CHILDREN */
		result = parents_read(&f->parents);
		if (result)
			return result;
	}
	return children_by_parent(&f->parents, tgid, out);
}

int process_children(pid_t tgid, pid_vec *out)
{
	struct family family = {0};
	size_t next = out->len;
	pid_t of = tgid;
	int result;

	/* This is breadth first, and the entries that were appended are the queue. */
	for (;;) {
		size_t had = out->len;

		result = children_of(&family, of, out);
		drop_known(out, had, tgid);
		if (result || next >= out->len)
			break;
		of = out->data[next++];
	}
	vec_release(&family.parents);
	return result;
}

static bool has_user_memory(pid_t pid)
{
	struct stat_fields s;

	if (read_stat_of(pid, &s) || (s.flags & PF_KTHREAD))
		return false;
	return s.vsize || is_headless(&s);
}

int process_list(pid_vec *out)
{
	size_t keep = out->len;
	int result = list_numbers("/proc", out);

	for (size_t i = keep; i < out->len; i++) {
		if (has_user_memory(out->data[i]))
			out->data[keep++] = out->data[i];
	}
	out->len = keep;
	return result;
}

/* What the kernel has cached suffices, and the file system may be one that does not answer. */
static bool identify(const char *path, struct statx *st)
{
	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, st);
}

bool process_runs_elsewhere(const char *path, pid_t except)
{
	struct statx wanted, st;
	pid_vec all = {0};
	bool found = false;

	if (!identify(path, &wanted) || list_numbers("/proc", &all)) {
		vec_release(&all);
		return true;
	}
	vec_for_each(&all, tgid) {
		char exe[PROCESS_PATH_MAX];

		snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)*tgid);
		found |= *tgid != except && identify(exe, &st) && st.stx_ino == wanted.stx_ino &&
			 st.stx_dev_major == wanted.stx_dev_major &&
			 st.stx_dev_minor == wanted.stx_dev_minor;
	}
	vec_release(&all);
	return found;
}

int thread_comm(pid_t tgid, pid_t tid, char *out, size_t size)
{
	char name[48], text[64];
	ssize_t len;

	out[0] = '\0';
	snprintf(name, sizeof(name), "/proc/%d/task/%d/comm", (int)tgid, (int)tid);
	len = read_text(AT_FDCWD, name, text, sizeof(text));
	if (len < 0)
		return (int)len;
	if (len && text[len - 1] == '\n')
		len--;
	copy_printable(out, size, text, (size_t)len);
	return 0;
}

u64 thread_queued_ns(pid_t tgid, pid_t tid)
{
	char name[48], text[96], *queued, *end;
	u64 ns;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/schedstat", (int)tgid, (int)tid);
	if (read_text(AT_FDCWD, name, text, sizeof(text)) <= 0)
		return 0;
	queued = strchr(text, ' ');
	if (!queued)
		return 0;
	ns = strtoull(queued + 1, &end, 10);
	return *end == ' ' ? ns : 0;
}

bool process_alive(pid_t tgid, u64 start_time)
{
	struct stat_fields s;

	return !read_stat_of(tgid, &s) && s.start_time == start_time && !is_zombie(&s);
}
