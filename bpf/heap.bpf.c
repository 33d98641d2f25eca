/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * cprof heap, cprof allocs: probes on the doors of allocators. Which allocations are sampled is decided
 * when they are asked for, by a Poisson process over the bytes of each thread; only those pay for a return
 * probe and a stack. Blocks that were sampled are kept until they are freed.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

const volatile struct heap_config heap;

/* Set once by user space: probes are removed one by one, and what some still see would not add up. */
u32 stopped;

#include "heap_args.bpf.h"
#include "heap_draw.bpf.h"
#include "heap_live.bpf.h"
#include "heap_throw.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HEAP_MAX_SITES);
	__type(key, u32);
	__type(value, struct heap_site);
} sites SEC(".maps");

/* What a thread has left of its distance, and the sampled call that it is in. */
struct heap_thread {
	struct heap_distance distance;
	u64 size; /* of the sampled call; valid while armed_sp */
	u64 armed_sp; /* stack pointer at its entry; 0: in none */
	u64 old; /* the block that a realloc would move */
	u64 stored_at; /* where the block's address will be stored; 0: it is returned */
	u64 outer_sp, outer_return; /* of the last door that may have jumped to another */
	u32 outer_site;
	u32 sampled; /* 0: armed only because `old` is a block that we know */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct heap_thread);
} threads SEC(".maps");

/* ---- a sampled allocation, with its stack ---- */

struct allocation {
	u64 address, size, weight;
	struct global_pid tgid;
	u16 cause; /* enum heap_cause */
	u16 exact; /* the registers are those of a probe, not of a return */
};

static __always_inline void count_allocation(struct scratch *s, const struct allocation *a,
					     struct task_struct *task)
{
	struct sample_key key;

	fill_key(&key, &s->state);
	key.object = a->size;
	key.cause = a->cause;
	count_key(s, &key, a->weight, task);
	if (heap.live)
		block_new(a->address, a->tgid, &key, a->weight);
}

static __always_inline void take_stack(struct pt_regs *regs, const struct allocation *a,
				       struct task_struct *task)
{
	u64 start = bpf_ktime_get_ns();
	struct scratch *s;
	u32 zero = 0;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s)
		return;
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		stat_add(STAT_LOST_SCRATCH, 1);
		return;
	}
	state_reset(&s->state);
	take_stack_at(task, &s->state, regs, a->exact);
	stat_add(STAT_SAMPLES, 1);
	stat_add(STAT_ENDS_FIRST + s->state.end, 1);
	count_allocation(s, a, task);
	stat_add(STAT_NANOSECONDS, bpf_ktime_get_ns() - start);
	s->busy = 0;
}

/* ---- the doors ---- */

static __always_inline struct heap_thread *thread_of(struct task_struct *task)
{
	return bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline u64 return_address(const struct pt_regs *regs)
{
	u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)regs->sp);
	return address;
}

/*
 * A door may jump to another one (realloc of nothing to malloc): the call then counts twice, at the same
 * place of the stack with the same return address. To know, a door that may leaves both behind.
 */
static __always_inline bool jumped_to(const struct heap_thread *t, const struct heap_site *site,
				      const struct pt_regs *regs)
{
	return t->outer_sp == regs->sp && t->outer_site != site->number && t->outer_return &&
	       t->outer_return == return_address(regs);
}

static __always_inline void remember_door(struct heap_thread *t, const struct heap_site *site,
					  const struct pt_regs *regs)
{
	bool jumps = site->flags & HEAP_DOOR_JUMPS;

	t->outer_return = jumps ? return_address(regs) : 0;
	t->outer_sp = jumps ? regs->sp : 0;
	t->outer_site = site->number;
}

/* Inside a sampled call of the same thread, whose return we wait for. */
static __always_inline bool is_nested(struct heap_thread *t, const struct pt_regs *regs)
{
	if (!t->armed_sp)
		return false;
	if (regs->sp <= t->armed_sp)
		return true;
	t->armed_sp = 0; /* it never returned: a jump or an exception went past it */
	return false;
}

static __always_inline u64 bytes_asked(struct pt_regs *regs, const struct heap_site *site)
{
	u64 size = argument(regs, &site->args[0]);

	if (site->flags & HEAP_DOOR_PRODUCT)
		size *= argument(regs, &site->args[1]);
	if (site->flags & HEAP_DOOR_PAGES)
		size = (size + 4095) & ~4095ull;
	return size;
}

/* An allocating call begins; true when its return is wanted. */
static __always_inline bool alloc_begins(struct pt_regs *regs, const struct heap_site *site,
					 struct task_struct *task, struct global_pid tgid)
{
	struct heap_thread *t = thread_of(task);
	u64 size, old = 0;
	bool known;

	stat_add(STAT_HEAP_ALLOCS, 1);
	if (!t || is_nested(t, regs))
		return false;
	size = bytes_asked(regs, site);
	if (site->door == HEAP_DOOR_REALLOC)
		old = argument(regs, &site->args[2]);
	if (old)
		stat_add(STAT_HEAP_FREES, 1);
	known = heap.live && block_known(old, tgid);
	t->sampled = is_sampled(&t->distance, size) && (size || !old);
	if (t->sampled && (jumped_to(t, site, regs) || may_throw(site, task, size)))
		t->sampled = 0;
	remember_door(t, site, regs);
	if (!t->sampled && !known)
		return false;
	t->size = size;
	t->old = known ? old : 0;
	t->stored_at = site->flags & HEAP_DOOR_STORED ? argument(regs, &site->args[2]) : 0;
	t->armed_sp = regs->sp;
	return true;
}

/* The block that a call gave; 0: it failed. */
static __always_inline u64 block_given(const struct heap_thread *t, const struct pt_regs *regs)
{
	u64 address = regs->ax;

	if (!t->stored_at)
		return address;
	if ((u32)address || bpf_probe_read_user(&address, sizeof(address), (void *)t->stored_at))
		return 0;
	return address;
}

static __always_inline void alloc_ends(struct pt_regs *regs, struct task_struct *task,
				       struct global_pid tgid)
{
	struct heap_thread *t = thread_of(task);
	struct allocation a = {.tgid = tgid, .cause = HEAP_DRAWN, .weight = 1};

	/* Its return address has been taken from the stack; a nested call's lies deeper. */
	if (!t || !t->armed_sp || regs->sp <= t->armed_sp)
		return;
	t->armed_sp = 0;
	a.address = block_given(t, regs);
	a.size = t->size;
	if (t->old && (a.address || !t->size))
		block_gone(t->old, tgid);
	if (!t->sampled)
		return;
	if (a.address)
		take_stack(regs, &a, task);
	else
		stat_add(STAT_HEAP_FAILED, 1);
}

static __always_inline struct heap_site *site_of(void *ctx)
{
	u32 number = (u32)bpf_get_attach_cookie(ctx);

	return bpf_map_lookup_elem(&sites, &number);
}

extern bool bpf_session_is_return(void) __ksym __weak;

/* Entry and return in one, from 6.13 on: a result of 1 leaves the return alone. */
SEC("kprobe")
int on_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct global_pid tgid = current_tgid();
	struct heap_site *site;

	if (stopped || !is_target(task))
		return 1;
	if (bpf_session_is_return()) {
		alloc_ends(ctx, task, tgid);
		return 0;
	}
	site = site_of(ctx);
	return !site || !alloc_begins(ctx, site, task, tgid);
}

SEC("kprobe")
int on_alloc(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct global_pid tgid = current_tgid();
	struct heap_site *site = site_of(ctx);

	if (site && !stopped && is_target(task))
		alloc_begins(ctx, site, task, tgid);
	return 0;
}

SEC("kprobe")
int on_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct global_pid tgid = current_tgid();

	if (!stopped && is_target(task))
		alloc_ends(ctx, task, tgid);
	return 0;
}

SEC("kprobe")
int on_free(struct pt_regs *ctx)
{
	struct global_pid tgid = current_tgid();
	struct heap_site *site = site_of(ctx);

	if (!site || stopped)
		return 0;
	stat_add(STAT_HEAP_FREES, 1);
	block_gone(argument(ctx, &site->args[0]), tgid);
	return 0;
}

/* ---- samplers of the target's own (otel_memory probes) ---- */

SEC("kprobe")
int on_weighed(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct global_pid tgid = current_tgid();
	struct heap_site *site = site_of(ctx);
	struct allocation a = {.tgid = tgid, .cause = HEAP_WEIGHED, .exact = 1};

	if (!site || stopped || !is_target(task))
		return 0;
	stat_add(STAT_HEAP_ALLOCS, 1);
	a.address = argument(ctx, &site->args[0]);
	a.size = argument(ctx, &site->args[1]);
	a.weight = argument(ctx, &site->args[2]);
	take_stack(ctx, &a, task);
	return 0;
}
