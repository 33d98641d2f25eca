/* SPDX-License-Identifier: Apache-2.0 */
/* Simulates that memory runs out: malloc, calloc and realloc of the linked objects (not of shared
 * libraries) are wrapped by ld --wrap. */
#ifndef CPROF_TESTS_SHORT_MEMORY_H
#define CPROF_TESTS_SHORT_MEMORY_H

/* The next `allocations` succeed and those after them fail; if negative, all succeed. */
void short_memory_after(long allocations);

#endif
