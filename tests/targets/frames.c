/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contains frames that are awkward to unwind: a realigned stack whose CFA is an expression, more
 * than 32 KiB of locals, and variable-length arrays. All three are on one stack, and the time is
 * spent at its bottom.
 */
#include "target.h"

#include <alloca.h>

static NOINLINE void bottom(void)
{
	TARGET_SPIN(1000000);
}

static NOINLINE void touch(volatile char *memory)
{
	memory[0] = 1;
}

static NOINLINE void large_frame(void)
{
	char buf[100000];

	touch(buf);
	bottom();
	touch(buf + sizeof(buf) - 1);
}

static NOINLINE void variable_frame(int n)
{
	char buf[n];

	touch(buf);
	large_frame();
	touch(buf + n - 1);
}

static NOINLINE void realigned_with_alloca(int n)
{
	char aligned[64] __attribute__((aligned(64)));
	char *buf = alloca(n);

	touch(aligned);
	touch(buf);
	variable_frame(n + 24);
	touch(aligned);
}

static NOINLINE void realigned(int n)
{
	char aligned[128] __attribute__((aligned(128)));

	touch(aligned);
	realigned_with_alloca(n);
	touch(aligned);
}

int main(void)
{
	target_ready();
	for (int n = 100; !target_stop; n = n < 5000 ? n + 1 : 100)
		realigned(n);
	return 0;
}
