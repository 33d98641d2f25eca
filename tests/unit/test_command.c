/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are held before their exec, released, failing, killed or abandoned. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/signals.h"
#include "target/command.h"
#include "target/process.h"

static char *const shell_3[] = {"sh", "-c", "exit 3", NULL};

static void wait_end(struct command *c)
{
	for (int i = 0; i < 6000 && !command_poll(c); i++)
		usleep(10000);
	CHECK(c->ended);
}

TEST(command, is_held_until_it_may_go)
{
	char *const argv[] = {"sleep", "30", NULL};
	struct process_info info;
	struct command c;
	char how[64];

	CHECK_INT(command_start(&c, argv, NULL, -1, NULL), 0);
	usleep(20000);
	CHECK(!command_poll(&c));
	CHECK_INT(process_read(c.pid, &info), 0);
	CHECK(strcmp(info.comm, "sleep") != 0);
	CHECK_INT(command_go(&c, NULL), 0);
	CHECK_INT(process_read(c.pid, &info), 0);
	CHECK_STR(info.comm, "sleep");
	command_describe_end(&c, how, sizeof(how));
	CHECK_STR(how, "is still running");
	kill(c.pid, SIGSEGV);
	wait_end(&c);
	command_describe_end(&c, how, sizeof(how));
	CHECK_STR(how, "was killed by SIGSEGV");
	command_release(&c);
}

TEST(command, reports_its_status)
{
	struct command c;
	char how[64];

	CHECK_INT(command_start(&c, shell_3, NULL, -1, NULL), 0);
	CHECK_INT(command_go(&c, NULL), 0);
	wait_end(&c);
	command_describe_end(&c, how, sizeof(how));
	CHECK_STR(how, "exited with status 3");
	CHECK(command_poll(&c));
	command_release(&c);
}

/* Runs `script` with one variable replaced and one added, and reads its output. */
static void shell_output(const char *script, char *out, size_t size)
{
	char *const argv[] = {"sh", "-c", (char *)script, NULL};
	char *const env[] = {"CPROF_TEST_OLD=new", "CPROF_TEST_ADDED=1", NULL};
	int pipe_fd[2];
	struct command c;
	ssize_t got;

	setenv("CPROF_TEST_OLD", "old", 1);
	setenv("CPROF_TEST_KEPT", "kept", 1);
	CHECK_INT(pipe2(pipe_fd, O_CLOEXEC), 0);
	CHECK_INT(command_start(&c, argv, env, pipe_fd[1], NULL), 0);
	close(pipe_fd[1]);
	CHECK_INT(command_go(&c, NULL), 0);
	got = read(pipe_fd[0], out, size - 1);
	out[got > 0 ? got : 0] = '\0';
	close(pipe_fd[0]);
	command_release(&c);
}

TEST(command, environment_and_standard_output_of_its_own)
{
	char text[64];

	shell_output("echo $CPROF_TEST_OLD $CPROF_TEST_ADDED $CPROF_TEST_KEPT", text, sizeof(text));
	CHECK_STR(text, "new 1 kept\n");
	CHECK_STR(getenv("CPROF_TEST_OLD"), "old");
	CHECK(!getenv("CPROF_TEST_ADDED"));
}

TEST(command, that_does_not_exist)
{
	char *const argv[] = {"no-such-command-here", NULL};
	struct command c;
	struct error err = {0};

	CHECK_INT(command_start(&c, argv, NULL, -1, &err), 0);
	CHECK_INT(command_go(&c, &err), -ENOENT);
	CHECK_STR(err.text, "cannot start no-such-command-here: no such file or directory");
	CHECK(c.ended && WEXITSTATUS(c.wait_status) == 127);
	command_release(&c);
}

TEST(command, that_may_not_be_executed)
{
	char *const argv[] = {"/etc/passwd", NULL};
	struct command c;
	struct error err = {0};

	CHECK_INT(command_start(&c, argv, NULL, -1, &err), 0);
	CHECK_INT(command_go(&c, &err), -EACCES);
	CHECK_STR(err.text, "cannot start /etc/passwd: permission denied");
	CHECK(WEXITSTATUS(c.wait_status) == 126);
	command_release(&c);
}

TEST(command, abandoned_while_held_is_gone)
{
	struct command c;
	pid_t pid;

	CHECK_INT(command_start(&c, shell_3, NULL, -1, NULL), 0);
	pid = c.pid;
	command_release(&c);
	CHECK_INT(kill(pid, 0), -1);
	CHECK_INT(errno, ESRCH);
}

TEST(command, killed_while_held)
{
	struct command c;
	struct error err = {0};
	siginfo_t end;

	signal(SIGPIPE, SIG_IGN);
	CHECK_INT(command_start(&c, shell_3, NULL, -1, NULL), 0);
	kill(c.pid, SIGKILL);
	CHECK_INT(waitid(P_PID, (id_t)c.pid, &end, WEXITED | WNOWAIT), 0);
	CHECK_INT(command_go(&c, &err), -ESRCH);
	command_release(&c);
}

TEST(command, starts_with_clean_signals)
{
	char *const argv[] = {"sh", "-c",
			      "grep -q '^SigBlk:.0000000000000000' /proc/self/status && "
			      "! grep -qE '^SigIgn:.*[13579bdf](...|......)$' /proc/self/status",
			      NULL};
	struct command c;
	sigset_t all;

	signals_ignore_failed_writes();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	CHECK_INT(command_start(&c, argv, NULL, -1, NULL), 0);
	CHECK_INT(command_go(&c, NULL), 0);
	wait_end(&c);
	CHECK_INT(WEXITSTATUS(c.wait_status), 0);
	command_release(&c);
}

TEST(command, zeroed_one_releases_nothing)
{
	struct command c = {0};

	command_release(&c);
	CHECK(lseek(0, 0, SEEK_CUR) >= 0 || errno != EBADF);
}
