/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that the recordings of one process meet. Each is opened, read and compiled once, by threads of its own
 * (module_loader.h), whichever recording asks first; its unwind table lies in one pool that all recordings' programs
 * read (module_maps.h), and its number means the same to all of them. A recording has a share of it (module_set.h).
 *
 *	asked for  --> loading --> there --> let go --> gone
 *	                  |          ^
 *	                failed ------'  asked for again, less and less often
 *
 * When there are more files than enough, those that no sample has met for some seconds are let go: the kernel forgets
 * them, and once no program can be using it their table's pages and slot go to other files. A file that was let go
 * keeps its number, and stays open, for as long as the samples of some recording are to be named from it. When it
 * is met again it is a new file with a new number.
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

struct module_store_options { /* 0 stands for the usual */
	struct readers *readers; /* shared; may be NULL */
	u32 max_files; /* when there are more, those that have not been met for a while are let go */
	u32 max_pages; /* likewise of their tables, 4 KiB each */
	u32 max_kept; /* files that were let go and stay open for their names */
	u32 idle_ms; /* how long a file must not have been met */
	u32 grace_ms; /* how long after it was let go its number may still come in samples */
};

/* Fewer where cprof may have fewer than 8,192 descriptors: an eighth of them for each of the two. */
#define MODULE_STORE_FILES 1024u
#define MODULE_STORE_PAGES 65536u
#define MODULE_STORE_KEPT 1024u
#define MODULE_STORE_NAMES (32u << 20) /* bytes of names that are remembered */
#define MODULE_STORE_IDLE_MS 5000u
#define MODULE_STORE_GRACE_MS 3000u

int module_store_new(const struct module_store_options *opt, struct module_store **out) MUST_CHECK;
/* One more owner, who frees it, too; returns `s`. */
struct module_store *module_store_share(struct module_store *s);
/* With the last owner it goes. NULL is fine. All shares have been given back before. */
void module_store_free(struct module_store *s);

struct readers *module_store_readers(struct module_store *s); /* borrowed; may be NULL */

/* Names of addresses in these files, for all profiles; borrowed. */
struct name_cache *module_store_names(struct module_store *s);

/*
 * Before `obj` is loaded: its programs are to find modules and tables here. Else why
 * there are no BPF maps: -EPERM without privileges.
 */
int module_store_use(struct module_store *s, struct bpf_object *obj) MUST_CHECK;

/* What it has done and has, for tests and for those who wonder. */
struct module_store_stats {
	u64 opened, compiled; /* files, since it was made */
	u64 let_go;
	u32 there; /* files that have a number and may be met */
	u32 kept; /* that were let go and are still needed for names */
	u32 closed; /* of these, those that found no place among the open ones */
	u32 failed;
	u32 chunks, pages; /* of tables: see tables_size() */
};

void module_store_stats(struct module_store *s, struct module_store_stats *out);

#endif
