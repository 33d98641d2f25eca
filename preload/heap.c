/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports sampled blocks. It fires `otel_memory:alloc(ptr, size, weighted_bytes)` for sampled
 * allocations and `otel_memory:free(ptr)` when one of those blocks is freed (the contract is
 * design-docs/00003-memory-profiling of opentelemetry-ebpf-profiler). If no tracer is attached, the
 * probes are nops. If the set of live samples is full, `cprof_heap:dropped(total)` fires in place
 * of alloc. `cprof_heap:started(rate)` fires once, before the program's first instruction, unless
 * the program has a malloc of its own, which this library cannot see.
 *
 * A block is in the set only while it is allocated. It is added after the allocator has returned
 * it, and it is removed, and its free probe fired, before the allocator gets it back. So if another
 * thread is given the same address, the two blocks are never confused. A realloc() may fail, so its
 * block is only marked before the call (see pointer_set_move()).
 */
#include "heap.h"
#include "real.h"

#include <stdlib.h>

#include "arch/preload.h"

#define RATE_UNKNOWN UINT64_MAX

extern char **environ;

_Thread_local struct sampler heap_thread;
struct pointer_set heap_samples;
static _Atomic uint64_t samples_dropped;
static _Atomic uint64_t known_rate = RATE_UNKNOWN;

void real_on_static_block(const void *p)
{
	pointer_set_mark(&heap_samples, p);
}

/* RATE_UNKNOWN while the C library does not have the environment yet */
static uint64_t sampling_rate(void)
{
	uint64_t rate = atomic_load_explicit(&known_rate, memory_order_relaxed);

	if (rate == RATE_UNKNOWN && environ) {
		rate = arch_is_on_valgrind() ? 0 : sampler_rate(getenv("CPROF_HEAP_RATE"));
		atomic_store_explicit(&known_rate, rate, memory_order_relaxed);
	}
	return rate;
}

static RARE void fire_free(void *p)
{
	PROBE1("otel_memory", "free", (uintptr_t)p);
}

static RARE void fire_alloc(void *p, size_t size, uint64_t weight)
{
	PROBE3("otel_memory", "alloc", (uintptr_t)p, size, weight);
}

static RARE void count_dropped(void)
{
	uint64_t total = atomic_fetch_add_explicit(&samples_dropped, 1, memory_order_relaxed) + 1;

	PROBE1("cprof_heap", "dropped", total);
}

static void report(void *p, size_t size, uint64_t rate)
{
	enum pointer_set_added added = pointer_set_add(&heap_samples, p);

	if (added == POINTER_SET_FULL) {
		count_dropped();
		return;
	}
	/* The block was freed where this library does not see it, and its address was allocated
	 * again. */
	if (added == POINTER_SET_THERE)
		fire_free(p);
	fire_alloc(p, size, sampler_weight(size, rate));
}

RARE void heap_reached(void *p, size_t size)
{
	uint64_t left = 0, rate = sampling_rate();

	if (rate == RATE_UNKNOWN)
		goto out;
	if (!heap_thread.random) {
		sampler_seed(&heap_thread);
		left = sampler_draw(&heap_thread, rate);
		if (size < left) {
			left -= size;
			goto out;
		}
	}
	if (p)
		report(p, size, rate);
	left = sampler_draw(&heap_thread, rate);
out:
	heap_thread.left = left;
}

RARE void heap_started(void)
{
	uint64_t rate = sampling_rate();

	if (rate && rate != RATE_UNKNOWN)
		PROBE1("cprof_heap", "started", rate);
}

RARE bool heap_move(void *p)
{
	return pointer_set_move(&heap_samples, p);
}

RARE void heap_moved(void *p, bool done)
{
	if (!done) {
		pointer_set_stay(&heap_samples, p);
	} else if (pointer_set_leave(&heap_samples, p)) {
		fire_free(p);
		pointer_set_left(&heap_samples, p);
	}
}

RARE bool heap_forget(void *p)
{
	if (pointer_set_remove(&heap_samples, p))
		fire_free(p);
	return !real_owns(p);
}
