/* SPDX-License-Identifier: Apache-2.0 */
/* stream BLOCKS allocates and frees that many blocks of typical sizes, and prints their bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static const uint16_t sizes[] = {16, 24, 32, 32, 48, 64, 100, 128, 256, 1000, 4000, 20000};
	long blocks = argc > 1 ? atol(argv[1]) : 1000;
	uint64_t bytes = 0;
	uint32_t random = 1;

	for (long i = 0; i < blocks; i++) {
		size_t size;
		void *p;

		random = random * 1664525u + 1013904223u;
		size = sizes[(random >> 16) % 12];
		p = malloc(size);
		__asm__ volatile("" : "+r"(p)::"memory");
		free(p);
		bytes += size;
	}
	printf("%llu\n", (unsigned long long)bytes);
	return 0;
}
