/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Demangles any bytes as a linkage name. The output is bounded, and it comes soon, unless the name
 * counts as one that is left to a process.
 */
#include <stdlib.h>
#include <string.h>

#include "symbol/demangle.h"
#include "symbol/demangler.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *raw = malloc(size + 1), *name;

	if (!raw)
		abort();
	memcpy(raw, data, size);
	raw[size] = 0;
	name = demangler_is_costly(raw) ? NULL : demangle_name(raw);
	if (name && strlen(name) >= DEMANGLE_MAX_OUTPUT)
		abort();
	free(name);
	free(raw);
	return 0;
}
