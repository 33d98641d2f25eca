/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every way of collecting looks like from above: prepare, start, poll until it is over, stop,
 * read. cmd/record.c drives any of them by the same recipe; a new profile kind is one more struct
 * collector_ops.
 */
#ifndef CPROF_COLLECT_COLLECTOR_H
#define CPROF_COLLECT_COLLECTOR_H

#include "base/bpf_shared.h"
#include "base/error.h"
#include "base/log.h"
#include "collect/gaps.h"
#include "profile/profile.h"
#include "target/select.h"

struct event_desc; /* events.h */

struct collect_options {
	const struct target *target; /* borrowed, outlives the collector */
	const struct event_desc *event;
	u32 frequency; /* Hz */
	u64 duration_ns; /* expected; sizes tables. 0: unknown */
	bool user, kernel; /* which frames are wanted */
	bool by_process, by_thread, by_cpu; /* labels: what is told apart */
	u64 max_memory; /* bytes that cprof may hold; 0: no bound */
	struct readers *readers; /* of files that may not answer; outlives the collector */
	const char *command; /* argv[0] of a command held before its exec, or NULL */
	const void *own; /* the options of the kind: borrowed, they outlive the collector */
	/* How probes are attached: in no better way than "perf" or "multi". NULL: in the best that there is. */
	const char *uprobes;
	const char *sampler; /* library that the command preloads; NULL: none */
	u32 table_entries; /* of the tables of processes, threads, held locks; 0: the default */
	/* Called from start(), or after it, when recording begins; NULL: nobody wants to know. */
	void (*begins)(void);
	const struct log *log;
};

#define WAIT_RING_MAX 16

/* A thread that waits for a lock which the next of the ring holds; the last one's is held by the first. */
struct wait_ring_member {
	pid_t tgid, tid;
	u64 lock;
	char comm[COMM_LEN];
};

/* Stacks that were merged because there was no more memory for them. */
struct stack_merge_stats {
	u64 stacks; /* also those that were never taken in; one that comes again counts again */
	double share; /* of the profile's values that is theirs, 0 to 1; known once it has been read */
};

struct collect_stats {
	u64 samples; /* of the target */
	u64 lost_ring, lost_table, lost_busy; /* samples that were taken and could not be kept */
	u64 lost_targets; /* child processes that found no room in the table of targets */
	u64 ticks, late; /* clocks, all CPUs: periods, and those counted with the next tick */
	u64 ends[STACK_END_COUNT]; /* stacks by how they ended */
	u64 frames; /* user frames walked */
	u64 kernel_ns; /* spent in the kernel taking `samples`; 0: not known */
	u64 modules, rows; /* whose tables were loaded */
	u64 late_modules; /* of these, while recording */
	struct stack_merge_stats merged;
	struct gaps gaps;
	struct heap_stats {
		u64 allocs, frees; /* calls seen */
		u64 freed; /* sampled blocks among them */
		u64 failed, dropped; /* sampled allocations that failed; that found no room */
		u64 begun, missed; /* processes that began; that ended before they had probes */
		u64 unfollowed; /* sampled allocations that count, but not for how long they live */
		u64 declined; /* allocations left out: a return was waited for on another stack */
		u32 probes;
		double unknown; /* share of the calls that freed what was allocated before, 0 to 1 */
		double slowdown; /* of the target while recording, an estimate: 0.12 is 12 % */
		bool at_least; /* it was more: beyond what can be told apart */
	} heap;
	struct wait_stats {
		u64 lost_threads; /* that found no room in the wait table */
		u64 lost_locks; /* likewise: their waiters' time is told apart by wait, not by release */
		u64 lost_holds; /* --holds: whose thread ended meanwhile, or held too many */
		u64 no_holder, no_holder_ns; /* lock waits that nobody's unlocking ended */
		u64 lock_calls; /* --holds: seen by probes */
		double slowdown; /* --holds: of the target, an estimate: 0.12 is 12 % */
		u32 ring_len; /* 0: no deadlock was seen */
		struct wait_ring_member ring[WAIT_RING_MAX];
	} wait;
};

struct collector;

struct collector_ops {
	const char *name; /* "bpf" */
	/* Everything that may fail or take time, before the clock runs. */
	int (*prepare)(struct collector *c, struct error *err);
	int (*start)(struct collector *c, struct error *err);
	/*
	 * Works off what has come in for at most `timeout_ms`: 1 when the target has ended, 0, or a negative errno
	 * when it cannot go on; what has been recorded can be read then as ever.
	 */
	int (*poll)(struct collector *c, int timeout_ms);
	/* Ends sampling and takes in what is left; what cannot be taken in is a gap in the stats. */
	void (*stop)(struct collector *c);
	/* After stop: adds sample types, mappings and samples to a new profile. Mappings borrow modules of `c`. */
	int (*read)(struct collector *c, struct profile *p, struct error *err);
	/* After a read that failed for want of memory: merges stacks, so that the next one needs half. */
	void (*shrink)(struct collector *c);
	void (*stats)(struct collector *c, struct collect_stats *out);
	void (*free)(struct collector *c);
};

struct collector {
	const struct collector_ops *ops;
	/* CLOCK_MONOTONIC ns: what was recorded goes back to here; 0: to the end of start(). */
	u64 began_ns;
};

/* CPU time by BPF (root), and by perf events with copied stacks (everybody). `opt` is copied. */
int cpu_collector_new(const struct collect_options *opt, struct collector **out,
		      struct error *err) MUST_CHECK;
int perf_collector_new(const struct collect_options *opt, struct collector **out,
		       struct error *err) MUST_CHECK;

#endif
