/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a tiny library function through the lazily bound PLT, so that samples fall on the stub. */
#include "target.h"

long tiny(long n);

static NOINLINE long caller(long n)
{
	for (long i = 0; i < 1000000; i++)
		n = tiny(n);
	return n;
}

int main(void)
{
	long n = 0;

	target_ready();
	while (!target_stop)
		n = caller(n);
	return n == 0;
}
