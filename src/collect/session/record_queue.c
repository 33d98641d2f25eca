/* SPDX-License-Identifier: Apache-2.0 */
/* Takes records out of a BPF ring buffer before it is full: see record_queue.h. */
#include "collect/session/record_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/vec.h"

#define THREAD_NICE (-10)
/* Copies and a ring of 16 MiB are not more than that. */
#define BATCHES_MOST 4u

struct record_queue {
	ring_buffer_sample_fn fn;
	void *arg;
	int ring_fd;
	int copied, stop; /* eventfds: there are copies to be taken; the thread has to end */
	int events; /* an epoll descriptor for the thread */
	pthread_t thread;
	bool running;
	/* used only by the reader */
	byte_vec taken; /* copies that are being handed over */
	size_t at;
	u64 batch; /* number of `taken` */
	pthread_mutex_t lock; /* of all below */
	struct ring_buffer *ring;
	byte_vec waiting; /* copies: the size as u64, and the record in whole words */
	u64 lost;
};

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static void signal_fd(int fd)
{
	const u64 one = 1;

	if (write(fd, &one, sizeof(one)) < 0) {
		/* It is readable already. */
	}
}

static int record_arrived(void *ctx, void *data, size_t size)
{
	struct record_queue *q = ctx;
	const size_t need = sizeof(u64) + padded(size);
	const u64 bytes = size;

	if (vec_reserve(&q->waiting, q->waiting.len + need)) {
		q->lost++;
		return -ENOMEM;
	}
	memcpy(q->waiting.data + q->waiting.len, &bytes, sizeof(bytes));
	memcpy(q->waiting.data + q->waiting.len + sizeof(bytes), data, size);
	q->waiting.len += need;
	return q->waiting.len < RECORD_QUEUE_MAX ? 0 : -ENOSPC;
}

/* The lock is held. */
static void copy_ring(struct record_queue *q)
{
	if (q->waiting.len < RECORD_QUEUE_MAX)
		ring_buffer__consume(q->ring);
}

/* ---- the thread ---- */

static void copy_all(struct record_queue *q)
{
	pthread_mutex_lock(&q->lock);
	copy_ring(q);
	if (q->waiting.len)
		signal_fd(q->copied);
	pthread_mutex_unlock(&q->lock);
}

static void *work(void *arg)
{
	struct record_queue *q = arg;
	struct epoll_event event;

	/* It only copies, and what it comes too late for is lost. Users without privileges may not
	 * do this. */
	(void)!setpriority(PRIO_PROCESS, (id_t)gettid(), THREAD_NICE);

	for (;;) {
		int n = epoll_wait(q->events, &event, 1, -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || event.data.fd == q->stop)
			return NULL;
		copy_all(q);
	}
}

static int watch(int epoll, int fd, u32 how)
{
	struct epoll_event event = {.events = EPOLLIN | how, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Without a thread, records wait in the ring until they are taken. */
static void start_thread(struct record_queue *q)
{
	sigset_t all, before;

	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	q->running = !pthread_create(&q->thread, NULL, work, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the reader ---- */

static int hand_over(struct record_queue *q)
{
	while (q->at < q->taken.len) {
		u8 *record = q->taken.data + q->at + sizeof(u64);
		u64 size;
		int err;

		memcpy(&size, q->taken.data + q->at, sizeof(size));
		q->at += sizeof(u64) + padded(size);
		err = q->fn(q->arg, record, size);
		if (err < 0)
			return err;
	}
	/* Such a flood is rare, so its memory is not kept. */
	vec_release(&q->taken);
	q->at = 0;
	return 0;
}

/* Copies what is in the ring as well, and makes all of it the next records to hand over. It is true
 * if more may be left in the ring. */
static bool take_all(struct record_queue *q)
{
	bool full;

	pthread_mutex_lock(&q->lock);
	copy_ring(q);
	full = q->waiting.len >= RECORD_QUEUE_MAX;
	q->taken = q->waiting;
	q->waiting = (byte_vec){0};
	pthread_mutex_unlock(&q->lock);
	q->batch++;
	return full;
}

/* Records are handed over without the lock, because the thread has to copy others meanwhile. */
int record_queue_take(struct record_queue *q)
{
	u32 batches = BATCHES_MOST;
	u64 count;
	int err;

	if (read(q->copied, &count, sizeof(count)) < 0) {
		/* Nothing was copied. */
	}
	while (!(err = hand_over(q)) && batches)
		batches = take_all(q) ? batches - 1 : 0;
	if (err)
		signal_fd(q->copied); /* the rest is still there */
	return err;
}

u64 record_queue_batch(const struct record_queue *q)
{
	return q->batch;
}

int record_queue_watch(const struct record_queue *q, int epoll)
{
	int err = watch(epoll, q->ring_fd, 0);

	return err ? err : watch(epoll, q->copied, 0);
}

u64 record_queue_lost(const struct record_queue *q)
{
	return __atomic_load_n(&q->lost, __ATOMIC_RELAXED);
}

/* ---- creation and end ---- */

static int make_events(struct record_queue *q)
{
	int err;

	q->copied = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->stop = eventfd(0, EFD_CLOEXEC);
	q->events = epoll_create1(EPOLL_CLOEXEC);
	if (q->copied < 0 || q->stop < 0 || q->events < 0)
		return -errno;
	err = watch(q->events, q->stop, 0);
	/* A program wakes it, and not that there is anything at all. */
	return err ? err : watch(q->events, q->ring_fd, EPOLLET);
}

int record_queue_new(int ring_fd, ring_buffer_sample_fn fn, void *arg, struct record_queue **out)
{
	struct record_queue *q = calloc(1, sizeof(*q));
	int err;

	*out = q;
	if (!q)
		return -ENOMEM;
	*q = (struct record_queue){
		.fn = fn, .arg = arg, .ring_fd = ring_fd, .copied = -1, .stop = -1, .events = -1};
	pthread_mutex_init(&q->lock, NULL);
	q->ring = ring_buffer__new(ring_fd, record_arrived, q, NULL);
	err = q->ring ? make_events(q) : -errno;
	if (!err)
		start_thread(q);
	else
		record_queue_free(q);
	if (err)
		*out = NULL;
	return err;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void record_queue_free(struct record_queue *q)
{
	if (!q)
		return;
	if (q->running) {
		signal_fd(q->stop);
		pthread_join(q->thread, NULL);
	}
	ring_buffer__free(q->ring);
	vec_release(&q->taken);
	vec_release(&q->waiting);
	close_one(q->copied);
	close_one(q->stop);
	close_one(q->events);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
