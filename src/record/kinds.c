/* SPDX-License-Identifier: Apache-2.0 */
/* Finds kinds of profiles by name: see kinds.h. */
#include "record/kinds.h"

#include <string.h>

const struct profile_kind *const kind_table[] = {KIND_LIST NULL};

const struct profile_kind *kind_by_name(const char *name)
{
	for (const struct profile_kind *const *k = kind_table; *k; k++) {
		if (!strcmp((*k)->name, name))
			return *k;
	}
	return NULL;
}
