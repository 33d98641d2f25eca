/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a linkage name: what comes out is bounded. */
#include <stdlib.h>
#include <string.h>

#include "symbol/demangle.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *raw = malloc(size + 1), *name;

	if (!raw)
		abort();
	memcpy(raw, data, size);
	raw[size] = 0;
	name = demangle_name(raw);
	if (name && strlen(name) >= DEMANGLE_MAX_OUTPUT)
		abort();
	free(name);
	free(raw);
	return 0;
}
