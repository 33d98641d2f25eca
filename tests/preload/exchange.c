/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange ROUNDS [moving] has four threads. Each allocates ROUNDS blocks of changing size and puts
 * them into slots that all share; a thread that finds a block in a slot frees it. All blocks are
 * freed in the end. With `moving` each block is enlarged once before, so that it usually moves.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define PLACES 512

static _Atomic(void *) places[PLACES];
static long rounds;
static bool moving;

static void *work(void *seed)
{
	uint32_t random = (uint32_t)(uintptr_t)seed * 2654435761u + 1;

	for (long i = 0; i < rounds; i++) {
		size_t size;
		void *p;

		random = random * 1664525u + 1013904223u;
		size = 1 + random % 2000;
		p = random & 1024 ? malloc(size) : calloc(1, size);
		if (!p)
			abort();
		memset(p, (int)i, size);
		if (moving && !(p = realloc(p, 3 * size)))
			abort();
		free(atomic_exchange(&places[random >> 8 & (PLACES - 1)], p));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[THREADS];

	rounds = argc > 1 ? atol(argv[1]) : 1000;
	moving = argc > 2 && *argv[2];
	for (uintptr_t i = 0; i < THREADS; i++) {
		if (pthread_create(&ids[i], NULL, work, (void *)i))
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	for (int i = 0; i < PLACES; i++)
		free(atomic_load(&places[i]));
	return 0;
}
