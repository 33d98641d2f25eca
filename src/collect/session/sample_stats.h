/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the counters of BPF programs: the map `stats`, which has STAT_SLOTS slots for each CPU. */
#ifndef CPROF_COLLECT_SAMPLE_STATS_H
#define CPROF_COLLECT_SAMPLE_STATS_H

#include "base/bpf_shared.h"
#include "base/log.h"

/* Returns the sum of a slot over all CPUs, or 0 without memory. */
u64 sample_stats_slot(int map_fd, u32 slot);
/* Logs what is not 0, with -vv. */
void sample_stats_log(int map_fd, const struct log *log);

#endif
