/* SPDX-License-Identifier: Apache-2.0 */
/* deep N recurses N calls deep and spends all its time at the bottom. */
#include "target.h"

static NOINLINE void bottom(void)
{
	while (!target_stop)
		TARGET_SPIN(1000000);
}

static NOINLINE void descend(int depth)
{
	if (depth > 1)
		descend(depth - 1);
	else
		bottom();
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	target_ready();
	descend(argc > 1 ? atoi(argv[1]) : 600);
	return 0;
}
