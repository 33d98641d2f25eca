/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records the truth about allocations for each site, which is a function of the program that
 * reports to site_alloc() and site_free(). The program prints "ready", begins on SIGUSR1 (when the
 * profiler is attached), prints the truth and "done", and then sleeps until SIGTERM.
 *
 *   truth NAME alloc_objects alloc_space inuse_objects inuse_space
 *   sd NAME (the same four)    standard deviations of estimates from samples, with HEAP_RATE set
 *
 * Nothing here allocates, so every allocation of the program belongs to its site.
 */
#ifndef CPROF_TESTS_HEAP_TRUTH_H
#define CPROF_TESTS_HEAP_TRUTH_H

#include "target.h"

#include <math.h>

struct site {
	const char *name;
	long count[4]; /* in Go's order; several threads may add to it */
	double variance[4]; /* only one thread adds to it */
};

#define SITES_MAX 64

static struct site *heap_sites[SITES_MAX];
static int heap_nsites;
static double heap_rate; /* 0 if no deviations are wanted */
static volatile sig_atomic_t heap_told;

/* Hides from the compiler that a block is never used. */
#define USED(p) __asm__ volatile("" : "+r"(p)::"memory")

static UNUSED void site_known(struct site *s)
{
	heap_sites[heap_nsites++] = s;
}

/* Adds the variance of size/p bytes and 1/p blocks, which are counted with the probability p = 1 -
 * exp(-size / rate). */
static UNUSED void site_vary(struct site *s, int from, size_t size)
{
	double p, objects;

	if (heap_rate <= 1)
		return;
	p = -expm1(-(double)size / heap_rate);
	objects = size ? (1 - p) / p : 0;
	s->variance[from] += objects;
	s->variance[from + 1] += objects * (double)size * (double)size;
}

static UNUSED void site_alloc(struct site *s, size_t size)
{
	for (int i = 0; i < 4; i += 2) {
		__atomic_fetch_add(&s->count[i], 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&s->count[i + 1], (long)size, __ATOMIC_RELAXED);
	}
	if (heap_rate > 1) {
		site_vary(s, 0, size);
		site_vary(s, 2, size);
	}
}

static UNUSED void site_free(struct site *s, size_t size)
{
	__atomic_fetch_sub(&s->count[2], 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&s->count[3], (long)size, __ATOMIC_RELAXED);
	if (heap_rate > 1) {
		double objects = s->variance[2], bytes = s->variance[3];

		site_vary(s, 2, size);
		s->variance[2] = objects - (s->variance[2] - objects);
		s->variance[3] = bytes - (s->variance[3] - bytes);
	}
}

static UNUSED void heap_on_told(int signal UNUSED)
{
	heap_told = 1;
}

/* Waits for the signal to continue or to end. */
static UNUSED void heap_wait(void)
{
	sigset_t none, both, before;

	sigemptyset(&none);
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGTERM);
	sigprocmask(SIG_BLOCK, &both, &before);
	while (!heap_told && !target_stop)
		sigsuspend(&none);
	heap_told = 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Prints "ready" and waits until it is profiled. With HEAP_GO it begins at once, for `cprof heap --
 * PROGRAM`. */
static UNUSED void heap_begin(void)
{
	const char *rate = getenv("HEAP_RATE");
	struct sigaction action;

	heap_rate = rate ? atof(rate) : 0;
	memset(&action, 0, sizeof(action));
	action.sa_handler = heap_on_told;
	sigaction(SIGUSR1, &action, NULL);
	target_ready();
	if (!getenv("HEAP_GO"))
		heap_wait();
}

static UNUSED void heap_say(void)
{
	for (int i = 0; i < heap_nsites; i++) {
		const struct site *s = heap_sites[i];

		printf("truth %s %ld %ld %ld %ld\n", s->name, s->count[0], s->count[1], s->count[2],
		       s->count[3]);
		if (heap_rate > 1)
			printf("sd %s %.0f %.0f %.0f %.0f\n", s->name, sqrt(s->variance[0]),
			       sqrt(s->variance[1]), sqrt(fabs(s->variance[2])),
			       sqrt(fabs(s->variance[3])));
	}
	printf("done\n");
	fflush(stdout);
}

static UNUSED void heap_end(void)
{
	heap_say();
	if (!getenv("HEAP_GO"))
		heap_wait();
}

/* Returns pseudo-random numbers that are the same in every run. */
static UNUSED unsigned long heap_random(unsigned long below)
{
	static __thread unsigned long state = 88172645463325252ul;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

#endif
