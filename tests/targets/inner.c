/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spends its time inside the C library: formats, parses, sorts, allocates and searches, in two
 * threads. Few of musl's functions have call frame information.
 */
#include "target.h"

#include <pthread.h>

#define LINES 64

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static NOINLINE double work(unsigned seed)
{
	char text[LINES][48], *lines[LINES], *copy;
	double sum = 0;

	for (int i = 0; i < LINES; i++) {
		seed = seed * 1103515245 + 12345;
		snprintf(text[i], sizeof(text[i]), "%u %g %s", seed >> 8, seed / 3.0, "abc");
		lines[i] = text[i];
	}
	qsort(lines, LINES, sizeof(*lines), compare);
	for (int i = 0; i < LINES; i++) {
		sum += strtod(lines[i], NULL);
		copy = strdup(lines[i]);
		sum += copy && strstr(copy, "abc");
		free(copy);
	}
	return sum;
}

static void *thread(void *arg)
{
	volatile double sum = 0;

	for (unsigned n = 1; !target_stop; n++)
		sum += work(n);
	return arg;
}

int main(void)
{
	pthread_t other;

	target_ready();
	if (pthread_create(&other, NULL, thread, NULL))
		return 1;
	thread(NULL);
	pthread_join(other, NULL);
	return 0;
}
