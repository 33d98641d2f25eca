/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has four threads, worker-1 to worker-4, each in its own function; the last two start half a
 * second after "ready". Another thread is started, works for 20 ms and ends, again and again.
 */
#include "target.h"

#include <pthread.h>

#define WORKER(number)                                                 \
	static NOINLINE void work_##number(void)                       \
	{                                                              \
		while (!target_stop)                                   \
			TARGET_SPIN(1000000);                          \
	}                                                              \
	static void *worker_##number(void *arg)                        \
	{                                                              \
		pthread_setname_np(pthread_self(), "worker-" #number); \
		work_##number();                                       \
		return arg;                                            \
	}
WORKER(1)
WORKER(2)
WORKER(3)
WORKER(4)

static NOINLINE void work_brief(void)
{
	TARGET_SPIN(20000000);
}

static void *brief(void *arg)
{
	pthread_setname_np(pthread_self(), "brief");
	work_brief();
	return arg;
}

int main(void)
{
	static void *(*const start[4])(void *) = {worker_1, worker_2, worker_3, worker_4};
	pthread_t thread[4], one;

	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, start[i], NULL);
	target_ready();
	usleep(500000);
	for (int i = 2; i < 4; i++)
		pthread_create(&thread[i], NULL, start[i], NULL);
	while (!target_stop) {
		pthread_create(&one, NULL, brief, NULL);
		pthread_join(one, NULL);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
