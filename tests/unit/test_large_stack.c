/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that code gets the stack that it asks for, and that threads and commands keep theirs. */
#include "base/large_stack.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define NEEDED (1u << 20)

static struct rlimit limit;

static void *thread_stack(void *arg)
{
	char large[NEEDED / 2];

	memset(large, 1, sizeof(large));
	__asm__ volatile("" : : "r"(large) : "memory");
	return arg;
}

static int on_stack(void *arg)
{
	pthread_t *other = arg, thread;
	struct rlimit now;

	thread_stack(NULL);
	*other = pthread_self();
	CHECK_INT(getrlimit(RLIMIT_STACK, &now), 0);
	CHECK_INT(now.rlim_cur, limit.rlim_cur);
	CHECK_INT(pthread_create(&thread, NULL, thread_stack, NULL), 0);
	CHECK_INT(pthread_join(thread, NULL), 0);
	return 42;
}

static void call(rlim_t bytes, bool here)
{
	pthread_t other;
	int result = 0;

	CHECK_INT(getrlimit(RLIMIT_STACK, &limit), 0);
	limit.rlim_cur = bytes;
	CHECK_INT(setrlimit(RLIMIT_STACK, &limit), 0);
	CHECK_INT(large_stack_run(NEEDED, on_stack, &other, &result), 0);
	CHECK_INT(result, 42);
	CHECK(here == !!pthread_equal(other, pthread_self()));
}

TEST(large_stack, is_that_of_a_thread_if_the_limit_is_low)
{
	call(64 << 10, false);
}

TEST(large_stack, is_our_own_if_that_is_enough)
{
	call(NEEDED, true);
}
