/* SPDX-License-Identifier: Apache-2.0 */
/* What a user may type as a target, and what the answer is. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_fixture.h"
#include "target/select.h"

static void check_refused(const char *list, int code, const char *text)
{
	struct target t;
	struct error err = {0};

	CHECK_INT(target_select_pids(&t, list, true, &err), code);
	CHECK_STR(err.text, text);
	CHECK_INT(t.processes.len, 0);
}

static void sleep_as(int ready, const void *name)
{
	prctl(PR_SET_NAME, name);
	child_sleep(ready);
}

static pid_t sleeper(const char *name)
{
	return child_start(sleep_as, name);
}

TEST(select, refuses_what_is_no_pid)
{
	check_refused("12x", -EINVAL, "\"12x\" is not a PID");
	check_refused("", -EINVAL, "\"\" is not a PID");
	check_refused("0", -EINVAL, "\"0\" is not a PID");
	check_refused("-1", -EINVAL, "\"-1\" is not a PID");
	check_refused(" 1", -EINVAL, "\" 1\" is not a PID");
	check_refused("99999999999999999999", -EINVAL, "\"99999999999999999999\" is not a PID");
	check_refused("2147483648", -EINVAL, "\"2147483648\" is not a PID");
	check_refused("2147483647", -ESRCH, "cannot profile PID 2147483647: no such process");
}

TEST(select, refuses_a_list_with_one_bad_item)
{
	char list[64];

	snprintf(list, sizeof(list), "%d,", getpid());
	check_refused(list, -EINVAL, "\"\" is not a PID");
	snprintf(list, sizeof(list), "%d,2147483647", getpid());
	check_refused(list, -ESRCH, "cannot profile PID 2147483647: no such process");
}

TEST(select, refuses_kernel_threads)
{
	struct process_info info;

	if (process_read(2, &info) || !info.kernel_thread)
		unit_skip("no kernel thread is visible here");
	check_refused("2", -EINVAL,
		      "cannot profile PID 2: it is a kernel thread (cprof cpu -a --kernel shows "
		      "those)");
}

TEST(select, refuses_zombies)
{
	char list[16], text[80];
	siginfo_t si;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	CHECK_INT(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	snprintf(list, sizeof(list), "%d", pid);
	snprintf(text, sizeof(text), "cannot profile PID %d: it has exited (zombie)", pid);
	check_refused(list, -ESRCH, text);
	waitpid(pid, NULL, 0);
}

TEST(select, refuses_other_users_processes)
{
	char list[16], text[128];
	pid_t pid = getpid(), child;
	int status;

	if (geteuid())
		unit_skip("needs root to become somebody else");
	snprintf(list, sizeof(list), "%d", pid);
	snprintf(text, sizeof(text), "cannot profile PID %d: it belongs to user root (try sudo)",
		 pid);
	child = fork();
	if (!child) {
		CHECK_INT(setuid(65534), 0);
		check_refused(list, -EACCES, text);
		_exit(0);
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
}

TEST(select, takes_each_process_once)
{
	char list[64], title[64];
	struct target t;
	pid_t pid = sleeper("once");

	snprintf(list, sizeof(list), "%d,%d", pid, pid);
	snprintf(title, sizeof(title), "once (PID %d)", pid);
	CHECK_INT(target_select_pids(&t, list, false, NULL), 0);
	CHECK_INT(t.scope, TARGET_PROCESSES);
	CHECK_INT(t.processes.len, 1);
	CHECK_INT(t.cgroup.fd, -1);
	CHECK_STR(t.title, title);
	target_release(&t);
	child_end(pid);
}

TEST(select, takes_running_children_along)
{
	char list[16], title[64];
	struct target t;
	pid_t a = sleeper("a"), b = sleeper("b");

	snprintf(list, sizeof(list), "%d", getpid());
	snprintf(title, sizeof(title), "unit (PID %d) and 2 children", getpid());
	prctl(PR_SET_NAME, "unit");
	CHECK_INT(target_select_pids(&t, list, true, NULL), 0);
	CHECK_INT(t.processes.len, 3);
	CHECK(t.follow_children);
	CHECK_STR(t.title, title);
	target_release(&t);
	CHECK_INT(target_select_pids(&t, list, false, NULL), 0);
	CHECK_INT(t.processes.len, 1);
	target_release(&t);
	child_end(a);
	child_end(b);
}

static void *report_tid(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	pause();
	return NULL;
}

TEST(select, a_thread_stands_for_its_process)
{
	volatile pid_t tid = 0;
	struct target t;
	pthread_t thread;
	char list[16];

	CHECK_INT(pthread_create(&thread, NULL, report_tid, (void *)&tid), 0);
	while (!tid)
		usleep(1000);
	snprintf(list, sizeof(list), "%d", tid);
	CHECK_INT(target_select_pids(&t, list, false, NULL), 0);
	CHECK_INT(t.processes.data[0].tgid, getpid());
	target_release(&t);
}

TEST(select, by_name)
{
	struct target t;
	struct error err = {0};
	char line[64];
	pid_t a, b;

	CHECK_INT(target_select_name(&t, "cprof-no-such", false, true, &err), -ESRCH);
	CHECK_STR(err.text, "cannot profile \"cprof-no-such\": no process has that name");
	a = sleeper("cprof-t-name");
	CHECK_INT(target_select_name(&t, "cprof-t-name", false, true, &err), 0);
	CHECK_INT(t.processes.len, 1);
	CHECK_INT(t.processes.data[0].tgid, a);
	target_release(&t);
	b = sleeper("cprof-t-name");
	CHECK_INT(target_select_name(&t, "cprof-t-name", false, true, &err), -EEXIST);
	snprintf(line, sizeof(line), "\n  %d cprof-t-name ", b);
	CHECK(strstr(err.text,
		     "2 processes are called \"cprof-t-name\": choose with -p, or add --all\n"));
	CHECK(strstr(err.text, line));
	CHECK_INT(target_select_name(&t, "cprof-t-name", true, true, &err), 0);
	CHECK_INT(t.processes.len, 2);
	target_release(&t);
	child_end(a);
	child_end(b);
}

TEST(select, a_name_never_means_ourselves)
{
	struct target t;

	prctl(PR_SET_NAME, "cprof-self");
	CHECK_INT(target_select_name(&t, "cprof-self", true, true, NULL), -ESRCH);
}

TEST(select, long_lists_of_names_are_cut)
{
	struct target t;
	struct error err = {0};
	pid_t pids[14];
	int lines = 0;

	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		pids[i] = sleeper("cprof-t-many");
	CHECK_INT(target_select_name(&t, "cprof-t-many", false, true, &err), -EEXIST);
	for (const char *c = err.text; *c; c++)
		lines += *c == '\n';
	CHECK(lines > 5 && lines <= 11);
	CHECK_STR(err.text + strlen(err.text) - 5, "  ...");
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		child_end(pids[i]);
}

TEST(select, whole_machine)
{
	struct target t;

	CHECK_INT(target_select_all(&t, NULL), 0);
	CHECK_INT(t.scope, TARGET_ALL);
	CHECK_STR(t.title, "whole machine");
	target_release(&t);
}

TEST(select, zeroed_target_releases_nothing)
{
	struct target t = {0};
	struct stat before, after;

	CHECK_INT(fstat(STDIN_FILENO, &before), 0);
	target_release(&t);
	CHECK_INT(fstat(STDIN_FILENO, &after), 0);
	CHECK_INT(before.st_ino, after.st_ino);
}

static void check_cgroup_refused(const char *path, int code, const char *text)
{
	struct target t;
	struct error err = {0};

	CHECK_INT(target_select_cgroup(&t, path, &err), code);
	CHECK_STR(err.text, text);
	CHECK_INT(t.cgroup.fd, -1);
}

TEST(select, refuses_what_is_no_cgroup)
{
	check_cgroup_refused("/tmp", -EINVAL,
			     "cannot profile cgroup /tmp: it is not a cgroup directory");
	check_cgroup_refused("/no/such/group", -ENOENT,
			     "cannot profile cgroup /no/such/group: no such cgroup");
	check_cgroup_refused("/etc/passwd", -ENOTDIR,
			     "cannot profile cgroup /etc/passwd: not a directory");
}

/* Makes a group two levels down in the hierarchy at `mount` and finds it in both ways. */
static void check_cgroup(const char *mount, bool v2)
{
	char outer[128], inner[160];
	struct target t;
	struct stat st;

	snprintf(outer, sizeof(outer), "%s/cprof-unit-%d", mount, getpid());
	snprintf(inner, sizeof(inner), "%s/inner", outer);
	if (mkdir(outer, 0755) || mkdir(inner, 0755)) {
		rmdir(outer);
		unit_skip("cannot make a cgroup below %s", mount);
	}
	CHECK_INT(stat(inner, &st), 0);
	for (int relative = 0; relative <= 1; relative++) {
		const char *path = relative ? inner + strlen(mount) : inner;

		CHECK_INT(target_select_cgroup(&t, path, NULL), 0);
		CHECK_INT(t.scope, TARGET_CGROUP);
		CHECK_INT(t.cgroup.id, st.st_ino);
		CHECK_INT(t.cgroup.level, 2);
		CHECK_INT(t.cgroup.v2, v2);
		CHECK(strstr(t.title, "/cprof-unit-"));
		if (!v2)
			CHECK_STR(t.cgroup.controllers, "cpu");
		target_release(&t);
	}
	rmdir(inner);
	rmdir(outer);
}

TEST(select, cgroup_v2)
{
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0)
		check_cgroup("/sys/fs/cgroup", true);
	else
		check_cgroup("/sys/fs/cgroup/unified", true);
}

TEST(select, cgroup_v1)
{
	if (access("/sys/fs/cgroup/cpu/cgroup.procs", F_OK) != 0)
		unit_skip("no v1 hierarchy is mounted");
	check_cgroup("/sys/fs/cgroup/cpu", false);
}
