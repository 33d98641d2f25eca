/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes records out of a BPF ring buffer. A ring has its full size from the start, so it is small;
 * and whoever reads it may be kept from that for a while, by the profile of another recording, or
 * by a busy machine. So a thread waits for the ring to be half full (bpf/send.bpf.h), and then
 * copies what is there to memory, which is only needed while there is such a flood.
 */
#ifndef CPROF_COLLECT_RECORD_QUEUE_H
#define CPROF_COLLECT_RECORD_QUEUE_H

#include <bpf/libbpf.h>

#include "base/error.h"

struct record_queue;

#define RECORD_QUEUE_MAX \
	(8u << 20) /* bytes of records that are copied; the rest stays in the ring */

/* `fn` takes one record. If it returns a negative number, that one was the last for now. */
int record_queue_new(int ring_fd, ring_buffer_sample_fn fn, void *arg,
		     struct record_queue **out) MUST_CHECK;
void record_queue_free(struct record_queue *q); /* NULL is allowed */

/* Adds to an epoll descriptor what is readable when records should be taken. */
int record_queue_watch(const struct record_queue *q, int epoll) MUST_CHECK;

/* Hands over all records that were sent before the call, in that order, by one thread at a time.
 * Returns 0, or the negative result of `fn`. */
int record_queue_take(struct record_queue *q);

/* Returns another number whenever the records that follow may have been sent after those before
 * were handed over. All records with one number were sent before the first of them. */
u64 record_queue_batch(const struct record_queue *q);

/* Returns how many records did not fit into memory. */
u64 record_queue_lost(const struct record_queue *q);

#endif
