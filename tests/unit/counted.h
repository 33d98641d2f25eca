/* SPDX-License-Identifier: Apache-2.0 */
/* Runs tests/targets/counted.c as a child process, which works on request and counts what it
 * does. */
#ifndef CPROF_TESTS_COUNTED_H
#define CPROF_TESTS_COUNTED_H

#include <stdio.h>
#include <sys/types.h>

struct counted {
	pid_t pid;
	int in; /* each byte starts a round of work */
	FILE *out;
	char text[16]; /* the PID as -p takes it */
};

/* Skips the test if the program is not built. */
void counted_start(struct counted *c, const char *mode);
void counted_work(struct counted *c, unsigned rounds);
/* Waits until what was asked for is done. The program does nothing until it is asked again. */
void counted_rest(const struct counted *c);
/* Waits until all work is done. The program does nothing after it. */
void counted_finish(struct counted *c);
/* Returns a count after counted_finish(). Counts have to be read in the order in which they are
 * printed: "allocs", .. */
long long counted_number(struct counted *c, const char *name);
void counted_end(struct counted *c);

#endif
