/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what the user typed into processes: see select.h. Cgroups are in cgroup.c. */
#include "target/select.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "target/proc_fs.h"

#define LISTED_MAX 10 /* how many processes of one name a message lists */
#define CMDLINE_SHOWN 60

static void target_init(struct target *t, enum target_scope scope)
{
	memset(t, 0, sizeof(*t));
	t->scope = scope;
	t->cgroup.fd = -1;
}

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "cannot select processes: %s", error_reason(-ENOMEM));
}

static void user_name(uid_t uid, char *out, size_t size)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (!getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) && found)
		snprintf(out, size, "%s", found->pw_name);
	else
		snprintf(out, size, "with number %u", (unsigned int)uid);
}

/* The kernel makes the same check before it shows a process' memory map, and in perf_event_open. */
static bool may_inspect(pid_t tgid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != EACCES && errno != EPERM;
	close(fd);
	return true;
}

static int refuse(struct error *err, int code, pid_t pid, const char *why)
{
	return error_set(err, code, "cannot profile PID %d: %s", (int)pid, why);
}

static int refuse_foreign(struct error *err, pid_t pid, uid_t uid)
{
	char name[128];

	if (!geteuid())
		return refuse(err, -EACCES, pid, "it has privileges that cprof lacks");
	if (uid == geteuid())
		return refuse(err, -EACCES, pid,
			      "it protects itself from being inspected (try sudo)");
	user_name(uid, name, sizeof(name));
	return error_set(err, -EACCES, "cannot profile PID %d: it belongs to user %s (try sudo)",
			 (int)pid, name);
}

/* A hidden process looks as if it did not exist. A signal would still be refused and not lost,
 * which tells the two apart. */
static const char *why_missing(pid_t pid, int code)
{
	if (code == -ESRCH && proc_fs_hides_processes() && kill(pid, 0) && errno == EPERM)
		return "/proc is mounted with hidepid and does not show it to you (try sudo)";
	return error_reason(code);
}

/* Reads a process, and says why if it cannot be profiled. */
static int read_profilable(pid_t pid, struct process_info *out, struct error *err)
{
	int result = process_read(pid, out);

	if (result)
		return refuse(err, result, pid, why_missing(pid, result));
	if (out->kernel_thread)
		return refuse(err, -EINVAL, pid,
			      "it is a kernel thread (cprof cpu -a --kernel shows those)");
	if (out->zombie)
		return refuse(err, -ESRCH, pid, "it has exited (zombie)");
	if (!may_inspect(pid))
		return refuse_foreign(err, pid, out->uid);
	return 0;
}

static bool has_process(const struct target *t, pid_t tgid)
{
	vec_for_each(&t->processes, p) {
		if (p->tgid == tgid)
			return true;
	}
	return false;
}

static int add_process(struct target *t, pid_t tid, struct error *err)
{
	struct process_info info;
	pid_t tgid;
	int result = process_tgid_of(tid, &tgid);

	if (result)
		return refuse(err, result, tid, why_missing(tid, result));
	if (has_process(t, tgid))
		return 0;
	result = read_profilable(tgid, &info, err);
	if (result)
		return result;
	return vec_push(&t->processes, info) ? no_memory(err) : 0;
}

/* Descendants that have gone, or that we may not inspect, are left out of the profile. */
static int add_children(struct target *t, struct error *err)
{
	size_t named = t->processes.len;
	pid_vec children = {0};
	int result = 0;

	for (size_t i = 0; i < named && !result; i++)
		result = process_children(t->processes.data[i].tgid, &children);
	vec_for_each(&children, pid) {
		struct process_info info;

		if (result || has_process(t, *pid) || read_profilable(*pid, &info, NULL))
			continue;
		result = vec_push(&t->processes, info);
	}
	vec_release(&children);
	return result == -ENOMEM ? no_memory(err) : 0;
}

/* Builds "redis-server (PID 4711) and 2 more processes"; the user named `named` of them. */
static int set_title(struct target *t, size_t named, struct error *err)
{
	const struct process_info *first = &t->processes.data[0];
	size_t more = t->processes.len - 1;
	const char *kind = named == 1  ? more == 1 ? "child" : "children"
			   : more == 1 ? "more process"
				       : "more processes";
	int len;

	if (!more)
		len = asprintf(&t->title, "%s (PID %d)", first->comm, (int)first->tgid);
	else
		len = asprintf(&t->title, "%s (PID %d) and %zu %s", first->comm, (int)first->tgid,
			       more, kind);
	if (len < 0) {
		t->title = NULL;
		return no_memory(err);
	}
	return 0;
}

static int finish_processes(struct target *t, bool follow_children, struct error *err)
{
	size_t named = t->processes.len;
	int result = 0;

	t->follow_children = follow_children;
	if (follow_children)
		result = add_children(t, err);
	return result ? result : set_title(t, named, err);
}

static int done(struct target *t, int result)
{
	if (result)
		target_release(t);
	return result;
}

/* Parses "4711" up to the comma or the end, and steps over the comma. */
static int take_pid(const char **list, pid_t *out, struct error *err)
{
	size_t len = strcspn(*list, ",");
	unsigned long number = 0;
	bool ok = len > 0 && len <= 10;

	for (size_t i = 0; ok && i < len; i++) {
		ok = isdigit((unsigned char)(*list)[i]);
		number = number * 10 + (unsigned long)((*list)[i] - '0');
	}
	if (!ok || !number || number > 0x7fffffff)
		return error_set(err, -EINVAL, "\"%.*s\" is not a PID", (int)(len > 64 ? 64 : len),
				 *list);
	*list += len;
	*out = (pid_t)number;
	return 0;
}

int target_check_pids(const char *list, struct error *err)
{
	for (;;) {
		pid_t pid;
		int result = take_pid(&list, &pid, err);

		if (result || !*list)
			return result;
		list++;
	}
}

static int add_list(struct target *t, const char *list, struct error *err)
{
	for (;;) {
		pid_t pid = 0;
		int result = take_pid(&list, &pid, err);

		if (!result)
			result = add_process(t, pid, err);
		if (result || !*list)
			return result;
		list++;
	}
}

int target_select_pids(struct target *t, const char *list, bool follow_children, struct error *err)
{
	int result;

	target_init(t, TARGET_PROCESSES);
	result = add_list(t, list, err);
	if (!result)
		result = finish_processes(t, follow_children, err);
	return done(t, result);
}

/* Compares the base name of the program. A replaced program keeps its name. */
static bool exe_has_name(const char *exe, const char *name)
{
	const char *base = path_name(exe);
	size_t len = strlen(name);

	return !strncmp(base, name, len) && (!base[len] || !strcmp(base + len, " (deleted)"));
}

static int find_by_name(struct target *t, const char *name)
{
	pid_vec all = {0};
	int result = process_list(&all);

	vec_for_each(&all, pid) {
		struct process_info info;

		if (result || *pid == getpid() || process_read(*pid, &info) || info.zombie)
			continue;
		if (!strcmp(info.comm, name) || exe_has_name(info.exe, name))
			result = vec_push(&t->processes, info);
	}
	vec_release(&all);
	return result;
}

/* Reads the arguments of a process into one line, or its name if it has none. */
static void read_cmdline(const struct process_info *p, char *out, size_t size)
{
	char path[40];
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)p->tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, out, size - 1);
		close(fd);
	}
	while (len > 0 && !out[len - 1])
		len--;
	for (ssize_t i = 0; i < len; i++) {
		if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
			out[i] = ' ';
	}
	if (len > 0)
		out[len] = '\0';
	else
		snprintf(out, size, "[%s]", p->comm);
}

static int refuse_several(const struct target *t, const char *name, struct error *err)
{
	char cmdline[CMDLINE_SHOWN + 1];
	size_t shown = 0;

	error_set(err, -EEXIST, "%zu processes are called \"%.64s\": choose with -p, or add --all",
		  t->processes.len, name);
	vec_for_each(&t->processes, p) {
		if (shown++ == LISTED_MAX)
			break;
		read_cmdline(p, cmdline, sizeof(cmdline));
		error_append(err, "\n  %d %s %s", (int)p->tgid, p->comm, cmdline);
	}
	if (t->processes.len > LISTED_MAX)
		error_append(err, "\n  ...");
	return -EEXIST;
}

/* Removes those that cannot be profiled, and says why if none is left. */
static int keep_profilable(struct target *t, struct error *err)
{
	size_t keep = 0;
	int result = 0;

	vec_for_each(&t->processes, p) {
		struct process_info fresh;
		int refused = read_profilable(p->tgid, &fresh, err);

		if (!refused)
			t->processes.data[keep++] = fresh;
		else
			result = refused;
	}
	t->processes.len = keep;
	return keep ? 0 : result;
}

static int select_name(struct target *t, const char *name, bool all, struct error *err)
{
	int result = find_by_name(t, name);

	if (result)
		return error_set(err, result, "cannot look for \"%.64s\": %s", name,
				 error_reason(result));
	if (!t->processes.len)
		return error_set(
			err, -ESRCH, "cannot profile \"%.64s\": no process has that name%s", name,
			proc_fs_hides_processes()
				? " among those that /proc, mounted with hidepid, shows to "
				  "you (try sudo)"
				: "");
	if (t->processes.len > 1 && !all)
		return refuse_several(t, name, err);
	return keep_profilable(t, err);
}

int target_select_name(struct target *t, const char *name, bool all, bool follow_children,
		       struct error *err)
{
	int result;

	target_init(t, TARGET_PROCESSES);
	result = select_name(t, name, all, err);
	if (!result)
		result = finish_processes(t, follow_children, err);
	return done(t, result);
}

int target_select_all(struct target *t, struct error *err)
{
	target_init(t, TARGET_ALL);
	t->follow_children = true;
	t->title = strdup("whole machine");
	return t->title ? 0 : no_memory(err);
}

int target_select_cgroup(struct target *t, const char *path, struct error *err)
{
	int result;

	target_init(t, TARGET_CGROUP);
	t->follow_children = true;
	result = cgroup_open(&t->cgroup, path, &t->title, err);
	return done(t, result);
}

void target_release(struct target *t)
{
	vec_release(&t->processes);
	/* A zeroed target has descriptor 0 there, which does not belong to it. */
	if (t->scope == TARGET_CGROUP)
		cgroup_release(&t->cgroup);
	free(t->title);
	t->title = NULL;
}
