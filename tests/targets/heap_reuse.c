/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_reuse N: a child allocates N blocks and ends, and a second one gets the same PID and does
 * the same at the same addresses. What each of them had when it ended counts as held. If the PID
 * cannot be reused, the program prints "skip".
 */
#include "heap_truth.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define TRIES 200

static struct site *in_child;

static NOINLINE void make_in_child(void)
{
	void *p = malloc(70);

	USED(p);
	site_alloc(in_child, 70);
}

static void child(long n, int go)
{
	const struct timespec notice = {.tv_nsec = 500000000};
	char c;

	if (read(go, &c, 1) != 1)
		_exit(0); /* It has another number. */
	nanosleep(&notice, NULL);
	for (long i = 0; i < n; i++)
		make_in_child();
	_exit(0);
}

/* Requests the PID of the next process, which works unless another process forks first
 * (CONFIG_CHECKPOINT_RESTORE). */
static void want_number(pid_t pid)
{
	char text[16];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	int len = snprintf(text, sizeof(text), "%d", (int)pid - 1);

	if (fd >= 0 && write(fd, text, (size_t)len) < 0)
		perror("ns_last_pid");
	if (fd >= 0)
		close(fd);
}

static pid_t run_child(long n, pid_t wanted)
{
	int go[2];
	pid_t pid;

	if (pipe(go))
		exit(1);
	pid = fork();
	if (!pid) {
		close(go[1]);
		child(n, go[0]);
	}
	close(go[0]);
	if (pid > 0 && (!wanted || pid == wanted) && write(go[1], "g", 1) != 1)
		exit(1);
	close(go[1]);
	waitpid(pid, NULL, 0);
	return pid;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;
	pid_t first, second = 0;

	in_child = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (in_child == MAP_FAILED)
		return 1;
	*in_child = (struct site){.name = "make_in_child"};
	site_known(in_child);
	heap_begin();
	first = run_child(n, 0);
	for (int i = 0; i < TRIES && second != first; i++) {
		want_number(first);
		second = run_child(n, first);
	}
	if (second != first)
		printf("skip\n");
	heap_end();
	return 0;
}
