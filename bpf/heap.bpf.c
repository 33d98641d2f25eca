/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements cprof heap and cprof allocs with probes on the functions of allocators. A Poisson
 * process over the bytes of each thread decides at the call which allocations are sampled, and only
 * those pay for a return probe and a stack. Sampled blocks are kept until they are freed.
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

/*
 * User space sets this once, because probes are removed one by one, and what some of them still see
 * would not add up.
 */
u32 stopped;
u64 programs_sampled; /* programs that began with a sampler in front of their allocator */

#include "heap_args.bpf.h"
#include "heap_draw.bpf.h"
#include "heap_thread.bpf.h"
#include "heap_live.bpf.h"
#include "heap_return.bpf.h"
#include "return_links.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HEAP_MAX_SITES);
	__type(key, u32);
	__type(value, struct heap_site);
} sites SEC(".maps");

/* ---- a sampled allocation, with its stack ---- */

struct allocation {
	u64 address, size, weight; /* if the address is 0, the block is not followed */
	enum heap_cause cause;
};

static __always_inline void count_allocation(struct sample_key *key, const struct allocation *a,
					     struct task_struct *task)
{
	key->object = a->size;
	key->cause = a->cause;
	count_add(key, 1, a->weight);
	if (heap.live && a->address)
		block_new(a->address, task, key, a->weight);
}

/* It is false if the stack is lost, which is counted. */
__noinline bool take_stack(struct pt_regs *regs, struct sample_key *key, enum stack_place place,
			   u64 slot)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct sample_count later = COUNTED_LATER;
	u64 now = bpf_ktime_get_ns();
	struct scratch *s;
	bool taken;

	if (!key)
		return false;
	s = stack_begin();
	if (!s)
		return false;
	take_stack_at(task, &s->state, regs, place, slot);
	/* Memory of the caller is not a key of a map to the verifier of 6.1. */
	taken = stack_finish(s, task, &s->record.key, now, &later);
	if (taken)
		*key = s->record.key;
	stack_leave(s, now);
	return taken;
}

/* ---- how a program is seen ---- */

/* A heap recording always has SAMPLE_TARGETS. */
static __always_inline struct target_process *target_of(struct task_struct *task)
{
	struct global_pid tgid = global_tgid(task);

	return bpf_map_lookup_elem(&targets, &tgid);
}

/* Only programs without a sampler in front of their allocator have probes on its functions. */
static __always_inline bool is_probed_target(struct task_struct *task)
{
	struct target_process *target = target_of(task);

	if (!target)
		return false;
	if (!target->probed)
		target->probed = 1;
	return true;
}

/* What a sampler behind the program's own allocator sees has hit the probes already. */
static __always_inline bool is_sampled_target(struct task_struct *task)
{
	struct target_process *target = target_of(task);

	return target && !target->probed;
}

/* ---- the functions ---- */

static __always_inline struct heap_thread *thread_of(struct task_struct *task)
{
	return bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/*
 * An allocation function may tail-call another (realloc(NULL) jumps to malloc). Both probes then
 * fire with the same stack pointer and return address. The first one records both, so that the
 * second one can recognize that it belongs to the same call.
 */
static __always_inline bool jumped_to(const struct heap_thread *t, const struct heap_site *site,
				      const struct pt_regs *regs)
{
	u64 slot = call_slot(regs, site);

	return t->outer_sp == slot && t->outer_site != site->number && t->outer_return &&
	       t->outer_return == arch_return_address(slot);
}

static __always_inline void remember_function(struct heap_thread *t, const struct heap_site *site,
					      const struct pt_regs *regs)
{
	bool jumps = site->flags & ALLOC_FN_JUMPS;
	u64 slot = call_slot(regs, site);

	t->outer_return = jumps ? arch_return_address(slot) : 0;
	t->outer_sp = jumps ? slot : 0;
	t->outer_site = site->number;
}

static __always_inline u64 bytes_asked(struct pt_regs *regs, const struct heap_site *site)
{
	u64 size = argument(regs, &site->args[0]);

	if (site->flags & ALLOC_FN_PRODUCT)
		size *= argument(regs, &site->args[1]);
	if (site->flags & ALLOC_FN_PAGES)
		size = (size + 4095) & ~4095ull;
	return size;
}

static __always_inline void count_block(struct heap_thread *t, u64 address,
					struct task_struct *task)
{
	const struct allocation a = {
		.address = address, .size = t->size, .weight = 1, .cause = HEAP_DRAWN};

	count_allocation(&t->key, &a, task);
}

/* Its return will not be seen, so the call counts now, and its block is not followed. */
static __always_inline bool count_unfollowed(struct heap_thread *t, struct pt_regs *regs, u64 slot,
					     struct task_struct *task)
{
	block_gone(t->old, task);
	if (!t->sampled)
		return false;
	stat_add(STAT_HEAP_UNFOLLOWED, 1);
	if (take_stack(regs, &t->key, STACK_OF_CALLER, slot))
		count_block(t, 0, task);
	return false;
}

/*
 * A breakpoint inside the function will show when the call returns. Its stack is taken here, where
 * all registers are valid.
 */
static __always_inline bool wait_for_result(struct heap_thread *t, struct pt_regs *regs, u64 slot)
{
	t->armed_return = arch_return_address(slot);
	if (t->sampled && !take_stack(regs, &t->key, STACK_OF_CALLER, slot))
		t->sampled = 0;
	if (t->armed_return && (t->sampled || t->old))
		t->armed_sp = slot;
	return false;
}

static __always_inline bool wait_for_return(struct heap_thread *t, struct pt_regs *regs, u64 slot,
					    struct task_struct *task)
{
	if (heap.sessions && syscalls_intercepted(task))
		return count_unfollowed(t, regs, slot, task);
	if (returns_elsewhere(task, slot)) {
		block_gone(t->old, task);
		stat_add(STAT_HEAP_DECLINED, t->sampled);
		return false;
	}
	t->armed_return = 0;
	t->armed_sp = slot;
	t->key.stack = 0;
	return true;
}

/*
 * A call that waits for a breakpoint inside it has jumped to a function with a return probe. It is
 * true if that return probe should be used for the call.
 */
static __always_inline bool takes_over(struct heap_thread *t, const struct heap_site *site,
				       u64 slot, struct task_struct *task)
{
	if (!t->armed_return || slot != t->armed_sp ||
	    site->flags & (ALLOC_FN_RESULTS | ALLOC_FN_UNSEEN) || returns_elsewhere(task, slot) ||
	    syscalls_intercepted(task))
		return false;
	t->armed_return = 0;
	return true;
}

/* Handles the start of an allocating call; true if a return probe is wanted. */
static __always_inline bool alloc_begins(struct pt_regs *regs, const struct heap_site *site,
					 struct task_struct *task)
{
	struct heap_thread *t = thread_of(task);
	u64 slot = call_slot(regs, site), size, old = 0;
	bool known;

	stat_add(STAT_HEAP_ALLOCS, 1);
	if (!t)
		return false;
	if (is_nested(t, site, regs, task))
		return takes_over(t, site, slot, task);
	size = bytes_asked(regs, site);
	if (site->function == ALLOC_FN_REALLOC)
		old = argument(regs, &site->args[2]);
	if (old)
		stat_add(STAT_HEAP_FREES, 1);
	known = heap.live && block_known(old, task);
	t->sampled = is_sampled(&t->distance, size) && (size || !old);
	if (t->sampled && jumped_to(t, site, regs))
		t->sampled = 0;
	remember_function(t, site, regs);
	if (!t->sampled && !known)
		return false;
	t->size = size;
	t->old = known ? old : 0;
	t->stored_at = site->flags & ALLOC_FN_STORED ? argument(regs, &site->args[2]) : 0;
	t->armed_site = site->number;
	if (site->flags & ALLOC_FN_UNSEEN)
		return count_unfollowed(t, regs, slot, task);
	if (site->flags & ALLOC_FN_RESULTS)
		return wait_for_result(t, regs, slot);
	return wait_for_return(t, regs, slot, task);
}

/* Returns the block that a call allocated, or 0 if it failed. */
static __always_inline u64 block_given(const struct heap_thread *t, u64 result)
{
	u64 address = result;

	if (!t->stored_at)
		return address;
	if ((u32)address || bpf_probe_read_user(&address, sizeof(address), (void *)t->stored_at))
		return 0;
	return address;
}

static __always_inline void alloc_ends(struct pt_regs *regs, struct task_struct *task)
{
	struct heap_thread *t = thread_of(task);
	u64 address;

	/* Its return address has already been popped from the stack; that of a nested call is
	 * deeper. */
	if (!t || !t->armed_sp || t->armed_return || arch_sp(regs) <= t->armed_sp)
		return;
	t->armed_sp = 0;
	address = block_given(t, arch_result(regs));
	if (t->old && (address || !t->size))
		block_gone(t->old, task);
	if (!t->sampled)
		return;
	if (!address)
		stat_add(STAT_HEAP_FAILED, 1);
	else if (t->key.stack || take_stack(regs, &t->key, STACK_AT_RETURN, 0))
		count_block(t, address, task);
}

static __always_inline struct heap_site *site_of(void *ctx)
{
	u32 number = (u32)bpf_get_attach_cookie(ctx);

	return bpf_map_lookup_elem(&sites, &number);
}

extern bool bpf_session_is_return(void) __ksym __weak;

/* This handles entry and return since Linux 6.13; a result of 1 does not probe the return. */
SEC("kprobe")
int on_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_site *site;

	if (stopped || !is_probed_target(task))
		return 1;
	if (bpf_session_is_return()) {
		alloc_ends(ctx, task);
		return 0;
	}
	site = site_of(ctx);
	return !site || !alloc_begins(ctx, site, task);
}

SEC("kprobe")
int on_alloc(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_site *site = site_of(ctx);

	if (site && !stopped && is_probed_target(task))
		alloc_begins(ctx, site, task);
	return 0;
}

SEC("kprobe")
int on_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!stopped && is_target(task))
		alloc_ends(ctx, task);
	return 0;
}

/* This runs where the result of a function is known, inside its own code. */
SEC("kprobe")
int on_result(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_site *site = site_of(ctx);
	struct heap_thread *t;
	u64 address;
	bool jumps;

	if (!site || stopped)
		return 0;
	stat_add(STAT_HEAP_RESULTS_NS, site->cost_ns);
	t = returning_thread(ctx, site, task);
	if (!t)
		return 0;
	jumps = arch_condition_holds(site->condition, ctx);
	if (site->args[!jumps].kind == HEAP_ARG_NONE)
		return 0;
	t->armed_sp = 0;
	address = block_given(t, argument(ctx, &site->args[!jumps]));
	if (t->old && (address || !t->size))
		block_gone(t->old, task);
	if (!t->sampled)
		return 0;
	if (address)
		count_block(t, address, task);
	else
		stat_add(STAT_HEAP_FAILED, 1);
	return 0;
}

SEC("kprobe")
int on_free(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_site *site = site_of(ctx);

	/* The probes of a sampler are hit by every process that has preloaded it. */
	if (!site || stopped)
		return 0;
	if (site->function == ALLOC_FN_USDT_FREE ? !is_sampled_target(task) : !is_target(task))
		return 0;
	stat_add(STAT_HEAP_FREES, 1);
	block_gone(argument(ctx, &site->args[0]), task);
	return 0;
}

/* ---- the target's own samplers (otel_memory probes) ---- */

SEC("kprobe")
int on_weighed(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_site *site = site_of(ctx);
	struct allocation a = {.cause = HEAP_WEIGHED};
	struct sample_key key = {0};

	if (!site || stopped || !is_sampled_target(task))
		return 0;
	stat_add(STAT_HEAP_ALLOCS, 1);
	a.address = argument(ctx, &site->args[0]);
	a.size = argument(ctx, &site->args[1]);
	a.weight = argument(ctx, &site->args[2]);
	if (take_stack(ctx, &key, STACK_AT_PROBE, 0))
		count_allocation(&key, &a, task);
	return 0;
}

/* The sampler has found itself in front of the program's allocator. */
static __always_inline void sampler_started(struct target_process *target)
{
	if (target->sampled)
		return;
	target->sampled = 1;
	__sync_fetch_and_add(&programs_sampled, 1);
}

/* The program that a question is about: the one that runs, or the file of a descriptor. */
static __always_inline u64 asked_inode(struct task_struct *task, const struct new_process *question)
{
	u32 fd = (u32)question->file;
	struct file *file = NULL, **files;

	if (question->asks == ALLOC_FN_USDT_BYPASSED)
		return (u64)BPF_CORE_READ(task, mm, exe_file, f_inode);
	if (fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return 0;
	files = BPF_CORE_READ(task, files, fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return file ? (u64)BPF_CORE_READ(file, f_inode) : 0;
}

/*
 * User space answers when the probes are there. It also loads the program's unwind table, because a
 * program that ends in a few milliseconds would be gone before a sample has requested it. Without
 * space in the ring, the sampler waits for some time in vain.
 */
static __always_inline void sampler_asks(struct pt_regs *ctx, const struct heap_site *site,
					 struct task_struct *task)
{
	struct new_process question = {
		.tgid = proc_tgid(task),
		.asks = site->function,
		.shares_memory = BPF_CORE_READ(task, real_parent, mm) == task->mm,
		.answers = argument(ctx, &site->args[0]),
		.number = argument(ctx, &site->args[1]),
		.file = argument(ctx, &site->args[2]),
	};
	u32 loading = 0;

	question.inode = asked_inode(task, &question);
	if (!question.tgid.nr || !question.inode ||
	    bpf_map_update_elem(&modules, &question.inode, &loading, BPF_NOEXIST))
		question.inode = 0;
	if (!bpf_ringbuf_output(&new_processes, &question, sizeof(question), BPF_RB_FORCE_WAKEUP))
		return;
	stat_add(STAT_UNANNOUNCED, 1);
	if (question.inode)
		bpf_map_delete_elem(&modules, &question.inode);
}

/* What cprof's own sampler says, apart from samples. */
SEC("kprobe")
int on_notice(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target_process *target = target_of(task);
	struct heap_site *site = site_of(ctx);

	if (!site || !target || stopped)
		return 0;
	switch (site->function) {
	case ALLOC_FN_USDT_STARTED:
		sampler_started(target);
		break;
	case ALLOC_FN_USDT_DROPPED:
		stat_add(STAT_HEAP_SAMPLER_DROPPED, !target->probed);
		break;
	case ALLOC_FN_USDT_UNREACHED:
		stat_add(STAT_HEAP_UNREACHED, !target->probed);
		break;
	default:
		sampler_asks(ctx, site, task);
		break;
	}
	return 0;
}
