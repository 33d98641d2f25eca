// SPDX-License-Identifier: Apache-2.0
// heap_leave N HOW has a pool, to be named with --alloc malloc=pool_get,free=pool_put, that is left
// in ways which a return probe does not survive. HOW is "throw" (it is full now and then, and
// callers catch at several depths), "exit" (a thread ends inside it, with destructors to run),
// "switch" (it waits on another stack, where it is called again) or "jump" (longjmp out of it). The
// truth counts the calls that returned.
#include <csetjmp>
#include <pthread.h>
#include <new>
#include <ucontext.h>

#include "heap_truth.h"

#define BLOCK 256
#define MAIN_STACK 65536

static site shallow = {"from_shallow", {}, {}}, deep = {"from_deep", {}, {}},
	    other = {"from_other_stack", {}, {}};
static site *const sites[] = {&shallow, &deep, &other};
static char arena[16 << 20];
static size_t used;
static long asked, left, destroyed;
static const char *how;
static bool on_other; // stack
static ucontext_t main_context, other_context;
static jmp_buf out;

extern "C" {

NOINLINE void *pool_get(size_t size)
{
	char *p = arena + used;

	if (++asked % 7 == 3 || asked % 11 == 4) {
		left++;
		if (how[0] == 't')
			throw std::bad_alloc();
		if (how[0] == 'e')
			pthread_exit(nullptr);
		if (how[0] == 'j')
			longjmp(out, 1);
		if (how[0] == 's' && !on_other)
			swapcontext(&main_context, &other_context);
	}
	used = (used + (size > BLOCK ? size : BLOCK)) % (sizeof(arena) - BLOCK);
	return p;
}

NOINLINE void pool_put(void *p)
{
	USED(p);
}

NOINLINE void from_shallow(long i)
{
	size_t size = 1 + (size_t)i % BLOCK;
	void *p = pool_get(size);

	USED(p);
	site_alloc(&shallow, size);
	if (i % 3) {
		pool_put(p);
		site_free(&shallow, size);
	}
}

// A large frame keeps what others wrote into it.
NOINLINE void from_deep(long i, int depth)
{
	volatile char buf[400];
	void *p;

	buf[(i + depth) % 400] = (char)depth;
	if (depth)
		return from_deep(i, depth - 1);
	p = pool_get(77);
	USED(p);
	site_alloc(&deep, 77);
	if (buf[i % 400] == 55)
		pool_put(nullptr);
}

NOINLINE void from_other_stack()
{
	void *p = pool_get(33);

	USED(p);
	site_alloc(&other, 33);
	pool_put(p);
	site_free(&other, 33);
}
}

static void on_other_stack()
{
	for (;;) {
		on_other = true;
		from_other_stack();
		on_other = false;
		swapcontext(&other_context, &main_context);
	}
}

namespace
{

struct counted {
	~counted()
	{
		destroyed++;
	}
};

} // namespace

static void some(long i)
{
	counted c;

	from_shallow(i);
	from_deep(i, (int)(i % 5));
}

static void *in_thread(void *arg)
{
	some(*static_cast<long *>(arg));
	return nullptr;
}

static void once(long i)
{
	pthread_t thread;

	switch (how[0]) {
	case 'e':
		pthread_create(&thread, nullptr, in_thread, &i);
		pthread_join(thread, nullptr);
		break;
	case 'j':
		if (!setjmp(out))
			some(i);
		break;
	default:
		try {
			some(i);
		} catch (const std::bad_alloc &) {
		}
	}
}

int main(int argc, char **argv)
{
	// There is nothing above the main stack, so the other one is always below it and looks like
	// deeper calls.
	static char stack[MAIN_STACK];
	long n = argc > 1 ? atol(argv[1]) : 1000;

	how = argc > 2 ? argv[2] : "throw";
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = stack;
	other_context.uc_stack.ss_size = sizeof(stack);
	makecontext(&other_context, on_other_stack, 0);
	for (site *s : sites)
		site_known(s);
	heap_begin();
	for (long i = 0; i < n; i++)
		once(i);
	printf("left %ld\n", left);
	// A longjmp past it skips a destructor, and everything else runs them.
	if (!left || (how[0] != 'j' && destroyed != n))
		return 3;
	heap_end();
	return 0;
}
