/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_grow runs 2.5 seconds in steps of a tenth and prints when each was ("step SECONDS", since
 * the epoch). One site leaks in every step. One frees in the next step what it allocated, and in
 * the middle what it held from the beginning, so that two looks a second find less than before
 * whichever steps they coincide with. One has a single block that is replaced in each step, and one
 * holds much memory for 1.1 seconds in the middle.
 */
#include "heap_truth.h"

#define STEPS 25
#define BURST_BEGINS 10
#define BURST_ENDS 21
#define BURST 50
#define BREATH 20
#define HALF 12

static struct site grower = {.name = "grows"}, breather = {.name = "breathes"},
		   renewer = {.name = "renews"}, burster = {.name = "bursts"};

static NOINLINE void *grows(void)
{
	void *p = malloc(1000);

	USED(p);
	site_alloc(&grower, 1000);
	return p;
}

static NOINLINE void *breathes(void)
{
	void *p = malloc(2000);

	USED(p);
	site_alloc(&breather, 2000);
	return p;
}

static NOINLINE void *renews(void)
{
	void *p = malloc(5000);

	USED(p);
	site_alloc(&renewer, 5000);
	return p;
}

static NOINLINE void *bursts(void)
{
	void *p = malloc(100000);

	USED(p);
	site_alloc(&burster, 100000);
	return p;
}

static void give_back(struct site *s, void **blocks, int n, size_t size)
{
	for (int i = 0; i < n; i++) {
		free(blocks[i]);
		site_free(s, size);
	}
}

static void step(int i)
{
	static void *breath[BREATH], *deep_breath[2 * BREATH], *renewed, *burst[BURST];
	void *old = renewed;

	for (int k = 0; k < 10; k++)
		grows();
	if (i % 2)
		give_back(&breather, breath, BREATH, 2000);
	for (int k = 0; !(i % 2) && k < BREATH; k++)
		breath[k] = breathes();
	for (int k = 0; !i && k < 2 * BREATH; k++)
		deep_breath[k] = breathes();
	if (i == HALF)
		give_back(&breather, deep_breath, 2 * BREATH, 2000);
	renewed = renews();
	if (old)
		give_back(&renewer, &old, 1, 5000);
	for (int k = 0; i == BURST_BEGINS && k < BURST; k++)
		burst[k] = bursts();
	if (i == BURST_ENDS)
		give_back(&burster, burst, BURST, 100000);
}

int main(void)
{
	const struct timespec tenth = {.tv_nsec = 100000000};
	double steps[STEPS];

	site_known(&grower);
	site_known(&breather);
	site_known(&renewer);
	site_known(&burster);
	heap_begin();
	for (int i = 0; i < STEPS; i++) {
		step(i);
		steps[i] = target_clock(CLOCK_REALTIME);
		nanosleep(&tenth, NULL);
	}
	for (int i = 0; i < STEPS; i++)
		printf("step %.6f\n", steps[i]);
	heap_end();
	return 0;
}
