/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Implements cprof mutex --holds: how often locks are taken and how long they are held, by the
 * stack that took them. Only entries of lock functions are probed. A return probe would break
 * thread cancellation, which unwinds through sem_wait and pthread_cond_wait. If a call had to wait,
 * the scheduler shows when it came back.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"
#include "heap_args.bpf.h"
#include "helds.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

/* User space sets this once, because it takes some time until the last probe is gone. */
u32 stopped;

/* The futex words of pthread_rwlock_t and pthread_cond_t are inside them. */
#define RWLOCK_BYTES 56
#define COND_BYTES 48

/* These are words of pthread_mutex_t: lock, count, owner, users, kind (glibc,
 * sysdeps/nptl/bits/struct_mutex.h). */
enum mutex_word { MUTEX_LOCK, MUTEX_OWNER = 2, MUTEX_KIND = 4, MUTEX_WORDS };
#define MUTEX_KIND_MASK 3
#define MUTEX_RECURSIVE 1

static __always_inline void count_hold(const struct held *h, u64 object, u64 ns)
{
	struct sample_key key = h->key;

	key.object = object;
	key.cause = HOLD_CAUSE(h->kind);
	key.outcome = h->contended;
	count_add(&key, 1, ns);
}

static __always_inline void hold_ends(struct hold_thread *thread, const struct held_key *key)
{
	struct held *h = bpf_map_lookup_elem(&helds, key);

	if (!h)
		return; /* taken before the recording, or by another thread */
	if (h->depth) {
		h->depth--;
		return;
	}
	count_hold(h, key->object, bpf_ktime_get_ns() - h->since);
	held_delete(thread, key, h);
}

/* Returns whether a lock is taken, by glibc's words for it. */
static __always_inline bool is_taken(const u32 *words, u64 cookie)
{
	if (cookie & HOLD_OPAQUE)
		return false;
	switch (HOLD_COOKIE_KIND(cookie)) {
	case HOLD_MUTEX:
		return words[MUTEX_LOCK] != 0;
	case HOLD_SPIN:
		return arch_spin_is_taken(words[0], cookie & HOLD_BEGUN);
	case HOLD_SEMAPHORE:
		return words[0] == 0;
	default: /* a thread that has to wait for an rwlock sleeps */
		return false;
	}
}

static __always_inline bool take_stack(struct pt_regs *regs, struct sample_key *key, u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *s = stack_begin();

	if (!s)
		return false;
	take_stack_at(task, &s->state, regs, STACK_AT_PROBE, 0);
	return stack_end(s, task, key, now, COUNTED_LATER);
}

/* A semaphore that is taken again was taken before, so its holder need not be the thread that
 * posts. */
static __always_inline bool goes_deeper(struct held *h, const u32 *words, u64 object)
{
	if (h->kind == HOLD_MUTEX && !h->opaque && words[MUTEX_OWNER] == h->inner.nr &&
	    (words[MUTEX_KIND] & MUTEX_KIND_MASK) == MUTEX_RECURSIVE) {
		h->depth++;
		return true;
	}
	if (h->kind == HOLD_SEMAPHORE)
		count_hold(h, object, 0);
	return false;
}

static __always_inline void hold_begins(struct pt_regs *regs, u64 cookie,
					struct hold_thread *thread, const struct held_key *key,
					u64 cond)
{
	struct held fresh = {.since = bpf_ktime_get_ns(), .cond = cond};
	struct held *h = bpf_map_lookup_elem(&helds, key);
	u32 words[MUTEX_WORDS] = {};

	fresh.kind = HOLD_COOKIE_KIND(cookie);
	fresh.opaque = !!(cookie & HOLD_OPAQUE);
	fresh.proc_tgid = thread->proc_tgid;
	fresh.inner = thread->inner;
	/* A semaphore at the end of a page is shorter than a mutex; missing words stay 0. */
	if (bpf_probe_read_user(words, sizeof(words), (void *)key->object) &&
	    bpf_probe_read_user(words, sizeof(u32), (void *)key->object))
		return;
	if (h && !cond && goes_deeper(h, words, key->object))
		return;
	fresh.contended = !cond && is_taken(words, cookie);
	if (fresh.contended && HOLD_COOKIE_FN(cookie) == HOLD_TRY)
		return;
	if (!take_stack(regs, &fresh.key, fresh.since))
		return;
	if (h)
		held_delete(thread, key, h); /* that call had failed */
	held_add(thread, key, &fresh);
	thread->asked = key->object;
}

SEC("kprobe")
int on_function(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 cookie = bpf_get_attach_cookie(ctx), cond;
	u32 function = HOLD_COOKIE_FN(cookie);
	struct hold_thread *thread;
	struct held_key key;

	if (!function || stopped)
		return 0;
	thread = hold_thread_make(task);
	if (!thread) {
		stat_add(STAT_LOST_WAIT, 1);
		return 0;
	}
	key = held_key_of(arch_word(ctx, HOLD_COOKIE_LOCK(cookie)), task, thread);
	stat_add(function == HOLD_UNLOCK ? STAT_HOLD_UNLOCKS : STAT_HOLD_LOCKS, 1);
	if (cookie & HOLD_STEPPED)
		stat_add(STAT_HOLD_STEPPED, 1);
	cond = function == HOLD_WAIT ? arch_word(ctx, HOLD_COOKIE_COND(cookie)) : 0;
	if (function == HOLD_UNLOCK || function == HOLD_WAIT)
		hold_ends(thread, &key);
	if (function != HOLD_UNLOCK)
		hold_begins(ctx, cookie, thread, &key, cond);
	return 0;
}

/*
 * A thread comes back from waiting for the lock that it requested. It has the lock from now on,
 * unless it sleeps again.
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_come, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	const struct pt_regs *regs;
	struct hold_thread *thread;
	struct held_key key;
	struct held *h;
	u64 word;

	if (!next->pid || stopped)
		return 0;
	thread = hold_thread_of(next);
	regs = (struct pt_regs *)bpf_task_pt_regs(next);
	if (!thread || !regs || arch_syscall(regs) != SYS_FUTEX)
		return 0;
	key = held_key_of(thread->asked, next, thread);
	h = bpf_map_lookup_elem(&helds, &key);
	if (!h)
		return 0;
	word = arch_syscall_arg(regs, 0);
	if (word - key.object < (h->kind == HOLD_RWLOCK || h->opaque ? RWLOCK_BYTES : sizeof(u32)))
		h->contended = 1;
	else if (!h->cond || word - h->cond >= COND_BYTES)
		return 0;
	h->since = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_holds, struct task_struct *task)
{
	struct hold_thread *thread = hold_thread_of(task);

	if (thread)
		held_forget_all(thread, task);
	return 0;
}

/* A thread other than the first one gets the number of the first one; what is stored for it
 * stays. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_holds, struct task_struct *task)
{
	struct hold_thread *thread = hold_thread_of(task);

	if (!thread)
		return 0;
	held_forget_all(thread, task);
	thread->asked = 0;
	thread->tid.nr = 0;
	return 0;
}
