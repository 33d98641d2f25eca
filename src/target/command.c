/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a command and holds it just before its exec: see command.h. */
#include "target/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/signals.h"

/* These are a shell's exit statuses for a command that cannot be run. Only a process that waits for
 * the child sees them. */
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void run_child(int gate, int status, char *const argv[], char *const envp[])
{
	char go;
	ssize_t got;
	int failure;

	signals_reset();
	do {
		got = read(gate, &go, 1);
	} while (got < 0 && errno == EINTR);
	/* The end of the file means that cprof gave up or died, so the command must not run. */
	if (got == 1) {
		execvpe(argv[0], argv, envp);
		failure = errno;
		if (write(status, &failure, sizeof(failure)) < 0)
			_exit(STATUS_NOT_EXECUTABLE);
		_exit(failure == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
	}
	_exit(STATUS_NOT_EXECUTABLE);
}

/* Returns whether one of `env` sets the variable of `entry`, "NAME=value". */
static bool is_set_by(char *const env[], const char *entry)
{
	size_t name = strcspn(entry, "=");

	for (; env && *env; env++) {
		if (!strncmp(*env, entry, name) && (*env)[name] == '=')
			return true;
	}
	return false;
}

/* Returns our environment with `env` in it. It is built before the fork, because the child of a
 * process with many threads must not allocate. The caller frees it. */
static char **environment_with(char *const env[])
{
	size_t n = 0, extra = 0, used = 0;
	char **out;

	while (environ && environ[n])
		n++;
	while (env && env[extra])
		extra++;
	out = calloc(n + extra + 1, sizeof(*out));
	for (size_t i = 0; out && i < n; i++) {
		if (!is_set_by(env, environ[i]))
			out[used++] = environ[i];
	}
	for (size_t i = 0; out && i < extra; i++)
		out[used++] = env[i];
	return out;
}

int command_start(struct command *c, char *const argv[], char *const env[], int stdout_fd,
		  struct error *err)
{
	int gate[2] = {-1, -1}, status[2] = {-1, -1}, result;
	char **envp = environment_with(env);

	*c = (struct command){.pid = -1, .gate = -1, .status_fd = -1};
	snprintf(c->name, sizeof(c->name), "%s", argv[0]);
	if (!envp || pipe2(gate, O_CLOEXEC) || pipe2(status, O_CLOEXEC))
		goto failed;
	c->pid = fork();
	if (c->pid < 0)
		goto failed;
	if (!c->pid) {
		/* Otherwise the child would keep its own gate open and never see it close. */
		close(gate[1]);
		close(status[0]);
		if (stdout_fd >= 0)
			dup2(stdout_fd, STDOUT_FILENO);
		run_child(gate[0], status[1], argv, envp);
	}
	c->gate = gate[1];
	c->status_fd = status[0];
	close(gate[0]);
	close(status[1]);
	free(envp);
	return 0;

failed:
	result = envp ? -errno : -ENOMEM;
	free(envp);
	close_fd(&gate[0]);
	close_fd(&gate[1]);
	close_fd(&status[0]);
	close_fd(&status[1]);
	return error_set(err, result, "cannot start %s: %s", argv[0], error_reason(result));
}

static void reap(struct command *c)
{
	pid_t got;

	do {
		got = waitpid(c->pid, &c->wait_status, 0);
	} while (got < 0 && errno == EINTR);
	c->ended = true;
}

/* Returns the errno of the failed exec, or 0 once the command runs. It waits until one of them is
 * known. */
static int wait_for_exec(struct command *c)
{
	int failure = 0;
	ssize_t got;

	do {
		got = read(c->status_fd, &failure, sizeof(failure));
	} while (got < 0 && errno == EINTR);
	close_fd(&c->status_fd);
	return got == sizeof(failure) ? failure : 0;
}

static int exec_failed(struct command *c, int failure, struct error *err)
{
	reap(c);
	return error_set(err, -failure, "cannot start %s: %s", c->name, error_reason(-failure));
}

int command_go(struct command *c, struct error *err)
{
	ssize_t sent;
	int failure;

	do {
		sent = write(c->gate, "g", 1);
	} while (sent < 0 && errno == EINTR);
	close_fd(&c->gate);
	failure = sent == 1 ? wait_for_exec(c) : ESRCH;
	return failure ? exec_failed(c, failure, err) : 0;
}

bool command_poll(struct command *c)
{
	pid_t got;

	if (c->ended || c->pid < 0)
		return true;
	got = waitpid(c->pid, &c->wait_status, WNOHANG);
	/* ECHILD means that somebody else waited for it, so its status is lost, but it is known to
	 * have ended. */
	c->ended = got == c->pid || (got < 0 && errno == ECHILD);
	return c->ended;
}

void command_describe_end(const struct command *c, char *out, size_t size)
{
	int status = c->wait_status;

	if (!c->ended) {
		snprintf(out, size, "is still running");
	} else if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));

		if (name)
			snprintf(out, size, "was killed by SIG%s", name);
		else
			snprintf(out, size, "was killed by signal %d", WTERMSIG(status));
	} else {
		snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
	}
}

void command_release(struct command *c)
{
	if (c->pid <= 0)
		return;
	if (c->gate >= 0 && !c->ended) {
		kill(c->pid, SIGKILL);
		reap(c);
	}
	close_fd(&c->gate);
	close_fd(&c->status_fd);
	c->pid = -1;
}
