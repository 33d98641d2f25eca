/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_fork N: a process with N blocks forks, and each of the two frees another part of them and
 * allocates. Both are alive when the truth is printed, which covers both, because the child has a
 * copy of every block. The child first gives the profiler some time to notice.
 */
#include "heap_truth.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define N_MAX 100000

/* Both processes share this memory, so what the child does counts as well. */
static struct site *before, *of_child, *of_parent;
static void *blocks[N_MAX];

static NOINLINE void *make_before(void)
{
	void *p = malloc(500);

	USED(p);
	site_alloc(before, 500);
	return p;
}

static NOINLINE void make_in_child(void)
{
	void *p = malloc(70);

	USED(p);
	site_alloc(of_child, 70);
}

static NOINLINE void make_in_parent(void)
{
	void *p = malloc(90);

	USED(p);
	site_alloc(of_parent, 90);
}

static void give_back(long from, long to)
{
	for (long i = from; i < to; i++) {
		free(blocks[i]);
		site_free(before, 500);
	}
}

static void child(long n)
{
	const struct timespec notice = {.tv_nsec = 300000000};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(TARGET_SECONDS);
	nanosleep(&notice, NULL);
	give_back(0, n / 4);
	for (long i = 0; i < n; i++)
		make_in_child();
}

int main(int argc, char **argv)
{
	struct site *sites =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long n = argc > 1 ? atol(argv[1]) : 1000;
	int done[2];
	char c = 0;
	pid_t pid;

	if (sites == MAP_FAILED || n > N_MAX || pipe(done))
		return 1;
	before = &sites[0];
	of_child = &sites[1];
	of_parent = &sites[2];
	*before = (struct site){.name = "make_before"};
	*of_child = (struct site){.name = "make_in_child"};
	*of_parent = (struct site){.name = "make_in_parent"};
	for (int i = 0; i < 3; i++)
		site_known(&sites[i]);
	heap_begin();
	for (long i = 0; i < n; i++)
		blocks[i] = make_before();
	pid = fork();
	if (pid < 0)
		return 1;
	if (!pid) {
		child(n);
		if (write(done[1], &c, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	__atomic_fetch_add(&before->count[2], n, __ATOMIC_RELAXED); /* the copies */
	__atomic_fetch_add(&before->count[3], 500 * n, __ATOMIC_RELAXED);
	give_back(n / 2, n);
	for (long i = 0; i < n; i++)
		make_in_parent();
	if (read(done[0], &c, 1) != 1)
		return 1;
	heap_end();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
