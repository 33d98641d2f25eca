/* SPDX-License-Identifier: Apache-2.0 */
/* Lets a dynamic loader list a program's libraries: see loader_list.h. */
#include "target/loader_list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"

#define ANSWER_MS 1000
#define REAP_MS 100 /* A killed process may still be held up in the kernel. */

struct answer {
	int fd;
	s64 until_ms;
	size_t len; /* of the line in `text` that is being read */
	char text[PATH_MAX + 256];
	bool skipping; /* skipping the rest of a line that is too long */
};

bool loader_lists(const char *loader)
{
	static const char *const names[] = {"ld-linux", "ld-musl-"};
	const char *base = path_name(loader);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strncmp(base, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

/* The loader gets its own process group, so that whatever it starts can be killed as well. */
static pid_t start(const char *loader, const char *exe, int out)
{
	char *argv[] = {(char *)loader, (char *)"--list", (char *)exe, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGXFSZ);
	posix_spawnattr_setsigdefault(&attr, &set);
	if (posix_spawn(&pid, loader, &files, &attr, argv, environ))
		pid = -1;
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return pid;
}

/* Returns false at the end of the answer, and once the time is over. */
static bool read_more(struct answer *a)
{
	s64 left = a->until_ms - (s64)monotonic_ms();
	struct pollfd fd = {.fd = a->fd, .events = POLLIN};
	ssize_t got;

	if (left <= 0 || poll(&fd, 1, (int)left) <= 0)
		return false;
	if (a->len == sizeof(a->text) - 1) {
		a->skipping = true;
		a->len = 0;
	}
	got = read(a->fd, a->text + a->len, sizeof(a->text) - 1 - a->len);
	if (got <= 0)
		return false;
	a->len += (size_t)got;
	return true;
}

/* "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)" or "\t/lib64/ld-linux...
 * (0x...)" */
static const char *path_in(char *line)
{
	char *path = strchr(line, '/'), *end = path ? strstr(path, " (0x") : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	return path;
}

static bool take_lines(struct answer *a, bool (*found)(void *arg, const char *path), void *arg)
{
	char *line = a->text, *end;

	while ((end = memchr(line, '\n', a->len - (size_t)(line - a->text)))) {
		const char *path;

		*end = '\0';
		path = a->skipping ? NULL : path_in(line);
		a->skipping = false;
		if (path && !found(arg, path))
			return false;
		line = end + 1;
	}
	a->len -= (size_t)(line - a->text);
	memmove(a->text, line, a->len);
	return true;
}

static void end(pid_t pid)
{
	u64 until = monotonic_ms() + REAP_MS;
	const struct timespec pause = {.tv_nsec = 1000000};

	kill(-pid, SIGKILL);
	while (!waitpid(pid, NULL, WNOHANG) && monotonic_ms() < until)
		nanosleep(&pause, NULL);
}

void loader_list(const char *loader, const char *exe, bool (*found)(void *arg, const char *path),
		 void *arg)
{
	struct answer a = {.until_ms = (s64)monotonic_ms() + ANSWER_MS};
	int pipe_fd[2];
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return;
	pid = start(loader, exe, pipe_fd[1]);
	close(pipe_fd[1]);
	a.fd = pipe_fd[0];
	while (pid > 0 && read_more(&a) && take_lines(&a, found, arg))
		;
	close(a.fd);
	if (pid > 0)
		end(pid);
}
