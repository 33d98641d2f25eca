/* SPDX-License-Identifier: Apache-2.0 */
/* Reads hostile profiles in the formats of gperftools, jemalloc, Go's text and Java agents. */
#include <stdlib.h>
#include <string.h>

#include "format/read.h"

static void check_numbers(const struct profile *p)
{
	vec_for_each(&p->samples, s) {
		if (s->first_location + s->nlocations > p->stack_locations.len)
			abort();
	}
	vec_for_each(&p->locations, l) {
		if (l->mapping >= p->mappings.len || l->first_line + l->nlines > p->lines.len)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static profile_reader *const readers[] = {
		gperftools_read_cpu,  heap_text_read, jemalloc_read,  counts_text_read,
		contention_text_read, threadz_read,   java_text_read,
	};
	struct bytes bytes = {data, size};
	struct profile *p;

	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		if (readers[i](bytes, NULL, &p, NULL))
			continue;
		check_numbers(p);
		profile_free(p);
	}
	if (!format_read_bytes(bytes, NULL, &p, NULL))
		profile_free(p);
	return 0;
}
