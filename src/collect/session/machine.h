/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what recordings find out about this machine by trying it, so that the later recordings of a
 * process need not try it again: which ways to attach probes the kernel has, which takes loading
 * programs, and what a probe costs, which takes 70 ms and several changes of probes.
 *
 * All functions may be called from several threads.
 */
#ifndef CPROF_COLLECT_MACHINE_H
#define CPROF_COLLECT_MACHINE_H

#include "base/error.h"
#include "collect/features.h"
#include "collect/probe_costs.h"

struct machine;

int machine_new(struct machine **out) MUST_CHECK;
void machine_free(struct machine *m); /* NULL is allowed */

/* Does features_probe_uprobes(), once. `m` may be NULL, and then it is done each time. */
void machine_uprobes(struct machine *m, struct features *out);

typedef int (*probe_measure_fn)(void *arg, struct probe_costs *out);

/*
 * Returns in *out what probes cost that are attached by a link (`links`) or by perf events. Only
 * the first call measures it, with `measure`; the others wait for that. An error, which is a
 * negative errno, is not kept. `m` may be NULL, and then each call measures.
 */
int machine_probe_costs(struct machine *m, bool links, probe_measure_fn measure, void *arg,
			struct probe_costs *out) MUST_CHECK;

/* Returns how often probes have been measured, for tests. */
u32 machine_measured(struct machine *m);

#endif
