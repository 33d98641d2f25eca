/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_before N [exit|exec] allocates N blocks before it is profiled, frees them later, and
 * allocates N/10 new ones. With "exec" it executes itself again and so keeps nothing; with "exit"
 * it does not wait.
 */
#include "heap_truth.h"

#define N_MAX 1000000

static struct site old = {.name = "made_before"}, fresh = {.name = "made_after"};
static void *blocks[N_MAX];

static NOINLINE void *made_before(void)
{
	void *p = malloc(48);

	USED(p);
	return p;
}

static NOINLINE void made_after(void)
{
	void *p = malloc(4800);

	USED(p);
	site_alloc(&fresh, 4800);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;
	const char *then = argc > 2 ? argv[2] : "";

	if (n > N_MAX)
		return 2;
	site_known(&old);
	site_known(&fresh);
	for (long i = 0; i < n; i++)
		blocks[i] = made_before();
	heap_begin();
	for (long i = 0; i < n; i++)
		free(blocks[i]);
	for (long i = 0; i < n / 10; i++)
		made_after();
	if (!strcmp(then, "exec")) {
		const struct timespec notice = {.tv_sec = 1};

		setenv("HEAP_GO", "1", 1);
		nanosleep(&notice, NULL);
		execl(argv[0], argv[0], argv[1], "sleep", (char *)NULL);
		return 127;
	}
	heap_say();
	if (!strcmp(then, "sleep"))
		sleep(1);
	if (!*then)
		heap_wait();
	return 0;
}
