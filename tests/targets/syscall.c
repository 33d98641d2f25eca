/* SPDX-License-Identifier: Apache-2.0 */
/* Spends its time in the kernel, which clears memory for it. */
#include "target.h"

#include <fcntl.h>

static NOINLINE void read_zeros(int fd)
{
	static char memory[1 << 20];

	if (read(fd, memory, sizeof(memory)) != sizeof(memory))
		exit(1);
	NO_TAIL_CALL();
}

int main(void)
{
	int fd = open("/dev/zero", O_RDONLY);

	target_ready();
	while (!target_stop)
		read_zeros(fd);
	return 0;
}
