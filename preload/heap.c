/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcprof-heap.so: in front of the allocator, fires `otel_memory:alloc(ptr, size, weighted_bytes)` for
 * sampled allocations and `otel_memory:free(ptr)` when one of those blocks is freed (the contract is
 * design-docs/00003-memory-profiling of opentelemetry-ebpf-profiler). With no tracer attached the probes
 * are nops. `cprof_heap:dropped(total)` fires in place of alloc where the set of live samples is full.
 *
 * Every door of the allocator takes the thread's countdown out of its place and leaves a distance there
 * that nobody reaches: what the allocator calls of itself meanwhile, through the doors again, counts as
 * a part of this call. Afterwards the countdown comes back, less by this size. No flag to test, no lock.
 * malloc() alone does not, unless it is found at the start to go through other doors: it then jumps to the
 * allocator's, which costs a program that waits for its memory half as much.
 *
 * A block is in the set only while it belongs to somebody: it is added after the allocator returned it and
 * removed, and its free probe fired, before the allocator gets it back, so that another thread that
 * is given the same address is never taken for it.
 */
#include "pointer_set.h"
#include "probes.h"
#include "real.h"
#include "sampler.h"

#include <errno.h>
#include <stdlib.h>

#define DOOR __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Its probe is in the library once, and the door that calls it is on the stack. */
#ifdef __clang__
#define RARE __attribute__((noinline, cold))
#else
#define RARE __attribute__((noipa, cold))
#endif

#define RATE_UNKNOWN UINT64_MAX

extern char **environ;

static _Thread_local struct sampler thread;
static struct pointer_set samples;
static _Atomic uint64_t samples_dropped;
static _Atomic uint64_t known_rate = RATE_UNKNOWN;

void real_on_static_block(const void *p)
{
	pointer_set_mark(&samples, p);
}

/* RATE_UNKNOWN while the C library does not have the environment yet. */
static uint64_t sampling_rate(void)
{
	uint64_t rate = atomic_load_explicit(&known_rate, memory_order_relaxed);

	if (rate == RATE_UNKNOWN && environ) {
		rate = sampler_rate(getenv("CPROF_HEAP_RATE"));
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
	enum pointer_set_added added = pointer_set_add(&samples, p);

	if (added == POINTER_SET_FULL) {
		count_dropped();
		return;
	}
	/* Freed where this library does not see it, and given out again. */
	if (added == POINTER_SET_THERE)
		fire_free(p);
	fire_alloc(p, size, sampler_weight(size, rate));
}

/* The countdown reached zero in a call that allocated `p`, or was never drawn in this thread. */
static RARE void reached(void *p, size_t size)
{
	uint64_t left = 0, rate = sampling_rate();

	if (rate == RATE_UNKNOWN)
		goto out;
	if (!thread.random) {
		sampler_seed(&thread);
		left = sampler_draw(&thread, rate);
		if (size < left) {
			left -= size;
			goto out;
		}
	}
	if (p)
		report(p, size, rate);
	left = sampler_draw(&thread, rate);
out:
	thread.left = left;
}

static inline uint64_t enter(void)
{
	uint64_t left = thread.left;

	thread.left = SAMPLER_NEVER;
	return left;
}

/* Failed calls take their bytes off the countdown, too: it has no memory, so they bias nothing. */
static inline void leave(uint64_t left, void *p, size_t size)
{
	if (LIKELY(size < left))
		thread.left = left - size;
	else
		reached(p, size);
}

/* The free of what may be a sampled block; false if the allocator must not see it. */
static RARE bool forget(void *p)
{
	if (pointer_set_remove(&samples, p))
		fire_free(p);
	return !real_owns(p);
}

static RARE void *malloc_reached(size_t size)
{
	uint64_t left = enter();
	void *p = real.call.malloc(size);

	leave(left, p, size);
	return p;
}

DOOR void *malloc(size_t size)
{
	uint64_t left = thread.left;
	void *p;

	if (LIKELY(size < left)) {
		thread.left = left - size;
		return real.call.malloc(size);
	}
	p = malloc_reached(size);
	__asm__ volatile("" : "+r"(p)); /* no jump: malloc stays on the stack */
	return p;
}

DOOR void free(void *p)
{
	if (UNLIKELY(pointer_set_may_hold(&samples, p)) && !forget(p))
		return;
	real.call.free(p);
}

DOOR void *calloc(size_t n, size_t size)
{
	uint64_t left;
	size_t bytes;
	void *p;

	if (UNLIKELY(__builtin_mul_overflow(n, size, &bytes)))
		return real.call.calloc(n, size);
	left = enter();
	p = real.call.calloc(n, size);
	leave(left, p, bytes);
	return p;
}

/*
 * A free of the old block and an allocation of the new size, moved or not. If the allocator then has no
 * memory, the old block lives on unfollowed; what fails for certain is not asked.
 */
DOOR void *realloc(void *old, size_t size)
{
	bool ours = false;
	uint64_t left;
	void *p;

	if (UNLIKELY(size > PTRDIFF_MAX))
		return real.call.realloc(real_owns(old) ? NULL : old, size);
	if (UNLIKELY(pointer_set_may_hold(&samples, old)))
		ours = !forget(old);
	left = enter();
	p = UNLIKELY(ours) ? real_move(old, size) : real.call.realloc(old, size);
	leave(left, p, size);
	return p;
}

DOOR void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

DOOR int posix_memalign(void **p, size_t alignment, size_t size)
{
	uint64_t left = enter();
	int err = real.call.posix_memalign(p, alignment, size);

	leave(left, err ? NULL : *p, size);
	return err;
}

DOOR void *aligned_alloc(size_t alignment, size_t size)
{
	uint64_t left = enter();
	void *p = real.call.aligned_alloc(alignment, size);

	leave(left, p, size);
	return p;
}

DOOR void *memalign(size_t alignment, size_t size)
{
	uint64_t left = enter();
	void *p = real.call.memalign(alignment, size);

	leave(left, p, size);
	return p;
}

DOOR void *valloc(size_t size)
{
	uint64_t left = enter();
	void *p = real.call.valloc(size);

	leave(left, p, size);
	return p;
}

DOOR void *pvalloc(size_t size)
{
	uint64_t left = enter();
	void *p = real.call.pvalloc(size);

	leave(left, p, size);
	return p;
}

/* Doors that only hand on: glibc has the first for old programs, C23 brings the others. */
DOOR void cfree(void *p)
{
	free(p);
}

DOOR void free_sized(void *p, size_t size)
{
	(void)size;
	free(p);
}

DOOR void free_aligned_sized(void *p, size_t alignment, size_t size)
{
	(void)alignment, (void)size;
	free(p);
}

static void *(*entering_malloc)(size_t size);

static void *malloc_held(size_t size)
{
	uint64_t left = enter();
	void *p = entering_malloc(size);

	thread.left = left;
	return p;
}

/* The second call: the first may set up the allocator. */
static bool malloc_enters_doors(void)
{
	uint64_t left = enter();
	bool enters = false;

	for (int i = 0; i < 2; i++) {
		thread.left = SAMPLER_NEVER;
		real.call.free(real.call.malloc(64));
		enters = thread.left != SAMPLER_NEVER;
	}
	thread.left = left;
	return enters;
}

/* Before there are threads, so that none has to wait for another that looks the allocator up. */
static __attribute__((constructor)) void start(void)
{
	real_find();
	if (malloc_enters_doors()) {
		entering_malloc = real.call.malloc;
		real.call.malloc = malloc_held;
	}
	real_seal();
}
