/* SPDX-License-Identifier: Apache-2.0 */
/* hoard BLOCKS holds that many blocks at once, frees them all, and allocates once more. */
#include <stdlib.h>

int main(int argc, char **argv)
{
	long blocks = argc > 1 ? atol(argv[1]) : 1000;
	void **held = calloc((size_t)blocks, sizeof(*held));

	for (long i = 0; held && i < blocks; i++) {
		held[i] = malloc(16);
		if (!held[i])
			return 1;
	}
	for (long i = 0; held && i < blocks; i++)
		free(held[i]);
	free(held);
	return !malloc(1);
}
