/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: malloc, calloc and realloc of the linked objects (not of shared libraries), by ld --wrap. */
#ifndef CPROF_TESTS_SHORT_MEMORY_H
#define CPROF_TESTS_SHORT_MEMORY_H

/* The next `allocations` succeed, those after them fail; negative: all succeed. */
void short_memory_after(long allocations);

#endif
