// SPDX-License-Identifier: Apache-2.0
// returns NAME... calls each of these allocation functions in many ways, for
// tests/unit/test_return_site.c, which steps through it. Before each function an int3 passes its
// address in rax, the load address of its file in rbx, and the file's path in rcx. The next int3
// comes after the calls, and one with rax 0 at the end. The program's own functions have every
// shape that matters. With RETURNS_FAIL in the environment some calls request more memory than
// there is.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <new>

#define EXPORTED extern "C" __attribute__((noinline, visibility("default")))

static char pool[1 << 16];
static std::size_t used;
static volatile int shape;

// ---- functions of many shapes, whose argument selects the path

// The result is computed after the last branch.
EXPORTED void *shape_bump(std::size_t size)
{
	if (size > 1ul << 40)
		throw std::bad_alloc();
	used = (used + size) % sizeof(pool);
	return pool + used;
}

// The result comes from a call, and the frame is large.
EXPORTED void *shape_frame(std::size_t size)
{
	char text[200];
	void *p = malloc(size + 1);

	snprintf(text, sizeof(text), "%p %zu", p, size);
	shape += text[2];
	free(p);
	return size % 3 ? pool + size % 100 : nullptr;
}

// Compilers make a jump table for this switch.
EXPORTED void *shape_switch(std::size_t size)
{
	switch (size) {
	case 1:
		return pool + used++ % 7;
	case 2:
		return shape_bump(8);
	case 3:
		return pool + 30 * ++shape % 100;
	case 4:
		return nullptr;
	case 5:
		shape = 0;
		return pool + 5;
	case 6:
		used = 1;
		return shape_frame(7);
	case 7:
		return pool + strlen(pool + 9);
	case 8:
		shape_frame(1);
		return pool + 4;
	default:
		return pool + size % 1000;
	}
}

static void *elsewhere(std::size_t size)
{
	return pool + size % 10;
}

void *(*volatile shape_pointer)(std::size_t) = elsewhere;

// Nobody can tell where it returns.
EXPORTED void *shape_hidden(std::size_t size)
{
	return shape_pointer(size + 1);
}

// Every path returns through another allocation function.
EXPORTED void *shape_delegates(std::size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		throw std::bad_alloc();
	return p;
}

// It fills its block at its end, by a jump; memset returns its argument.
EXPORTED void *shape_zeroed(std::size_t size)
{
	if (size > 1ul << 40)
		return nullptr;
	used = (used + size) % 4096;
	return memset(pool + used, 0, size % 4096);
}

// The stack is realigned, so its depth is unknown.
EXPORTED void *shape_aligned(std::size_t size)
{
	alignas(128) char wide[256];

	memset(wide, (int)size, sizeof(wide));
	asm volatile("" : : "r"(wide) : "memory");
	if (wide[size % sizeof(wide)] == 77)
		return nullptr;
	return pool + static_cast<unsigned char>(wide[1]);
}

// It calls itself, and throws half way up.
EXPORTED void *shape_recursive(std::size_t size)
{
	if (size == 7 + 9 + 9)
		throw std::bad_alloc();
	if (size % 5 == 0 || size > 20)
		return pool + size % 100;
	try {
		char *p = static_cast<char *>(shape_recursive(size + 9));
		return p + 1;
	} catch (const std::bad_alloc &) {
		return pool + 1;
	}
}

// ---- calling them

using function = void *(*)(std::size_t, std::size_t, std::size_t);

__attribute__((noinline)) static void mark(void *address, void *base, const char *path)
{
	asm volatile("int3" : : "a"(address), "b"(base), "c"(path) : "memory");
}

static void call(function f, std::size_t a, std::size_t b, std::size_t c)
{
	try {
		asm volatile("" : : "r"(f(a, b, c)) : "memory");
	} catch (const std::bad_alloc &) {
	}
}

// Sizes are small and large, and some fail; other arguments have values that are meaningful to most
// functions.
static void call_often(const char *name, function f)
{
	static const std::size_t sizes[] = {0, 1,  2,   3,   4,    5,    6,     7,      8,
					    9, 33, 100, 700, 1500, 5000, 40000, 300000, 1ul << 62};
	void *block = nullptr;

	std::size_t most = 300000;

	if (strstr(name, "alloc") && strcmp(name, "malloc") != 0)
		most = 5000; // It writes to its block while it is single-stepped.
	else if (getenv("RETURNS_FAIL") && !strstr(name, "St"))
		most = ~0ul;
	for (std::size_t size : sizes) {
		if (size > most)
			break;
		if (strstr(name, "align_val") || strstr(name, "new_aligned"))
			call(f, size, 64, 0);
		else if (!strcmp(name, "posix_memalign"))
			call(f, reinterpret_cast<std::size_t>(&block), 64, size);
		else if (!strcmp(name, "memalign") || !strcmp(name, "aligned_alloc"))
			call(f, 64, size, 0);
		else if (!strcmp(name, "calloc"))
			call(f, size, 2, 0);
		else if (!strcmp(name, "realloc"))
			call(f, reinterpret_cast<std::size_t>(malloc(50)), size, 0);
		else
			call(f, size, size, 0);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *address = dlsym(RTLD_DEFAULT, argv[i]);
		Dl_info info;

		if (!address || !dladdr(address, &info))
			continue;
		mark(address, info.dli_fbase, info.dli_fname);
		call_often(argv[i], reinterpret_cast<function>(address));
		mark(argv, nullptr, nullptr);
	}
	mark(nullptr, nullptr, nullptr);
	return 0;
}
