/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles CPU time with perf events and copied stacks, which needs no privileges for one's own
 * processes. */
#ifndef CPROF_COLLECT_PERF_SAMPLER_H
#define CPROF_COLLECT_PERF_SAMPLER_H

#include "collect/collector.h"

/* `opt` is copied; its options are a struct event_options. */
int perf_collector_new(const struct collect_options *opt, struct collector **out,
		       struct error *err) MUST_CHECK;

#endif
