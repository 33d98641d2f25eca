/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for the end of running BPF programs: see program_barrier.h. */
#include "collect/session/program_barrier.h"

#include <bpf/bpf.h>
#include <signal.h>
#include <unistd.h>

int program_barrier_init(struct program_barrier *b)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	*b = PROGRAM_BARRIER_NONE;
	b->inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cprof_inner", sizeof(u32), sizeof(u32), 1,
				  NULL);
	if (b->inner < 0)
		return b->inner;
	opts.inner_map_fd = (u32)b->inner;
	b->outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "cprof_barrier", sizeof(u32),
				  sizeof(u32), 1, &opts);
	return b->outer < 0 ? b->outer : 0;
}

void program_barrier_release(struct program_barrier *b)
{
	(void)!program_barrier_end(b);
	if (b->outer >= 0)
		close(b->outer);
	if (b->inner >= 0)
		close(b->inner);
	*b = PROGRAM_BARRIER_NONE;
}

int program_barrier_wait(const struct program_barrier *b)
{
	u32 zero = 0;

	return bpf_map_update_elem(b->outer, &zero, &b->inner, BPF_ANY);
}

static void *wait_in_thread(void *arg)
{
	struct program_barrier *b = arg;

	b->err = program_barrier_wait(b);
	__atomic_store_n(&b->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

void program_barrier_begin(struct program_barrier *b)
{
	sigset_t all, before;

	b->over = 0;
	b->begun = true;
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	b->threaded = !pthread_create(&b->thread, NULL, wait_in_thread, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!b->threaded)
		wait_in_thread(b);
}

bool program_barrier_is_over(const struct program_barrier *b)
{
	return __atomic_load_n(&b->over, __ATOMIC_ACQUIRE);
}

int program_barrier_end(struct program_barrier *b)
{
	if (b->begun && b->threaded)
		pthread_join(b->thread, NULL);
	b->begun = b->threaded = false;
	return b->err;
}
