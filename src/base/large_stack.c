/* SPDX-License-Identifier: Apache-2.0 */
/* Runs code on a thread with a stack of its own: see large_stack.h. */
#include "base/large_stack.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

struct call {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void *run(void *arg)
{
	struct call *c = arg;

	c->result = c->fn(c->arg);
	return NULL;
}

static bool is_enough(size_t bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur >= bytes;
}

/* Signals go to the thread, so that they interrupt what it waits for. */
static int start(const pthread_attr_t *attr, pthread_t *thread, struct call *c)
{
	int err = pthread_create(thread, attr, run, c);
	sigset_t all;

	sigfillset(&all);
	if (!err)
		pthread_sigmask(SIG_BLOCK, &all, NULL);
	return -err;
}

int large_stack_run(size_t bytes, int (*fn)(void *arg), void *arg, int *result)
{
	struct call c = {.fn = fn, .arg = arg};
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (is_enough(bytes)) {
		*result = fn(arg);
		return 0;
	}
	err = -pthread_attr_init(&attr);
	if (err)
		return err;
	err = -pthread_attr_setstacksize(&attr, bytes);
	if (!err)
		err = -pthread_setattr_default_np(&attr);
	if (!err)
		err = start(&attr, &thread, &c);
	pthread_attr_destroy(&attr);
	if (err)
		return err;
	pthread_join(thread, NULL);
	*result = c.result;
	return 0;
}
