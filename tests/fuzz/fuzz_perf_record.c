/* SPDX-License-Identifier: Apache-2.0 */
/* Parses any bytes as a record of a perf ring, and checks that everything borrowed lies inside
 * it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collect/perf/perf_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const u8 *at, u64 len, struct bytes raw)
{
	if (len && (at < raw.data || len > raw.len || at - raw.data > (ptrdiff_t)(raw.len - len)))
		abort();
}

static void check(struct bytes raw, bool chain)
{
	struct perf_record r;

	if (perf_record_decode(raw, chain, &r))
		return;
	switch (r.type) {
	case PERF_RECORD_SAMPLE:
		check_inside(r.sample.stack.data, r.sample.stack.len, raw);
		check_inside(r.sample.chain, r.sample.chain_len * sizeof(u64), raw);
		break;
	case PERF_RECORD_MMAP2:
		check_inside((const u8 *)r.mapped.path, strlen(r.mapped.path) + 1, raw);
		break;
	case PERF_RECORD_COMM:
		check_inside((const u8 *)r.comm.name, strlen(r.comm.name) + 1, raw);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check((struct bytes){data, size}, false);
	check((struct bytes){data, size}, true);
	return 0;
}
