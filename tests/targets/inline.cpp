/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has four functions inlined into one hot loop, and exceptions thrown and caught in another. The
 * tests find the line numbers by the markers in the comments.
 */
#include "target.h"

#include <stdexcept>

#define INLINE inline __attribute__((always_inline))

namespace deep
{

template <typename T> struct Step {
	static INLINE void innermost(T n)
	{
		TARGET_SPIN(n); /* mark: innermost */
	}
};

template <typename T> static INLINE void third(T n)
{
	Step<T>::innermost(n); /* mark: third */
}

static INLINE void second(long n)
{
	third<long>(n); /* mark: second */
}

static INLINE void first(long n)
{
	second(n); /* mark: first */
}

NOINLINE static void hot(long n)
{
	first(n); /* mark: hot */
	NO_TAIL_CALL();
}

} // namespace deep

namespace thrown
{

struct Problem : std::runtime_error {
	using std::runtime_error::runtime_error;
};

NOINLINE static void bottom(int depth)
{
	if (!depth)
		throw Problem("as expected");
	bottom(depth - 1);
	NO_TAIL_CALL();
}

NOINLINE static int catcher()
{
	try {
		bottom(8);
	} catch (const Problem &problem) {
		TARGET_SPIN(1000);
		return 1;
	}
	return 0;
}

} // namespace thrown

int main()
{
	long caught = 0;

	target_ready();
	while (!target_stop) {
		deep::hot(3000000);
		for (int i = 0; i < 500; i++)
			caught += thrown::catcher();
	}
	return caught == 0;
}
