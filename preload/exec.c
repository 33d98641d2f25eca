/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wraps the functions that run another program. Where this library will not be in front of the
 * program's allocator (the program is static, or its environment does not name the library), cprof
 * is asked to put its probes there before the program begins. The program and its environment are
 * passed on as they are.
 *
 * These functions may be called between vfork and exec.
 */
#include "heap.h"
#include "program.h"
#include "question.h"
#include "real.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static bool is_preloaded(char *const env[])
{
	static const char name[] = "LD_PRELOAD=";

	for (; env && *env; env++) {
		if (!strncmp(*env, name, sizeof(name) - 1))
			return strstr(*env, "libcprof-heap.so") != NULL;
	}
	return false;
}

typedef void question_fn(int fd, bool dynamic);

static void ask(const struct program *p, char *const env[], question_fn *question)
{
	if (p->fd >= 0 && (!p->dynamic || !is_preloaded(env)))
		question(p->fd, p->dynamic);
}

static void before(const char *path, char *const env[], struct program (*open)(const char *),
		   question_fn *question)
{
	int saved = errno;

	if (question_is_heard()) {
		const struct program p = open(path);

		ask(&p, env, question);
		program_close(&p);
	}
	errno = saved;
	real_find();
}

EXPORTED int execve(const char *path, char *const argv[], char *const env[])
{
	before(path, env, program_open, question_exec);
	return real.call.execve(path, argv, env);
}

EXPORTED int execv(const char *path, char *const argv[])
{
	before(path, environ, program_open, question_exec);
	return real.call.execve(path, argv, environ);
}

EXPORTED int execvpe(const char *file, char *const argv[], char *const env[])
{
	before(file, env, program_search, question_exec);
	return real.call.execvpe(file, argv, env);
}

EXPORTED int execvp(const char *file, char *const argv[])
{
	before(file, environ, program_search, question_exec);
	return real.call.execvpe(file, argv, environ);
}

EXPORTED int fexecve(int fd, char *const argv[], char *const env[])
{
	int saved = errno;

	if (question_is_heard()) {
		const struct program p = program_of(fd);

		ask(&p, env, question_exec);
	}
	errno = saved;
	real_find();
	return real.call.fexecve(fd, argv, env);
}

/* Counts what follows `first`, with the NULL. */
static size_t count_arguments(const char *first, va_list args)
{
	size_t n = 1;

	for (; first; n++)
		first = va_arg(args, const char *);
	return n;
}

/* The C library's own versions have an array of this size on the stack as well. */
#define COLLECT(argv, first, args)                        \
	char *argv[({                                     \
		va_start(args, first);                    \
		size_t n_ = count_arguments(first, args); \
		va_end(args);                             \
		n_;                                       \
	})];                                              \
	va_start(args, first);                            \
	argv[0] = (char *)(first);                        \
	for (size_t i_ = 0; argv[i_];)                    \
		argv[++i_] = va_arg(args, char *);

EXPORTED int execl(const char *path, const char *first, ...)
{
	va_list args;

	COLLECT(argv, first, args)
	va_end(args);
	return execv(path, argv);
}

EXPORTED int execlp(const char *file, const char *first, ...)
{
	va_list args;

	COLLECT(argv, first, args)
	va_end(args);
	return execvp(file, argv);
}

EXPORTED int execle(const char *path, const char *first, ...)
{
	char *const *env;
	va_list args;

	COLLECT(argv, first, args)
	env = va_arg(args, char *const *);
	va_end(args);
	return execve(path, argv, env);
}

EXPORTED int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			 const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	before(path, env, program_open, question_spawn);
	return real.call.posix_spawn(pid, path, actions, attr, argv, env);
}

EXPORTED int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	before(file, env, program_search, question_spawn);
	return real.call.posix_spawnp(pid, file, actions, attr, argv, env);
}
