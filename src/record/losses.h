/* SPDX-License-Identifier: Apache-2.0 */
/* Describes what a recording lost or cut, for summaries and for the comments of a profile. */
#ifndef CPROF_RECORD_LOSSES_H
#define CPROF_RECORD_LOSSES_H

#include "collect/collector.h"

#define LOSSES_SIZE 640

u64 losses_total(const struct collect_stats *s); /* samples */
/* Writes "0", or "12 (ring buffer full 10, table full 2)". */
void losses_text(const struct collect_stats *s, char *out, size_t size);
/* Writes "live blocks at the end could not be read (out of memory)", or "" if nothing is
 * missing. */
void losses_gaps(const struct gaps *g, char *out, size_t size);
/* Writes "no unwind row 3, return address outside every mapping 1", or "" if every stack is
 * whole. */
void losses_cuts(const struct collect_stats *s, char *out, size_t size);

#endif
