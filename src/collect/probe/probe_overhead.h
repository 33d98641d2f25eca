/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What probes cost the target: from the number of calls that pass them and the price of each. Told after a
 * short trial, before more is paid, and again at the end.
 */
#ifndef CPROF_COLLECT_PROBE_OVERHEAD_H
#define CPROF_COLLECT_PROBE_OVERHEAD_H

#include "collect/collector.h"

struct probed_calls {
	u64 begins, ends; /* calls that allocate or lock; that free or unlock */
	u32 begin_ns, end_ns; /* a probe's price, without a program's time */
	u64 more_ns; /* the sum of those prices for probes elsewhere */
	u64 sampled_ns; /* spent on those that were sampled */
	u64 elapsed_ns,
		cpu_ns; /* meanwhile; CPU time is the target's, what the probes took included */
	u64 queued_ns; /* its threads waited so long for a CPU, one after the other or side by side */
};

struct probe_overhead {
	double calls_per_second; /* that begin, as they would be without probes */
	double slowdown; /* time added to the target's: 0.12 is 12 % */
	bool at_least; /* so much time goes into probes that nothing is left to compare it with */
};

struct probe_overhead probe_overhead_of(const struct probed_calls *calls);
/* Takes from `calls` what had been counted `before`. */
void probed_calls_since(struct probed_calls *calls, const struct probed_calls *before);

struct overhead_watch {
	const struct collect_options *opt; /* borrowed, with the arg */
	u32 limit; /* percent of slowdown; 0: none */
	const char *calls; /* "allocations/s" */
	/* All but the times; prices as probe_cost_ns() has them. */
	void (*count)(void *arg, struct probed_calls *now);
	void *arg;
	u32 probe_ns; /* what one costs on this machine; 0: not known */
	struct probed_calls before;
};

/*
 * Before probes are attached: measures what one costs here, with a program that does nothing for that
 * `cookie`, and remembers what has been counted.
 */
void overhead_watch_begin(struct overhead_watch *w, int prog_fd, u64 cookie, bool links);
/*
 * Once they are attached: waits for a few calls, which are part of the recording, and tells the user.
 * -EBUSY: it is above the limit.
 */
int overhead_watch_trial(struct overhead_watch *w, struct error *err) MUST_CHECK;
/* Since the trial began. */
struct probe_overhead overhead_watch_now(const struct overhead_watch *w);

#endif
