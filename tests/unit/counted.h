/* SPDX-License-Identifier: Apache-2.0 */
/* tests/targets/counted.c as a child process: works as it is told, and counts what it does. */
#ifndef CPROF_TESTS_COUNTED_H
#define CPROF_TESTS_COUNTED_H

#include <stdio.h>
#include <sys/types.h>

struct counted {
	pid_t pid;
	int in; /* a byte is a round of work */
	FILE *out;
	char text[16]; /* the number, as -p takes it */
};

/* Skips the test where the program is not built. */
void counted_start(struct counted *c, const char *mode);
void counted_work(struct counted *c, unsigned rounds);
/* Waits until all work is done. Nothing is done after it. */
void counted_finish(struct counted *c);
/* After counted_finish(), in the order in which it prints: "allocs", .. */
long long counted_number(struct counted *c, const char *name);
void counted_end(struct counted *c);

#endif
