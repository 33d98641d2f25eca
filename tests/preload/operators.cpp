/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators ROUNDS calls every operator new and delete once a round, which is 8 allocations of 8 *
 * 64 bytes and 8 frees. Before that, it checks that they fail as they should. It is also built as a
 * plugin that a C program loads.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

struct alignas(64) wide {
	char bytes[64];
};

struct narrow {
	char bytes[64];
};

static volatile std::size_t too_much = PTRDIFF_MAX - 4096;
static int handled;

template <typename T> static T *opaque(T *p)
{
	__asm__ volatile("" : "+r"(p)::"memory");
	return p;
}

static void on_no_memory()
{
	handled++;
	std::set_new_handler(nullptr);
}

template <typename F> static bool fails(F allocate)
{
	try {
		opaque(allocate());
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static bool all_fail()
{
	const std::align_val_t alignment{64};

	std::set_new_handler(on_no_memory);
	return fails([] { return ::operator new(too_much); }) && handled == 1 &&
	       fails([] { return ::operator new[](too_much); }) &&
	       fails([=] { return ::operator new(too_much, alignment); }) &&
	       fails([=] { return ::operator new[](too_much, alignment); }) &&
	       !::operator new(too_much, std::nothrow) &&
	       !::operator new[](too_much, alignment, std::nothrow);
}

template <typename T> static void operators()
{
	delete opaque(new T);
	delete[] opaque(new T[1]);
	delete opaque(new (std::nothrow) T);
	delete[] opaque(new (std::nothrow) T[1]);
}

extern "C" int run(long rounds)
{
	if (!all_fail()) {
		std::fputs("an operator new that cannot succeed\n", stderr);
		return 1;
	}
	for (; rounds > 0; rounds--) {
		operators<narrow>();
		operators<wide>();
	}
	return 0;
}

int main(int argc, char **argv)
{
	return run(argc > 1 ? std::atol(argv[1]) : 1);
}
