/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perf ring buffers, one per CPU, read as one stream in the order of time. Each belongs to a dummy
 * event of cprof itself; the sampling events write into it through PERF_EVENT_IOC_SET_OUTPUT, so a
 * ring does not depend on any thread of the target.
 *
 * Events must use PERF_RINGS_CLOCK (attr.use_clockid) and the layout of perf_record.h.
 */
#ifndef CPROF_COLLECT_PERF_RINGS_H
#define CPROF_COLLECT_PERF_RINGS_H

#include <time.h>

#include "base/bytes.h"
#include "base/error.h"

#define PERF_RINGS_CLOCK CLOCK_MONOTONIC

struct perf_rings;

/*
 * Makes a ring of about `bytes` on every online CPU. Rings are smaller, down to 64 KiB, if
 * kernel.perf_event_mlock_kb and RLIMIT_MEMLOCK do not allow that much.
 */
int perf_rings_new(size_t bytes, struct perf_rings **out, struct error *err) MUST_CHECK;
void perf_rings_free(struct perf_rings *r);

u32 perf_rings_count(const struct perf_rings *r);
size_t perf_rings_size(const struct perf_rings *r); /* bytes of data in each */
int perf_rings_cpu(const struct perf_rings *r, u32 ring);
/* Sends the records of the event `fd`, which must be on the ring's CPU, to that ring. */
int perf_rings_attach(const struct perf_rings *r, u32 ring, int fd) MUST_CHECK;

/* Adds the rings to an epoll descriptor, which becomes readable when one of them is half full. */
int perf_rings_watch(const struct perf_rings *r, int epoll) MUST_CHECK;
/* Waits until a ring is half full, for at most `timeout_ms`. Returns 0 or -EINTR. */
int perf_rings_wait(struct perf_rings *r, int timeout_ms);

/*
 * Begins a round, in which everything written until now can be taken. Without `all`, only records
 * older than this moment can, so that no ring is read further than the others.
 */
void perf_rings_begin(struct perf_rings *r, bool all);
/* Gives the oldest record of the round, borrowed until the next call; false if there is none. */
bool perf_rings_next(struct perf_rings *r, struct bytes *record);

#endif
