/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers the names of addresses, so a file is not read again for each profile of a process that
 * makes many. It identifies files by module.id. Several threads may use it.
 */
#ifndef CPROF_SYMBOL_NAME_CACHE_H
#define CPROF_SYMBOL_NAME_CACHE_H

#include "symbol/names_process.h"

struct name_cache;

/* Creates a cache. Above `max_bytes`, it forgets the addresses that were added first. */
int name_cache_new(size_t max_bytes, struct name_cache **out) MUST_CHECK;
void name_cache_free(struct name_cache *c); /* NULL is allowed */

/*
 * Does what names_process_resolve() does, but sends only addresses to the process that are not
 * remembered. `found` must not use the cache. `c` may be NULL.
 */
int name_cache_resolve(struct name_cache *c, struct names_process *np, struct module *m,
		       const u64 *vaddrs, size_t n, const struct budget_watch *watch,
		       module_name_fn found, void *arg, struct module_names_info *info) MUST_CHECK;

struct name_cache_stats {
	u64 hits, misses;
	size_t bytes, addresses;
};

struct name_cache_stats name_cache_stats(struct name_cache *c);

#endif
