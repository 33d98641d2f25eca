/* SPDX-License-Identifier: Apache-2.0 */
/* Sums up counters over CPUs: see sample_stats.h. */
#include "collect/session/sample_stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#define MOST_CPUS 8192 /* as many as the kernel can be built for (NR_CPUS) */

u64 sample_stats_slot(int map_fd, u32 slot)
{
	int ncpus = libbpf_num_possible_cpus();
	u64 *values, sum = 0;

	/* It is read from /sys, which may be missing. The kernel writes as many values as it has
	 * CPUs. */
	if (ncpus < 1)
		ncpus = MOST_CPUS;
	values = calloc((size_t)ncpus, sizeof(*values));
	if (values && !bpf_map_lookup_elem(map_fd, &slot, values)) {
		for (int i = 0; i < ncpus; i++)
			sum += values[i];
	}
	free(values);
	return sum;
}

void sample_stats_log(int map_fd, const struct log *log)
{
	if (!log || log->level < LOG_LEVEL_DEBUG)
		return;
	for (u32 stat = 0; stat < STAT_COUNT; stat++) {
		u64 count = sample_stats_slot(map_fd, stat);

		if (count)
			log_debug(log, "%s: %llu", sample_stat_text(stat),
				  (unsigned long long)count);
	}
}
