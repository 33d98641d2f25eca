/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds the files that the recordings of one process use. Threads of its own (module_loader.h)
 * open, read and compile each file once, whichever recording requests it first. Its unwind table is
 * in one pool that the programs of all recordings read (module_maps.h), and its number means the
 * same for all of them. Each recording has a share of the store (module_set.h).
 *
 *	requested --> loading --> loaded --> evicted --> freed
 *	                 |          ^
 *	               failed ------'  requested again, less and less often
 *
 * When there are too many files, those that no sample has contained for some seconds are evicted:
 * the kernel forgets them, and once no program can be using them, other files take over the pages
 * and slots of their tables. An evicted file keeps its number and stays open as long as some
 * recording still has samples to be named from it. When it is seen again, it is a new file with a
 * new number.
 *
 * If it is asked to, it also keeps the loaded programs of recordings that have ended.
 *
 * All functions may be called from several threads.
 */
#ifndef CPROF_COLLECT_MODULE_STORE_H
#define CPROF_COLLECT_MODULE_STORE_H

#include <bpf/libbpf.h>

#include "base/log.h"
#include "target/module.h"

struct module_store;
struct name_cache; /* symbol/name_cache.h */
struct program_pool; /* program_pool.h */
struct machine; /* machine.h */
struct probed_processes; /* probed_processes.h */

/* A zero selects the default. */
struct module_store_options {
	struct readers *readers; /* shared; may be NULL */
	u32 max_files; /* beyond these, files that have not been seen for a while are evicted */
	u32 max_pages; /* the same for pages of their tables, 4 KiB each */
	u32 max_kept; /* evicted files that stay open for their names */
	u32 idle_ms; /* how long a file must have been unseen */
	/* loaded BPF objects that are kept for later recordings: see program_pool.h. If 0, each
	 * recording loads its own. */
	u32 max_programs;
	u32 grace_ms; /* how long its number may still arrive in samples after its eviction */
};

/* There are fewer if cprof may have fewer than 8,192 descriptors: an eighth of them for each of the
 * two. */
#define MODULE_STORE_FILES 1024u
#define MODULE_STORE_PAGES 65536u
#define MODULE_STORE_KEPT 1024u
#define MODULE_STORE_NAMES (32u << 20) /* limits the bytes of names that are remembered */
#define MODULE_STORE_IDLE_MS 5000u
#define MODULE_STORE_GRACE_MS 3000u

int module_store_new(const struct module_store_options *opt, struct module_store **out) MUST_CHECK;
/* Adds an owner, who must free it as well. Returns `s`. */
struct module_store *module_store_share(struct module_store *s);
/* The last owner's call frees it. `s` may be NULL. All shares must have been freed before. */
void module_store_free(struct module_store *s);

struct readers *module_store_readers(struct module_store *s); /* borrowed; may be NULL */

/* Returns the names of addresses in these files, which all profiles share. They are borrowed. */
struct name_cache *module_store_names(struct module_store *s);

/*
 * Call it before `obj` is loaded, so that its programs find modules and tables here. If there are
 * no BPF maps, it returns why: -EPERM without privileges.
 */
int module_store_use(struct module_store *s, struct bpf_object *obj) MUST_CHECK;

/* Returns what recordings have found out about this machine. It is borrowed. NULL
 * has none. */
struct machine *module_store_machine(struct module_store *s);

/* Returns the processes in which recordings have probes. It is borrowed. NULL
 * has none. */
struct probed_processes *module_store_probed(struct module_store *s);

/* Returns the pool of BPF objects. It is borrowed, and NULL if there is none. */
struct program_pool *module_store_programs(struct module_store *s);

/* Counts what the store has done and what it has, for tests and diagnosis. */
struct module_store_stats {
	u64 opened, compiled; /* files since the store was created */
	u64 nevicted;
	u32 nloaded; /* files that have a number and may be used */
	u32 kept; /* evicted files that are still needed for names */
	u32 closed; /* those of them that could not stay open */
	u32 failed;
	u32 chunks, pages; /* of tables: see tables_size() */
};

void module_store_stats(struct module_store *s, struct module_store_stats *out);

#endif
