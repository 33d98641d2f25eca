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
#include "base/lines.h"
#include "base/log.h"
#include "collect/gaps.h"
#include "profile/profile.h"
#include "target/select.h"

struct event_desc; /* events.h */
struct module_store; /* session/module_store.h */

struct collect_options {
	const struct target *target; /* borrowed, outlives the collector */
	u32 frequency; /* Hz */
	u64 duration_ns; /* expected; sizes tables. 0: unknown */
	bool user, kernel; /* which frames are wanted */
	bool by_process, by_thread, by_cpu; /* labels: what is told apart */
	u64 max_memory; /* bytes that cprof may hold; 0: no bound */
	struct readers *readers; /* of files that may not answer; outlives the collector */
	struct module_store *store; /* shared; NULL: the collector has one of its own */
	const char *command; /* argv[0] of a command held before its exec, or NULL */
	const void *own; /* the options of the kind: borrowed, they outlive the collector */
	/* How probes are attached: in no better way than "perf" or "multi". NULL: in the best that there is. */
	const char *uprobes;
	const char *sampler; /* library that the command preloads; NULL: none */
	u32 table_entries; /* of the tables of processes, threads, held locks, files; 0: the default */
	/* True: the recording is to end now, so stop() waits for no file any longer. NULL: nobody asks. */
	bool (*hurry)(void *arg);
	void *hurry_arg;
	/* Called from start(), or after it, when recording begins; NULL: nobody wants to know. */
	void (*begins)(void);
	const struct log *log;
};

/* Stacks that were merged because there was no more memory for them. */
struct stack_merge_stats {
	u64 stacks; /* also those that were never taken in; one that comes again counts again */
	double share; /* of the profile's values that is theirs, 0 to 1; known once it has been read */
};

/* Why samples were lost: "ring buffer full". */
struct loss {
	const char *why;
	u64 samples;
};

#define LOSSES_MAX 8

struct collect_stats {
	u64 samples; /* of the target */
	struct loss losses[LOSSES_MAX]; /* samples that were taken and could not be kept */
	u32 nlosses;
	u64 lost_targets; /* child processes that found no room in the table of targets */
	const struct event_desc *event; /* that was sampled; NULL: none, every occurrence counts */
	u64 ticks, late; /* clocks, all CPUs: periods, and those counted with the next tick */
	u64 ends[STACK_END_COUNT]; /* stacks by how they ended */
	u64 kernel_ns; /* spent in the kernel taking `samples`; 0: not known */
	struct stack_merge_stats merged;
	struct gaps gaps;
};

/* Adds one more reason, which is borrowed. */
static inline void collect_stats_lose(struct collect_stats *s, const char *why, u64 samples)
{
	if (samples && s->nlosses < LOSSES_MAX)
		s->losses[s->nlosses++] = (struct loss){why, samples};
}

struct collector;

/* What a profile is made of. */
enum collect_range {
	COLLECT_WHOLE, /* after stop(): everything; the memory of the stacks is given back */
	COLLECT_SO_FAR, /* at any time: everything since start() */
	COLLECT_SINCE, /* at any time: what has come since the last one of this sort, or since start() */
};

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
	/* Readable: poll() has something to do. It must be called all the same at least ten times a second. */
	int (*fd)(struct collector *c);
	/* Ends sampling and takes in what is left; what cannot be taken in is a gap in the stats. */
	void (*stop)(struct collector *c);
	/*
	 * Adds sample types, mappings and samples to a new profile. Mappings borrow modules of `c`. What goes on (a wait,
	 * a lock that is held) counts up to now. The profiles of COLLECT_SINCE add up to that of COLLECT_WHOLE; of
	 * blocks that are alive each of them shows those that are alive at its end. After an error a range has not begun
	 * anew.
	 */
	int (*read)(struct collector *c, enum collect_range range, struct profile *p,
		    struct error *err);
	/* After a read that failed for want of memory: merges stacks, so that the next one needs half. */
	void (*shrink)(struct collector *c);
	void (*stats)(struct collector *c, struct collect_stats *out);
	/* After read: adds what the closing summary says of this kind alone. NULL: nothing. */
	void (*summarize)(struct collector *c, struct lines *out);
	/* After read, with names: logs what should not be overlooked in the profile. NULL: nothing. */
	void (*notes)(struct collector *c, const struct profile *p);
	void (*free)(struct collector *c);
};

struct collector {
	const struct collector_ops *ops;
	/* CLOCK_MONOTONIC ns: what was recorded goes back to here; 0: to the end of start(). */
	u64 began_ns;
};

#endif
