/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the clock all the time, so most samples are in the vdso. */
#include "target.h"

static NOINLINE long read_clock(void)
{
	struct timespec ts;
	long sum = 0;

	for (int i = 0; i < 100000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		sum += ts.tv_nsec;
	}
	return sum;
}

int main(void)
{
	long sum = 0;

	target_ready();
	while (!target_stop)
		sum += read_clock();
	return sum == 0;
}
