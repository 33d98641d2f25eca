/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Estimates the overhead of probes for the target, from the number of calls that hit them and the
 * cost of each. It is reported after a short trial, before the recording continues, and again at
 * the end.
 */
#ifndef CPROF_COLLECT_PROBE_OVERHEAD_H
#define CPROF_COLLECT_PROBE_OVERHEAD_H

#include "collect/collector.h"
#include "collect/probe/probe_cost.h"

struct probed_calls {
	u64 begins, ends; /* calls that allocate or lock, and that free or unlock */
	u32 begin_ns, end_ns; /* the cost of a probe without the time of its program */
	u64 stepped; /* those of both at an instruction which the kernel single-steps */
	u64 more_ns; /* the sum of those costs for probes in other places */
	u64 sampled_ns; /* time spent on those that were sampled */
	u64 elapsed_ns,
		cpu_ns; /* elapsed meanwhile; the CPU time is the target's, including the probes */
	u64 queued_ns; /* how long its threads waited for a CPU, summed over all of them */
};

struct probe_overhead {
	double calls_per_second; /* calls that begin, as there would be without probes */
	double slowdown; /* time added to the target's; 0.12 is 12 % */
	bool at_least; /* the probes take so much time that nothing is left to compare with */
};

struct probe_overhead probe_overhead_of(const struct probed_calls *calls);
/* Subtracts from `calls` what had been counted `before`. */
void probed_calls_since(struct probed_calls *calls, const struct probed_calls *before);

struct overhead_watch {
	const struct collect_options *opt; /* borrowed, like the arg */
	u32 limit; /* percent of slowdown; 0 for no limit */
	const char *calls; /* "allocations/s" */
	/* Fills in everything except the times; costs are those of probe_cost_ns(). */
	void (*count)(void *arg, struct probed_calls *now);
	void *arg;
	u64 *began_ns; /* of the collector, set by the trial; may be NULL */
	struct probe_costs costs; /* of a probe on this machine */
	struct probed_calls before;
};

/* A cost as probe_cost_ns() has it, on a machine with these costs. */
u32 probe_cost_here(const struct probe_costs *costs, u32 ns);

/*
 * Call it before probes are attached. It measures the cost of a probe here, unless an earlier
 * recording of the store has, with a program that does nothing for that `cookie`, and records what
 * has been counted.
 */
void overhead_watch_begin(struct overhead_watch *w, int prog_fd, u64 cookie, bool links);
/*
 * Call it once they are attached. The recording begins with it: it waits for some calls, and
 * reports the overhead before the target pays for more of it. Returns -EBUSY if that is above the
 * limit.
 */
int overhead_watch_trial(struct overhead_watch *w, struct error *err) MUST_CHECK;
/* Returns the overhead since the trial began. */
struct probe_overhead overhead_watch_now(const struct overhead_watch *w);

#endif
