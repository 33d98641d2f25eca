/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Sends stacks to user space: their frames or, if a table is missing, what is needed to continue
 * the walk. */
#ifndef CPROF_BPF_SEND_BPF_H
#define CPROF_BPF_SEND_BPF_H

/* User space polls ten times a second by itself, which is too late in a flood of new stacks. */
static __always_inline u64 wakeup(void)
{
	u64 half = bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 2;

	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > half ? BPF_RB_FORCE_WAKEUP
								     : BPF_RB_NO_WAKEUP;
}

static __always_inline void fill_thread(struct thread_id *id, struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	id->tgid = proc_tgid(task);
	id->tid = proc_tid(task);
	BPF_CORE_READ_INTO(&id->comm, task, comm);
	BPF_CORE_READ_INTO(&id->leader_comm, task, group_leader, comm);
	id->groups = (u64)set;
	id->unified_group = BPF_CORE_READ(set, dfl_cgrp, kn, id);
}

/*
 * Frames are masked to this many bytes. The compiler may check a copy of their size, and then the
 * verifier (of 6.1) does not know the bound of the one that is used. The compiler does not see
 * through bounded(), so it keeps the mask.
 */
#define FRAME_BYTES_MASK 0x3fffu

_Static_assert(STACK_MAX_FRAMES * sizeof(u64) <= FRAME_BYTES_MASK,
	       "the mask changes no valid size");

static __always_inline u32 bounded(u32 n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

static __always_inline u32 frame_bytes(u32 nframes)
{
	return bounded(nframes * sizeof(u64)) & FRAME_BYTES_MASK;
}

static __always_inline bool send_stack(struct scratch *s, const struct sample_key *key,
				       struct task_struct *task)
{
	struct sample_record *r = &s->record;
	u32 n = s->state.nframes, bytes;

	if (n > STACK_MAX_FRAMES)
		return false;
	r->kind = RECORD_STACK;
	r->nframes = n;
	r->key = *key;
	fill_thread(&r->thread, task);
	bytes = frame_bytes(n);
	if (bytes > STACK_MAX_FRAMES * sizeof(u64) ||
	    bpf_probe_read_kernel(r->frames, bytes, s->state.frames))
		return false;
	return bpf_ringbuf_output(&records, r, offsetof(struct sample_record, frames) + bytes,
				  wakeup()) == 0;
}

/* Returns how many pieces there are from sp to the end of the stack's mapping. */
static __always_inline u32 stack_pieces(struct task_struct *task, struct stack_walk *st)
{
	u64 sp = st->regs.sp;

	if (!task->mm || !vma_find(task->mm, sp, &st->found) || st->found.end - sp > 1u << 30)
		return PENDING_STACK / PENDING_PIECE;
	return (u32)(st->found.end - PENDING_FROM(sp)) / PENDING_PIECE;
}

/* Copies up to that many pieces to the place after the frames, where `most` fit. */
static __always_inline void copy_stack(struct pending_record *r, u32 at, u32 pieces, u32 most)
{
	u64 unread = 0;

	r->copied = 0;
	r->unread = 0;
	for (u32 i = 0; i < most && i < pieces; i++) {
		if (bpf_probe_read_user(r->data + at + i * PENDING_PIECE, PENDING_PIECE,
					(void *)(PENDING_FROM(r->regs.sp) + i * PENDING_PIECE))) {
			unread |= 1ull << i;
			continue;
		}
		r->copied = (i + 1) * PENDING_PIECE;
		r->unread = unread;
	}
}

/* Fills in all but the stack. Returns how many bytes the frames take; more than possible if it
 * failed. */
static __always_inline u32 fill_pending(struct pending_record *r, struct stack_walk *st,
					const struct sample_key *key, struct task_struct *task)
{
	u32 n = st->nframes - 1, bytes; /* without the mark of the cut */

	if (n > STACK_MAX_FRAMES - 1)
		return ~0u;
	r->kind = RECORD_PENDING;
	r->nframes = n;
	r->key = *key;
	fill_thread(&r->thread, task);
	r->regs = st->regs;
	r->own_stack = stack_is_own(st) ? OWN_STACK_YES : OWN_STACK_NO;
	bytes = frame_bytes(n);
	if (bytes > (STACK_MAX_FRAMES - 1) * sizeof(u64) ||
	    bpf_probe_read_kernel(r->data, bytes, st->frames))
		return ~0u;
	return bytes;
}

/* It is too large for the memory of a CPU, so it is made in the ring, with a size that is fixed:
 * `more` bytes beyond that of other records. */
static __always_inline bool send_deep(struct stack_walk *st, const struct sample_key *key,
				      struct task_struct *task, u32 pieces, u32 more)
{
	struct pending_deep *deep;
	u32 at;

	deep = bpf_ringbuf_reserve(&records, sizeof(deep->record) + more, 0);
	if (!deep)
		return false;
	at = fill_pending(&deep->record, st, key, task);
	if (at > (STACK_MAX_FRAMES - 1) * sizeof(u64)) {
		bpf_ringbuf_discard(deep, 0);
		return false;
	}
	copy_stack(&deep->record, at, pieces, (PENDING_STACK + more) / PENDING_PIECE);
	bpf_ringbuf_submit(deep, BPF_RB_FORCE_WAKEUP);
	return true;
}

static __always_inline bool send_larger(struct stack_walk *st, const struct sample_key *key,
					struct task_struct *task, u32 pieces)
{
	if (pieces <= PENDING_STACK / PENDING_PIECE)
		return false;
	if (wakeup() == BPF_RB_FORCE_WAKEUP) /* More records fit if they are small. */
		return false;
	if (pieces <= (PENDING_STACK + PENDING_SOME) / PENDING_PIECE)
		return send_deep(st, key, task, pieces, PENDING_SOME);
	return send_deep(st, key, task, pieces, PENDING_MORE);
}

/* Hands the rest of a walk to user space. It is false if that is impossible, and the stack is
 * cut. */
static __always_inline bool send_pending(struct stack_walk *st, const struct sample_key *key,
					 struct task_struct *task)
{
	u32 zero = 0, bytes, pieces = stack_pieces(task, st);
	struct pending_record *r;

	if (send_larger(st, key, task, pieces))
		return true;
	r = bpf_map_lookup_elem(&pendings, &zero);
	bytes = r ? fill_pending(r, st, key, task) : ~0u;
	if (bytes > (STACK_MAX_FRAMES - 1) * sizeof(u64))
		return false;
	copy_stack(r, bytes, pieces, PENDING_STACK / PENDING_PIECE);
	bytes += bounded(r->copied);
	if (bytes > sizeof(r->data))
		return false;
	return bpf_ringbuf_output(&records, r, offsetof(struct pending_record, data) + bytes,
				  BPF_RB_FORCE_WAKEUP) == 0;
}

/* Makes a number for one stack, which is unlikely to equal any hash of frames. */
static __always_inline u64 ticket_of(u32 tid, u64 now)
{
	return (((u64)tid << 40) ^ now) * 0x9e3779b97f4a7c15ull | 1;
}

#endif
