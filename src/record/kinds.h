/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists all kinds of profiles by name. The build finds each `const struct profile_kind kind_<name>`
 * in the folders of src/collect and adds it to the list.
 */
#ifndef CPROF_RECORD_KINDS_H
#define CPROF_RECORD_KINDS_H

#include "collect/kind.h"
#include "kind_list.h"

extern const struct profile_kind *const kind_table[]; /* by name; NULL ends it */

const struct profile_kind *kind_by_name(const char *name); /* NULL if there is none */

#endif
