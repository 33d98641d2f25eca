/* SPDX-License-Identifier: Apache-2.0 */
/* Parses any text as /proc/PID/maps, and checks that the result makes sense. */
#include <stdlib.h>
#include <string.h>

#include "target/maps.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	map_vec v = {0};

	if (maps_parse((struct bytes){data, size}, &v))
		abort();
	vec_for_each(&v, e) {
		if (e->start >= e->end || !e->path || strlen(e->path) > size)
			abort();
	}
	maps_release(&v);
	return 0;
}
