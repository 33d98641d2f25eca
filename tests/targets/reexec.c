/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `reexec MS` executes itself again every MS milliseconds. Each time it allocates and frees 200
 * blocks of 100 bytes, and locks a mutex 200 times.
 */
#include "target.h"

#include <pthread.h>

static NOINLINE void work(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	void *volatile block;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		block = malloc(100);
		free(block);
		pthread_mutex_unlock(&lock);
	}
}

int main(int argc, char **argv)
{
	int ms = argc > 1 ? atoi(argv[1]) : 1;

	work();
	if (argc < 3)
		target_ready();
	usleep((useconds_t)ms * 1000);
	execl("/proc/self/exe", argv[0], argv[1], "again", NULL);
	return 1;
}
