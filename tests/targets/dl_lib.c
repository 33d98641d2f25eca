/* SPDX-License-Identifier: Apache-2.0 */
/* A library that spends CPU time in a function whose name and frame size the build sets. */
#include "target.h"

static NOINLINE void burn(long n)
{
	TARGET_SPIN(n);
}

void LIB_FUNCTION(long n);
NOINLINE void LIB_FUNCTION(long n)
{
	volatile char buf[LIB_FRAME];

	buf[0] = 0;
	burn(n);
	buf[LIB_FRAME - 1] = buf[0];
}
