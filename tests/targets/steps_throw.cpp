/* SPDX-License-Identifier: Apache-2.0 */
/* Throws and catches between two int3 instructions: see steps.c. */
#include "target.h"

#include <stdexcept>
#include <string>

struct Guard {
	std::string text;
	~Guard()
	{
		__asm__ volatile("" ::"r"(text.data()) : "memory");
	}
};

static NOINLINE void thrower(int depth)
{
	Guard guard{std::string(40, 'x')};

	if (depth == 0)
		throw std::runtime_error("as expected");
	thrower(depth - 1);
	NO_TAIL_CALL();
}

static NOINLINE int catcher()
{
	try {
		thrower(5);
	} catch (const std::exception &problem) {
		return problem.what()[0];
	}
	return 0;
}

int main()
{
	int result;

	alarm(TARGET_SECONDS);
	__asm__ volatile("int3" ::: "memory");
	result = catcher();
	__asm__ volatile("int3" ::: "memory");
	return result == 'a' ? 0 : 1;
}
