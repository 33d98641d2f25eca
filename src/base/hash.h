/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configures uthash for memory that may run out; by default its macros call exit(). An element that
 * could not be added is not in the table and still belongs to the caller.
 */
#ifndef CPROF_BASE_HASH_H
#define CPROF_BASE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/types.h"

/* Returns, after HASH_ADD*(hh, ...), whether it succeeded (uthash user guide, "Out of memory"). */
#define HASH_ADDED(element) ((element)->hh.tbl != NULL)

#endif
