/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that records are taken out of a ring buffer in time and in order. */
#include "collect/session/record_queue.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/vec.h"
#include "unit.h"

#define RING_BYTES 4096 /* one page is the least; a record of 8 bytes takes 16 there */
#define PATIENCE_MS 20000

struct fixture {
	int ring, program, events;
	struct record_queue *queue;
	u64 sent, taken;
	u64 pause_after; /* the record with which taking stops for now; 0 for none */
	u64 flood_at, flood_until; /* With this record, others are sent up to that number. */
};

/* Sends args[0], and passes args[1] as flags; returns 0, or a negative errno in 32 bits. */
static int load_sender(int ring)
{
	const struct bpf_insn code[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 6, .src_reg = 1, .off = 0},
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 4, .src_reg = 1, .off = 8},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 6, .off = -8},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = ring},
		{.code = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 8},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "send", "GPL", code, ARRAY_LEN(code),
			     NULL);
}

/* Returns whether there was space in the ring. */
static bool try_send(struct fixture *f, u64 flags)
{
	u64 args[] = {f->sent, flags};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	CHECK_INT(bpf_prog_test_run_opts(f->program, &opts), 0);
	f->sent += !opts.retval;
	return !opts.retval;
}

/* Sends a record, for which there will be space when the thread has emptied the ring. */
static void must_send(struct fixture *f, u64 flags)
{
	for (int ms = 0; !try_send(f, flags); ms++) {
		if (ms > PATIENCE_MS)
			unit_fail(__FILE__, __LINE__, "the ring stays full");
		usleep(1000);
	}
}

static int record_arrived(void *arg, void *data, size_t size)
{
	struct fixture *f = arg;

	CHECK_INT(size, 8);
	CHECK_INT(*(const u64 *)data, f->taken);
	f->taken++;
	while (f->taken == f->flood_at && f->sent < f->flood_until)
		must_send(f, BPF_RB_FORCE_WAKEUP);
	return f->taken == f->pause_after ? -EINTR : 0;
}

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.sent = 0};
	f->ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, RING_BYTES, NULL);
	f->program = f->ring < 0 ? -1 : load_sender(f->ring);
	if (f->program < 0)
		unit_skip("BPF needs root");
	CHECK_INT(record_queue_new(f->ring, record_arrived, f, &f->queue), 0);
	f->events = epoll_create1(EPOLL_CLOEXEC);
	CHECK_INT(record_queue_watch(f->queue, f->events), 0);
}

static void fixture_release(struct fixture *f)
{
	record_queue_free(f->queue);
	close(f->events);
	close(f->program);
	close(f->ring);
}

static bool is_readable(const struct fixture *f, int timeout_ms)
{
	struct pollfd p = {.fd = f->events, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

TEST(record_queue, records_without_a_wake_up_wait_in_the_ring)
{
	struct fixture f;

	fixture_init(&f);
	for (u32 i = 0; i < 100; i++)
		CHECK(try_send(&f, BPF_RB_NO_WAKEUP));
	CHECK_INT(record_queue_take(f.queue), 0);
	CHECK_INT(f.taken, 100);
	CHECK(!is_readable(&f, 0));
	while (try_send(&f, BPF_RB_NO_WAKEUP))
		;
	CHECK_INT(record_queue_take(f.queue), 0);
	CHECK_INT(f.taken, f.sent);
	fixture_release(&f);
}

/* Nobody takes them meanwhile. */
TEST(record_queue, more_records_than_fit_into_the_ring_arrive_in_order)
{
	struct fixture f;

	fixture_init(&f);
	while (f.sent < 20000)
		must_send(&f, BPF_RB_FORCE_WAKEUP);
	CHECK(is_readable(&f, PATIENCE_MS));
	/* The last ones may still be in the ring. */
	CHECK_INT(record_queue_take(f.queue), 0);
	CHECK_INT(f.taken, f.sent);
	CHECK_INT(record_queue_lost(f.queue), 0);
	CHECK_INT(record_queue_take(f.queue), 0);
	CHECK_INT(f.taken, f.sent);
	fixture_release(&f);
}

TEST(record_queue, taking_goes_on_where_it_stopped)
{
	struct fixture f;

	fixture_init(&f);
	while (f.sent < 3000)
		must_send(&f, BPF_RB_FORCE_WAKEUP);
	for (f.pause_after = 1000; f.pause_after <= 3000; f.pause_after += 1000) {
		CHECK_INT(record_queue_take(f.queue), -EINTR);
		CHECK_INT(f.taken, f.pause_after);
		CHECK(f.taken == f.sent || is_readable(&f, 0));
	}
	must_send(&f, BPF_RB_NO_WAKEUP);
	CHECK_INT(record_queue_take(f.queue), 0);
	CHECK_INT(f.taken, 3001);
	fixture_release(&f);
}

/* While a record is looked at, which may take long, the ring is emptied for those that follow. They
 * have another number, because what the process does may have changed meanwhile. */
TEST(record_queue, records_arrive_while_one_is_looked_at)
{
	struct fixture f;
	u64 batch;

	fixture_init(&f);
	f.flood_at = 10;
	f.flood_until = 5000;
	for (u32 i = 0; i < 20; i++)
		CHECK(try_send(&f, BPF_RB_NO_WAKEUP));
	f.pause_after = 20;
	CHECK_INT(record_queue_take(f.queue), -EINTR);
	batch = record_queue_batch(f.queue);
	f.pause_after = 21;
	CHECK_INT(record_queue_take(f.queue), -EINTR);
	CHECK(record_queue_batch(f.queue) != batch);
	f.pause_after = 0;
	CHECK_INT(record_queue_take(f.queue), 0);
	CHECK_INT(f.taken, f.sent);
	CHECK_INT(f.taken, 5000);
	CHECK_INT(record_queue_lost(f.queue), 0);
	fixture_release(&f);
}
