/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of every way of collecting: prepare, start, poll until it is over, stop, read.
 * record/recording.c drives all of them in the same way, and a new profile kind is one more struct
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
	const struct target *target; /* borrowed, and must outlive the collector */
	u32 frequency; /* Hz */
	u64 duration_ns; /* expected; used to size tables; 0 if unknown */
	bool user, kernel; /* which frames are wanted */
	bool by_process, by_thread, by_cpu; /* labels that distinguish samples */
	bool by_place; /* with by_process: also label the container and the systemd unit */
	u64 max_memory; /* bytes that cprof may use; 0 for no bound */
	struct readers *readers; /* for files that may not answer; must outlive the collector */
	struct module_store *store; /* shared; if NULL, the collector has its own */
	const char *command; /* argv[0] of a command held before its exec, or NULL */
	const void *own; /* the options of the kind: borrowed, and must outlive the collector */
	/* The best way to attach probes that may be used: "perf" or "multi". NULL for the best that
	 * there is. */
	const char *uprobes;
	const char *sampler; /* library that the command preloads; NULL if there is none */
	/* of the tables of processes, threads, held locks and files; 0 for the default */
	u32 table_entries;
	/* If it returns true, the recording has to end now, so stop() stops waiting for files. It
	 * may be NULL. */
	bool (*hurry)(void *arg);
	void *hurry_arg;
	/* Called from start(), or after it, when the recording begins; NULL if nobody wants to
	 * know. */
	void (*begins)(void);
	const struct log *log;
};

/* Counts stacks that were merged because memory ran out. */
struct stack_merge_stats {
	/* includes those that were never accepted; a stack that comes again counts again */
	u64 stacks;
	double share; /* their share of the profile's values, 0 to 1; known once it has been read */
};

/* Says why samples were lost: "ring buffer full". */
struct loss {
	const char *why;
	u64 samples;
};

#define LOSSES_MAX 8

struct collect_stats {
	u64 samples; /* of the target */
	struct loss losses[LOSSES_MAX]; /* samples that were taken and could not be kept */
	u32 nlosses;
	u64 lost_targets; /* child processes that did not fit into the table of targets */
	/* the sampled event; NULL if there is none and every occurrence counts */
	const struct event_desc *event;
	/* for clocks, on all CPUs: periods, and those counted with the next tick */
	u64 ticks, late;
	u64 ends[STACK_END_COUNT]; /* stacks by how they ended */
	u64 kernel_ns; /* spent in the kernel taking `samples`; 0 if not known */
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

/* Says which samples a profile has. */
enum collect_range {
	COLLECT_WHOLE, /* after stop(): everything; the memory of the stacks is freed */
	COLLECT_SO_FAR, /* at any time: everything since start() */
	/* at any time: what came since the last such profile, or since start() */
	COLLECT_SINCE,
};

struct collector_ops {
	const char *name; /* "bpf" */
	/* Does everything that may fail or take time, before the clock runs. */
	int (*prepare)(struct collector *c, struct error *err);
	int (*start)(struct collector *c, struct error *err);
	/*
	 * Processes what has arrived, for at most `timeout_ms`. Returns 1 if the target has ended,
	 * 0, or a negative errno if it cannot continue; what has been recorded can then still be
	 * read.
	 */
	int (*poll)(struct collector *c, int timeout_ms);
	/* Returns a descriptor that is readable when poll() has work. Call poll() at least ten
	 * times a second anyway. */
	int (*fd)(struct collector *c);
	/* Ends sampling and takes in what is left. What cannot be taken in is a gap in the
	 * stats. */
	void (*stop)(struct collector *c);
	/*
	 * Adds sample types, mappings and samples to a new profile. Its mappings borrow modules of
	 * `c`. Whatever has not ended (a wait, a lock that is held) counts up to now. The profiles
	 * of COLLECT_SINCE add up to that of COLLECT_WHOLE, except for live blocks: each profile
	 * shows those that are alive at its end. After an error, the range continues as if nothing
	 * had been read.
	 */
	int (*read)(struct collector *c, enum collect_range range, struct profile *p,
		    struct error *err);
	/* Called after a read that failed for lack of memory: merges stacks, so that the next one
	 * needs half. */
	void (*shrink)(struct collector *c);
	void (*stats)(struct collector *c, struct collect_stats *out);
	/* Called after read: adds the lines of the closing summary that only this kind has. NULL
	 * for none. */
	void (*summarize)(struct collector *c, struct lines *out);
	/* Called after read, with names: logs what should not be overlooked in the profile. NULL
	 * for nothing. */
	void (*notes)(struct collector *c, const struct profile *p);
	void (*free)(struct collector *c);
};

struct collector {
	const struct collector_ops *ops;
	/* CLOCK_MONOTONIC ns: what was recorded goes back to this time; 0 for the end of
	 * start(). */
	u64 began_ns;
};

#endif
