/* SPDX-License-Identifier: Apache-2.0 */
/* A library that burns time in a function of the name and frame size that the build gives it. */
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
