/* SPDX-License-Identifier: Apache-2.0 */
/* operators ROUNDS: every operator new and delete once a round: 8 allocations, of 8 * 64 bytes, and 8 frees. */
#include <cstdlib>
#include <new>

struct alignas(64) wide {
	char bytes[64];
};

struct narrow {
	char bytes[64];
};

template <typename T> static T *opaque(T *p)
{
	__asm__ volatile("" : "+r"(p)::"memory");
	return p;
}

template <typename T> static void operators()
{
	delete opaque(new T);
	delete[] opaque(new T[1]);
	delete opaque(new (std::nothrow) T);
	delete[] opaque(new (std::nothrow) T[1]);
}

int main(int argc, char **argv)
{
	for (long rounds = argc > 1 ? std::atol(argv[1]) : 1; rounds > 0; rounds--) {
		operators<narrow>();
		operators<wide>();
	}
	return 0;
}
