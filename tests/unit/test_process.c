/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID of processes that the test creates: odd names, zombies, threads, grandchildren. */
#include "unit.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/machine.h"
#include "child_fixture.h"
#include "target/maps.h"
#include "target/process.h"
#include "target/process_root.h"
#include "target/process_status.h"

static void sleep_as_odd_name(int ready, const void *arg)
{
	prctl(PR_SET_NAME, "a) R (b\n\x1b[1m");
	child_sleep(ready);
}

static void sleep_with_grandchild(int ready, const void *arg)
{
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_ready(ready);
	}
	pause();
}

static void *end_thread_later(void *arg)
{
	pause();
	return arg;
}

static void sleep_without_leader(int ready, const void *arg)
{
	pthread_t thread;

	CHECK_INT(pthread_create(&thread, NULL, end_thread_later, NULL), 0);
	child_ready(ready);
	pthread_exit(NULL);
}

static void wait_for_state(pid_t pid, char state)
{
	char path[64], line[512], *name_end = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!name_end || name_end[2] != state) {
		FILE *f = fopen(path, "re");

		CHECK(f && fgets(line, sizeof(line), f));
		fclose(f);
		name_end = strrchr(line, ')');
		CHECK(name_end);
	}
}

static bool has(const pid_vec *v, pid_t pid)
{
	vec_for_each(v, p) {
		if (*p == pid)
			return true;
	}
	return false;
}

TEST(process, reads_ourselves)
{
	struct process_info info;
	char exe[512] = "";

	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	CHECK_INT(process_read(getpid(), &info), 0);
	CHECK_INT(info.tgid, getpid());
	CHECK_INT(info.ppid, getppid());
	CHECK_INT(info.uid, geteuid());
	CHECK(info.inner.nr > 0 && info.start_time > 0);
	CHECK(!info.kernel_thread && !info.zombie);
	CHECK_STR(info.exe, exe);
	CHECK(process_alive(getpid(), info.start_time));
	CHECK(!process_alive(getpid(), info.start_time + 1));
}

TEST(process, names_with_parentheses_and_controls)
{
	struct process_info info;
	char comm[64];
	pid_t pid = child_start(sleep_as_odd_name, NULL);

	CHECK_INT(process_read(pid, &info), 0);
	CHECK_STR(info.comm, "a) R (b??[1m");
	CHECK_INT(info.ppid, getpid());
	CHECK_INT(thread_comm(pid, pid, comm, sizeof(comm)), 0);
	CHECK_STR(comm, "a) R (b??[1m");
	child_end(pid);
}

TEST(process, gone_and_zombie)
{
	struct process_info info;
	struct target_root root;
	siginfo_t si;
	char comm[8];
	pid_vec v = {0};
	pid_t tgid, pid = fork();

	if (!pid)
		_exit(0);
	CHECK_INT(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	CHECK_INT(process_read(pid, &info), 0);
	CHECK(info.zombie);
	CHECK(!process_alive(pid, info.start_time));
	waitpid(pid, NULL, 0);
	CHECK_INT(process_read(pid, &info), -ESRCH);
	CHECK_INT(process_tgid_of(pid, &tgid), -ESRCH);
	CHECK_INT(process_threads(pid, &v), -ESRCH);
	CHECK_INT(process_children(pid, &v), 0);
	CHECK_INT(v.len, 0);
	CHECK_INT(process_root_open(pid, &root), -ESRCH);
	CHECK_INT(root.fd, -1);
	CHECK_INT(thread_comm(pid, pid, comm, sizeof(comm)), -ESRCH);
	CHECK_STR(comm, "");
}

TEST(process, lives_on_without_its_first_thread)
{
	struct process_info info;
	pid_vec threads = {0};
	map_vec maps = {0};
	pid_t pid = child_start(sleep_without_leader, NULL);
	struct target_root root;

	wait_for_state(pid, 'Z');
	CHECK_INT(process_read(pid, &info), 0);
	CHECK(!info.zombie && strstr(info.exe, "/unit"));
	CHECK(process_alive(pid, info.start_time));
	CHECK_INT(maps_read(pid, &maps), 0);
	CHECK(maps.len > 5);
	maps_release(&maps);
	CHECK_INT(process_root_open(pid, &root), 0);
	CHECK_INT(root.user.uid, getuid());
	target_root_release(&root);
	CHECK_INT(process_threads(pid, &threads), 0);
	CHECK_INT(threads.len, 2);
	vec_release(&threads);
	child_end(pid);
}

TEST(process, a_thread_leads_to_its_process)
{
	pid_vec threads = {0};
	pthread_t thread;
	pid_t tgid = 0;

	CHECK_INT(pthread_create(&thread, NULL, end_thread_later, NULL), 0);
	CHECK_INT(process_threads(getpid(), &threads), 0);
	CHECK_INT(threads.len, 2);
	vec_for_each(&threads, tid) {
		CHECK_INT(process_tgid_of(*tid, &tgid), 0);
		CHECK_INT(tgid, getpid());
	}
	vec_release(&threads);
}

TEST(process, a_thread_waits_for_a_cpu)
{
	u64 before = thread_queued_ns(getpid(), gettid());

	/* In each turn, the process that runs here goes to the end of the queue. */
	for (int i = 0; i < 1000; i++)
		sched_yield();
	CHECK(thread_queued_ns(getpid(), gettid()) >= before);
	CHECK_INT(thread_queued_ns(getpid(), 2147483647), 0);
}

TEST(process, children_and_theirs)
{
	pid_vec v = {0};
	pid_t pid = child_start(sleep_with_grandchild, NULL);

	CHECK_INT(process_children(getpid(), &v), 0);
	CHECK_INT(v.len, 2);
	CHECK_INT(v.data[0], pid);
	CHECK(v.data[1] != pid && !has(&v, getpid()));
	kill(v.data[1], SIGKILL);
	vec_release(&v);
	child_end(pid);
}

TEST(process, list_holds_us_and_no_kernel_thread)
{
	struct process_info info;
	pid_vec v = {0};

	CHECK_INT(process_list(&v), 0);
	CHECK(has(&v, getpid()));
	if (!process_read(2, &info) && info.kernel_thread)
		CHECK(!has(&v, 2));
	vec_release(&v);
}

TEST(process, root_is_a_directory)
{
	struct target_root root;
	struct stat st, own;

	CHECK_INT(process_root_open(getpid(), &root), 0);
	CHECK_INT(fstat(root.fd, &st), 0);
	CHECK_INT(stat("/", &own), 0);
	CHECK_INT(st.st_ino, own.st_ino);
	CHECK(fcntl(root.fd, F_GETFD) & FD_CLOEXEC);
	CHECK(!root.ours);
	target_root_release(&root);
}

static void join_many_groups(void)
{
	enum { GROUPS = 5000 };
	static gid_t groups[GROUPS];

	for (int i = 0; i < GROUPS; i++)
		groups[i] = 4000000000u + (gid_t)i;
	CHECK_INT(setgroups(GROUPS, groups), 0);
}

/* It has no child if that is not allowed. */
static void sleep_with_child_in_namespace(int ready, const void *arg)
{
	if (unshare(CLONE_NEWPID)) {
		child_ready(ready);
	} else if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		join_many_groups();
		child_ready(ready);
	}
	pause();
}

/* Its groups come before its number in its namespace, and take 55 KB. */
TEST(process, number_in_its_namespace_behind_thousands_of_groups)
{
	pid_t pid = child_start(sleep_with_child_in_namespace, NULL), tgid;
	struct process_info info;
	pid_vec children = {0};

	CHECK_INT(process_children(pid, &children), 0);
	if (!children.len) {
		child_end(pid);
		unit_skip("PID namespaces need root");
	}
	CHECK_INT(process_read(children.data[0], &info), 0);
	CHECK_INT(info.tgid, children.data[0]);
	CHECK_INT(info.inner.nr, 1);
	CHECK_INT(process_tgid_of(children.data[0], &tgid), 0);
	CHECK_INT(tgid, children.data[0]);
	vec_release(&children);
	child_end(pid);
}

static void sleep_with_handler(int ready, const void *arg)
{
	signal(SIGTRAP, SIG_IGN);
	child_sleep(ready);
}

static void sleep_plainly(int ready, const void *arg)
{
	child_sleep(ready);
}

static bool said_to_have_shadow_stack(const char *text)
{
	char dir[] = "/tmp/unit.XXXXXX", path[64];
	struct process_status status;
	int fd, file;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/status", dir);
	file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK_INT(write(file, text, strlen(text)), strlen(text));
	close(file);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	CHECK_INT(process_status_read(fd, &status), 0);
	close(fd);
	unlink(path);
	rmdir(dir);
	return status.shadow_stack;
}

/* Documentation/arch/x86/shstk.rst has the line; few machines here have the feature itself. */
TEST(process, status_tells_of_a_shadow_stack)
{
	const char *line = arch_thread_features();
	char text[128];

	snprintf(text, sizeof(text), "Tgid:\t1\n%s:\tshstk wrss \n", line);
	CHECK(said_to_have_shadow_stack(text));
	snprintf(text, sizeof(text), "Tgid:\t1\n%s:\twrss shstk\n", line);
	CHECK(said_to_have_shadow_stack(text));
	snprintf(text, sizeof(text), "Tgid:\t1\n%s_locked:\tshstk\n", line);
	CHECK(!said_to_have_shadow_stack(text));
	snprintf(text, sizeof(text), "Tgid:\t1\n%s:\tnoshstk shstk2 \n", line);
	CHECK(!said_to_have_shadow_stack(text));
}

TEST(process, a_process_without_a_shadow_stack_has_none)
{
	pid_t pid = child_start(sleep_plainly, NULL);

	/* glibc enables it only for programs that ask for it, and this one does not. */
	CHECK(!process_has_shadow_stack(pid));
	child_end(pid);
}

TEST(process, traps_are_expected_by_who_handles_them_and_under_a_debugger)
{
	pid_t plain = child_start(sleep_plainly, NULL),
	      handler = child_start(sleep_with_handler, NULL);

	CHECK(!process_expects_traps(plain));
	CHECK(process_expects_traps(handler));
	if (ptrace(PTRACE_SEIZE, plain, 0, 0))
		unit_skip("ptrace is not allowed here");
	CHECK(process_expects_traps(plain));
	child_end(plain);
	child_end(handler);
	CHECK(process_expects_traps(plain)); /* it is gone, so this is unknown */
}
