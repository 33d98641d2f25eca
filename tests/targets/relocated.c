/* SPDX-License-Identifier: Apache-2.0 */
/* relocated allocates in a library with text relocations, and ends. */
#include "target.h"

int main(void)
{
	void *(*volatile get)(size_t) = malloc;
	void (*volatile put)(void *) = free;

	for (int i = 0; i < 100000; i++)
		put(get(100));
	return 0;
}
