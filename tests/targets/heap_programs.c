/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `heap_programs N AT_ONCE MS DIR` runs N programs, AT_ONCE at a time, each in a file of its own
 * with an allocator of its own, which is removed at the end. It begins at a SIGUSR1 and prints
 * "done" when all have ended. Each program waits until its malloc has a probe, for MS milliseconds
 * at most, and then makes 10 blocks in made_by_program(). If all of them run at once, they end when
 * all have made their blocks.
 */
#include "copy_self.h"
#include "target.h"

#include <fcntl.h>
#include <sys/wait.h>

#define BLOCKS 10
#define LOOK_BYTES 64 /* of malloc; its first probe is among them */
#define INT3 0xcc

static NOINLINE void made_by_program(void)
{
	void *p = malloc(4800);

	__asm__ volatile("" : "+r"(p)::"memory");
}

static int breakpoints(void)
{
	const volatile unsigned char *code = (const volatile unsigned char *)malloc;
	int n = 0;

	for (int i = 0; i < LOOK_BYTES; i++)
		n += code[i] == INT3;
	return n;
}

/* Descriptors of the programs that run at once, above those that anybody else has. */
enum { SAY = 107, HOLD = 108 };

static int program(int before, int ms)
{
	char byte = 0;

	double until = target_clock(CLOCK_MONOTONIC) + ms * 1e-3;
	const struct timespec step = {.tv_nsec = 1000000};

	while (breakpoints() == before && target_clock(CLOCK_MONOTONIC) < until)
		nanosleep(&step, NULL);
	for (int i = 0; i < BLOCKS; i++)
		made_by_program();
	/* Both fail if the programs run one after the other. */
	return write(SAY, &byte, 1) == 1 && read(HOLD, &byte, 1) != 0;
}

static int open_pipes(int say[2], int hold[2])
{
	return pipe2(say, O_CLOEXEC) || pipe2(hold, O_CLOEXEC) || dup2(say[1], SAY) < 0 ||
	       dup2(hold[0], HOLD) < 0;
}

static int await(int fd, int n)
{
	char byte;

	while (n && read(fd, &byte, 1) == 1)
		n--;
	return n;
}

static void path_of(char path[300], const char *dir, int number)
{
	snprintf(path, 300, "%s/program%d", dir, number);
}

static int run_copy(const char *dir, int number, const char *before, const char *ms)
{
	char path[300];
	pid_t pid;

	path_of(path, dir, number);
	if (copy_self(path))
		return 1;
	pid = fork();
	if (!pid) {
		execl(path, path, before, ms, NULL);
		_exit(127);
	}
	return pid < 0;
}

static int wait_for_one(void)
{
	int status;

	return wait(&status) < 0 || status;
}

int main(int argc, char **argv)
{
	char before[16], path[300];
	sigset_t set;
	int n, at_once, signo, err = 0, say[2], hold[2];

	if (argc == 3)
		return program(atoi(argv[1]), atoi(argv[2]));
	if (argc != 5)
		return 1;
	snprintf(before, sizeof(before), "%d", breakpoints());
	n = atoi(argv[1]);
	at_once = atoi(argv[2]);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	target_ready();
	sigwait(&set, &signo);
	if (at_once == n)
		err = open_pipes(say, hold);
	for (int i = 0; i < n && !err; i++) {
		if (i >= at_once)
			err = wait_for_one();
		if (!err)
			err = run_copy(argv[4], i, before, argv[3]);
	}
	if (at_once == n && !err) {
		err = await(say[0], n);
		close(hold[1]);
	}
	for (int i = 0; i < at_once && i < n && !err; i++)
		err = wait_for_one();
	for (int i = 0; i < n; i++) {
		path_of(path, argv[4], i);
		unlink(path);
	}
	printf(err ? "failed\n" : "done\n");
	fflush(stdout);
	while (!target_stop)
		pause();
	return err;
}
