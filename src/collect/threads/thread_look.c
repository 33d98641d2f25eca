/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at all threads of the target: see thread_look.h. */
#include "collect/threads/thread_look.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/events.h"
#include "collect/perf_event.h"
#include "collect/threads/thread_memory.h"
#include "collect/wait/thread_snapshot.h"

#define STACK_MOST (1u << 20) /* bytes of one stack that are copied */
#define BATCH 512u /* threads whose copies are kept until the second look */
#define READ_STATES 16u
#define READ_CHECKS 128u
#define TICK_HZ 997u
/* for which threads that have a CPU at each look, but not at a tick, are looked at again */
#define RUNNING_WAIT_NS 500000000ull
#define TICK_WAIT_NS 6000000ull /* for which the ticks of running threads are waited for */

struct copied_stack {
	struct seen_thread *thread;
	struct pending_record *record; /* NULL if there are kernel frames only */
	size_t size;
};

struct look_round {
	struct thread_look *l;
	u32 number; /* from 1 */
	struct stack_buffer *buffer;
	seen_vec listed;
	VEC(struct copied_stack) copies; /* of the threads of this batch */
};

/* ---- iterators ------------------------------------------------------------------------------- */

typedef int (*item_fn)(struct look_round *r, const void *item);

/* Calls `fn` for each of the records of `size` bytes that the program writes. */
static int for_each_item(struct look_round *r, struct bpf_program *prog, size_t size, u32 at_once,
			 item_fn fn)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	char *items = malloc(size * at_once);
	int err = items ? 0 : -ENOMEM, fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	ssize_t got = 0;

	if (!err && fd < 0)
		err = -errno;
	while (!err) {
		got = read(fd, items, size * at_once);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			break;
		for (ssize_t at = 0; at + (ssize_t)size <= got && !err; at += (ssize_t)size)
			err = fn(r, items + at);
	}
	if (!err && got < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	free(items);
	return err;
}

/* ---- the first look -------------------------------------------------------------------------- */

/* The later a thread is listed, the longer ago cprof got its CPU: the least difference counts. */
static void note_skew(struct thread_look *l, const struct thread_state *s)
{
	if (s->reader_arrived && (!l->skew || s->now - s->reader_arrived < l->skew))
		l->skew = s->now - s->reader_arrived;
}

static int listed(struct look_round *r, const void *item)
{
	const struct thread_state *state = item;
	struct seen_thread *t = thread_table_note(r->l->table, state);

	if (!t)
		return -ENOMEM;
	note_skew(r->l, state);
	t->round = r->number;
	return vec_push(&r->listed, t);
}

/* After a sleep the scheduler has just given cprof a CPU, which makes the clocks comparable. */
static int list(struct look_round *r)
{
	r->listed.len = 0;
	usleep(1);
	return for_each_item(r, r->l->list_threads, sizeof(struct thread_state), READ_STATES,
			     listed);
}

static int mark(struct thread_look *l, const struct seen_thread *t, enum thread_mark_state state)
{
	const struct thread_mark m = {
		.ticket = t->state.record.key.stack, .state = state, .fd = t->fd};

	return bpf_map_update_elem(l->marks_fd, &t->number, &m, BPF_ANY);
}

/* ---- threads that sleep ---------------------------------------------------------------------- */

static int copy(struct look_round *r, struct seen_thread *t)
{
	struct copied_stack c = {.thread = t};
	const struct pending_record *made;
	int err = 0;

	t->alive = false;
	t->copies++;
	thread_memory_read(t);
	if (t->state.record.user) {
		made = stack_buffer_copy(r->buffer, &t->state.record, &c.size);
		c.record = malloc(c.size);
		if (!c.record)
			return -ENOMEM;
		memcpy(c.record, made, c.size);
	}
	err = vec_push(&r->copies, c);
	if (err)
		free(c.record);
	return err ? err : mark(r->l, t, THREAD_ASLEEP);
}

static int checked(struct look_round *r, const void *item)
{
	const struct thread_check *check = item;
	struct seen_thread *t = thread_table_find(r->l->table, check->tid);

	if (!t)
		return 0;
	t->alive = true;
	if (check->on_cpu || check->switches != t->state.switches)
		return 0;
	t->file = check->file;
	t->settled = true;
	return 0;
}

/* A thread that never kept still is shown as it was when it was copied last. */
static int store(struct look_round *r, const struct copied_stack *c)
{
	struct seen_thread *t = c->thread;
	int err = 0;

	if (!t->settled && (t->copies < THREAD_LOOKS || !t->alive))
		return 0;
	t->moved = !t->settled;
	t->settled = true;
	if (c->record)
		err = bpf_session_finish(r->l->session, c->record, c->size);
	else
		thread_snapshot_put_kernel(r->l->session, &t->state.record);
	return err ? err : mark(r->l, t, THREAD_SETTLED);
}

static int finish_batch(struct look_round *r)
{
	int err = for_each_item(r, r->l->check_threads, sizeof(struct thread_check), READ_CHECKS,
				checked);

	vec_for_each(&r->copies, c) {
		if (!err)
			err = store(r, c);
		free(c->record);
	}
	r->copies.len = 0;
	return err;
}

static int take_sleeping(struct look_round *r)
{
	int err = 0;

	vec_for_each(&r->listed, t) {
		if ((*t)->running)
			continue;
		err = copy(r, *t);
		if (!err && r->copies.len >= BATCH)
			err = finish_batch(r);
		if (err)
			break;
	}
	return err ? err : finish_batch(r);
}

/* ---- threads that run ------------------------------------------------------------------------ */

static u32 mark_running(struct look_round *r)
{
	u32 n = 0;

	vec_for_each(&r->listed, t)
		n += (*t)->running && !mark(r->l, *t, THREAD_RUNNING);
	return n;
}

/* Returns how many of them have not been seen at a tick. */
static u32 still_running(struct look_round *r)
{
	struct thread_mark m;
	u32 n = 0;

	vec_for_each(&r->listed, at) {
		struct seen_thread *t = *at;

		if (!t->running || t->settled)
			continue;
		if (!bpf_map_lookup_elem(r->l->marks_fd, &t->number, &m) && m.state == THREAD_TAKEN)
			t->settled = true;
		else
			n++;
	}
	return n;
}

static int take_running(struct look_round *r, struct error *err)
{
	u32 most = perf_max_frequency();
	struct perf_ticker *ticker;
	u64 until;
	int code;

	if (!mark_running(r))
		return 0;
	code = perf_ticker_new(event_table, TICK_HZ < most ? TICK_HZ : most, &ticker, err);
	if (code)
		return code;
	code = perf_ticker_start(ticker, r->l->on_tick, err);
	until = monotonic_ns() + TICK_WAIT_NS;
	while (!code && still_running(r) && monotonic_ns() < until)
		bpf_session_poll(r->l->session, 1);
	perf_ticker_stop(ticker);
	perf_ticker_free(ticker);
	/* Ticks may have come until then, and what was taken is not listed again. */
	(void)still_running(r);
	return code;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int look(struct look_round *r, struct error *err)
{
	int code = list(r);

	if (!code)
		code = take_sleeping(r);
	if (code)
		return error_set(err, code, "cannot look at the target's threads: %s",
				 error_reason(code));
	return take_running(r, err);
}

static bool is_done(const struct look_round *r)
{
	vec_for_each(&r->l->table->all, t) {
		if (!(*t)->settled)
			return false;
	}
	return true;
}

static bool is_there(const struct seen_thread *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)t->tgid, (int)t->tid);
	return !t->tgid || !access(path, F_OK);
}

/* What never settled is either still there or has ended since it was listed for the last time. */
static void forget_ended(struct thread_look *l, u32 round)
{
	vec_for_each(&l->table->all, at) {
		struct seen_thread *t = *at;

		if (!t->settled && !(t->running ? is_there(t) : t->alive))
			t->round = 0;
	}
	thread_table_forget(l->table, round);
}

int thread_look_run(struct thread_look *l, struct error *err)
{
	struct look_round r = {.l = l, .buffer = stack_buffer_new(STACK_MOST)};
	int code = r.buffer ? 0 : error_set(err, -ENOMEM, "cannot look: out of memory");
	u64 until = monotonic_ns() + RUNNING_WAIT_NS;

	bpf_session_reuse_maps(l->session, true);
	while (!code && (!r.number || !is_done(&r)) &&
	       (r.number < THREAD_LOOKS || monotonic_ns() < until)) {
		r.number++;
		code = look(&r, err);
		thread_table_forget(l->table, r.number);
	}
	forget_ended(l, r.number);
	bpf_session_reuse_maps(l->session, false);
	stack_buffer_free(r.buffer);
	vec_release(&r.listed);
	vec_release(&r.copies);
	return code;
}
