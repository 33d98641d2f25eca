/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens one ticking perf event per CPU, for every task; the BPF program selects those of the
 * target. It is per CPU and not per thread, because then the number of events does not grow with
 * the threads, threads and children need no attaching, and the program sees on each CPU how late a
 * tick is (docs/decisions.md).
 */
#ifndef CPROF_COLLECT_PERF_EVENT_H
#define CPROF_COLLECT_PERF_EVENT_H

#include <bpf/libbpf.h>

#include "base/error.h"
#include "base/types.h"
#include "collect/events.h"

struct perf_ticker;

/* Opens the event on every online CPU, without starting it. Error texts name the sysctl that would
 * help. */
int perf_ticker_new(const struct event_desc *event, u32 frequency, struct perf_ticker **out,
		    struct error *err) MUST_CHECK;
int perf_ticker_start(struct perf_ticker *t, struct bpf_program *prog,
		      struct error *err) MUST_CHECK;
void perf_ticker_stop(struct perf_ticker *t);
void perf_ticker_free(struct perf_ticker *t);

/* Returns kernel.perf_event_max_sample_rate, or the kernel's default of 100000 if it cannot be
 * read. */
u32 perf_max_frequency(void);

#endif
