/* SPDX-License-Identifier: Apache-2.0 */
/* The plug-in of deep_host. One of its functions is called through a pointer in its data. */
#include <stdlib.h>

void keep(int blocks);
void take(void *block);

void (*volatile release)(void *) = free;

void keep(int blocks)
{
	for (int i = 0; i < blocks; i++) {
		char *p = malloc(1000);

		if (!p)
			abort();
		*(volatile char *)p = 1;
	}
}

void take(void *block)
{
	release(block);
}
