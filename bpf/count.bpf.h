/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counting a stack that has been taken; or handing it to user space, where a table was missing. */
#ifndef CPROF_BPF_COUNT_BPF_H
#define CPROF_BPF_COUNT_BPF_H

/* User space looks ten times a second by itself; in a flood of new stacks that is too late. */
static __always_inline u64 wakeup(void)
{
	u64 half = bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 2;

	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > half ? BPF_RB_FORCE_WAKEUP
								     : BPF_RB_NO_WAKEUP;
}

static __always_inline void fill_thread(struct thread_id *id, struct task_struct *task)
{
	id->tgid = proc_tgid(task);
	id->tid = proc_tid(task);
	BPF_CORE_READ_INTO(&id->comm, task, comm);
	BPF_CORE_READ_INTO(&id->leader_comm, task, group_leader, comm);
}

static __always_inline bool send_stack(struct scratch *s, const struct sample_key *key,
				       struct task_struct *task)
{
	struct sample_record *r = &s->record;
	u32 n = s->state.nframes;

	if (n > STACK_MAX_FRAMES)
		return false;
	r->kind = RECORD_STACK;
	r->nframes = n;
	r->key = *key;
	fill_thread(&r->thread, task);
	if (bpf_probe_read_kernel(r->frames, n * sizeof(u64), s->state.frames))
		return false;
	return bpf_ringbuf_output(&records, r,
				  offsetof(struct sample_record, frames) + n * sizeof(u64),
				  wakeup()) == 0;
}

static __always_inline struct sample_count *active_count(const struct sample_key *key)
{
	return control.active_counts ? bpf_map_lookup_elem(&counts_b, key)
				     : bpf_map_lookup_elem(&counts_a, key);
}

static __always_inline void count_new(struct scratch *s, const struct sample_key *key, u64 weight,
				      struct task_struct *task)
{
	struct sample_count first = {.samples = 1, .weight = weight}, *count;
	long err;

	if (!send_stack(s, key, task)) {
		stat_add(STAT_LOST_RING, 1);
		return;
	}
	if (control.active_counts)
		err = bpf_map_update_elem(&counts_b, key, &first, BPF_NOEXIST);
	else
		err = bpf_map_update_elem(&counts_a, key, &first, BPF_NOEXIST);
	if (!err) {
		__sync_fetch_and_add(&control.active_keys, 1);
		return;
	}
	/* Another CPU was first, or the map is full. */
	count = active_count(key);
	if (!count) {
		stat_add(STAT_LOST_TABLE, 1);
		return;
	}
	__sync_fetch_and_add(&count->samples, 1);
	__sync_fetch_and_add(&count->weight, weight);
}

/* What is counted together, as far as the user asked to tell samples apart. */
static __always_inline void fill_key(struct sample_key *key, const struct stack_walk *st)
{
	u64 id = bpf_get_current_pid_tgid();

	__builtin_memset(key, 0, sizeof(*key));
	key->stack = stack_number(st, (struct global_pid){id >> 32});
	/* JIT addresses mean something in one process only. */
	if (settings.by_tgid || st->has_anon)
		key->tgid.nr = id >> 32;
	if (settings.by_tid)
		key->tid.nr = (u32)id;
	if (settings.by_cpu)
		key->cpu = bpf_get_smp_processor_id() + 1;
}

/* Up to PENDING_STACK bytes from sp on, behind the frames. */
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

/*
 * Hands the rest of a walk to user space; false when it cannot, and the stack is cut. With a ticket
 * nothing is counted now.
 */
static __always_inline bool send_pending(struct stack_walk *st, u64 weight, u64 ticket,
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
	fill_key(&r->key, st);
	r->ticket = ticket;
	if (ticket)
		r->key.stack = ticket;
	r->count.samples = !ticket;
	r->count.weight = weight;
	r->key_tgid = current_tgid();
	fill_thread(&r->thread, task);
	r->regs = st->regs;
	r->copied = 0;
	bytes = n * sizeof(u64);
	if (bpf_probe_read_kernel(r->data, bytes, st->frames))
		return false;
	copy_stack(r, bytes);
	bytes += r->copied;
	if (bytes > sizeof(r->data))
		return false;
	return bpf_ringbuf_output(&records, r, offsetof(struct pending_record, data) + bytes,
				  BPF_RB_FORCE_WAKEUP) == 0;
}

static __always_inline void count_key(struct scratch *s, const struct sample_key *key, u64 weight,
				      struct task_struct *task)
{
	struct sample_count *count = active_count(key);

	if (count) {
		__sync_fetch_and_add(&count->samples, 1);
		__sync_fetch_and_add(&count->weight, weight);
	} else {
		count_new(s, key, weight, task);
	}
}

static __always_inline void count_stack(struct scratch *s, u64 weight, struct task_struct *task)
{
	struct sample_key key;

	fill_key(&key, &s->state);
	count_key(s, &key, weight, task);
}

/* A stack has been taken: counts it, or has user space finish it. */
static __always_inline void sample_done(struct scratch *s, u64 weight, struct task_struct *task)
{
	stat_add(STAT_SAMPLES, 1);
	if (s->state.end == STACK_LOADING && send_pending(&s->state, weight, 0, task)) {
		stat_add(STAT_PENDING, 1);
		return;
	}
	stat_add(STAT_ENDS_FIRST + s->state.end, 1);
	count_stack(s, weight, task);
}

#endif
