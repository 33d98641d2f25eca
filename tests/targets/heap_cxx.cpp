// SPDX-License-Identifier: Apache-2.0
// heap_cxx N [throw] calls every form of operator new and delete N times each, and half of the
// blocks stay. With "throw", one call in each round fails with an exception that is caught. With
// "full", memory is filled once up to a limit until nothing more can be allocated. With "limit",
// the allocator itself refuses in each round.
#include <new>

#include "heap_truth.h"

#include <sys/resource.h>
#include <vector>

namespace
{

struct alignas(64) Wide {
	char bytes[192];
};

struct Plain {
	char bytes[40];
};

struct Counted { // an array of it has a cookie
	~Counted()
	{
		bytes[0] = 0;
	}
	char bytes[24];
};

site sites[] = {{"new_plain", {}, {}},   {"new_array", {}, {}}, {"new_nothrow", {}, {}},
		{"new_aligned", {}, {}}, {"new_sized", {}, {}}, {"new_cookie", {}, {}}};

} // namespace

#define KEPT(i) ((i) % 2)

extern "C" {

NOINLINE void new_plain(long i)
{
	Plain *p = new Plain;

	USED(p);
	site_alloc(&sites[0], sizeof(Plain));
	if (!KEPT(i)) {
		delete p;
		site_free(&sites[0], sizeof(Plain));
	}
}

NOINLINE void new_array(long i)
{
	char *p = new char[100 + i % 50];

	USED(p);
	site_alloc(&sites[1], 100 + i % 50);
	if (!KEPT(i)) {
		delete[] p;
		site_free(&sites[1], 100 + i % 50);
	}
}

NOINLINE void new_nothrow(long i)
{
	Plain *p = new (std::nothrow) Plain;

	USED(p);
	site_alloc(&sites[2], sizeof(Plain));
	if (!KEPT(i)) {
		::operator delete(p, std::nothrow);
		site_free(&sites[2], sizeof(Plain));
	}
}

NOINLINE void new_aligned(long i)
{
	Wide *p = new Wide;

	USED(p);
	site_alloc(&sites[3], sizeof(Wide));
	if (!KEPT(i)) {
		delete p;
		site_free(&sites[3], sizeof(Wide));
	}
}

NOINLINE void new_sized(long i)
{
	void *p = ::operator new(77);

	USED(p);
	site_alloc(&sites[4], 77);
	if (!KEPT(i)) {
		::operator delete(p, std::size_t(77));
		site_free(&sites[4], 77);
	}
}

NOINLINE void new_cookie(long i)
{
	Counted *p = new Counted[10];
	const std::size_t size = 10 * sizeof(Counted) + sizeof(std::size_t);

	USED(p);
	site_alloc(&sites[5], size);
	if (!KEPT(i)) {
		delete[] p;
		site_free(&sites[5], size);
	}
}

NOINLINE bool new_throws(std::size_t too_much)
{
	try {
		char *p = new char[too_much];

		USED(p);
		return false;
	} catch (const std::bad_alloc &) {
		return true;
	}
}

NOINLINE void fill_memory(std::size_t size)
{
	std::vector<char *> blocks;

	blocks.reserve(1 << 16);
	try {
		for (;;)
			blocks.push_back(new char[size]);
	} catch (const std::bad_alloc &) {
	}
	for (char *p : blocks)
		delete[] p;
}
}

int main(int argc, char **argv)
{
	volatile std::size_t too_much = std::size_t(1) << 48;
	long n = argc > 1 ? atol(argv[1]) : 1000;

	for (site &s : sites)
		site_known(&s);
	heap_begin();
	for (long i = 0; i < n; i++) {
		new_plain(i);
		new_array(i);
		new_nothrow(i);
		new_aligned(i);
		new_sized(i);
		new_cookie(i);
		if (argc > 2 && !strcmp(argv[2], "throw") && !new_throws(too_much))
			return 3;
		if (argc > 2 && !strcmp(argv[2], "limit"))
			fill_memory(1 << 20);
	}
	if (argc > 2 && !strcmp(argv[2], "full")) {
		const rlimit limit = {2ul << 30, 2ul << 30};

		setrlimit(RLIMIT_AS, &limit);
		fill_memory(100000);
	}
	heap_end();
	return 0;
}
