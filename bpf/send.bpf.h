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

/* The compiler may check a copy of a number, and the verifier (of 6.1) then does not know the bound
 * of the one that is used. So it is checked again after this. */
static __always_inline u32 bounded(u32 n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
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
	bytes = bounded(n * sizeof(u64));
	if (bytes > STACK_MAX_FRAMES * sizeof(u64) ||
	    bpf_probe_read_kernel(r->frames, bytes, s->state.frames))
		return false;
	return bpf_ringbuf_output(&records, r, offsetof(struct sample_record, frames) + bytes,
				  wakeup()) == 0;
}

/* Copies up to PENDING_STACK bytes from sp on to the place after the frames. */
static __always_inline void copy_stack(struct pending_record *r, u32 at)
{
	for (u32 i = 0; i < PENDING_STACK / PENDING_PIECE; i++) {
		u32 to = at + i * PENDING_PIECE;

		if (to > sizeof(r->data) - PENDING_PIECE)
			break;
		if (bpf_probe_read_user(&r->data[to], PENDING_PIECE,
					(void *)(r->regs.sp + i * PENDING_PIECE)))
			break;
		r->copied += PENDING_PIECE;
	}
}

/* Hands the rest of a walk to user space. It is false if that is impossible, and the stack is
 * cut. */
static __always_inline bool send_pending(const struct stack_walk *st, const struct sample_key *key,
					 struct task_struct *task)
{
	struct pending_record *r;
	u32 zero = 0, n, bytes;

	r = bpf_map_lookup_elem(&pendings, &zero);
	n = st->nframes - 1; /* without the mark of the cut */
	if (!r || n > STACK_MAX_FRAMES - 1)
		return false;
	r->kind = RECORD_PENDING;
	r->nframes = n;
	r->key = *key;
	fill_thread(&r->thread, task);
	r->regs = st->regs;
	r->copied = 0;
	bytes = bounded(n * sizeof(u64));
	if (bytes > (STACK_MAX_FRAMES - 1) * sizeof(u64) ||
	    bpf_probe_read_kernel(r->data, bytes, st->frames))
		return false;
	copy_stack(r, bytes);
	bytes += r->copied;
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
