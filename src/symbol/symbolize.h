/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbolizes a whole profile once, after recording. Addresses are sorted by module, and each module
 * is queried in one batch. Sources are, in this order: DWARF (own file, separate debug file),
 * .symtab, .gnu_debugdata, .dynsym, the starts of functions in .eh_frame ("module+0x1a40");
 * kallsyms for the kernel; perf maps for JIT code.
 */
#ifndef CPROF_SYMBOL_SYMBOLIZE_H
#define CPROF_SYMBOL_SYMBOLIZE_H

#include "base/log.h"
#include "profile/profile.h"
#include "symbol/left_out.h"
#include "symbol/name_cache.h"
#include "symbol/names_process.h"

struct symbolize_options {
	bool no_inlines; /* only physical functions */
	u64 time_ns; /* for all files together; 0 for as long as recordings may take */
	/*
	 * Returns true to stop naming; NULL if nothing stops it. It is also called by other
	 * threads, one at a time.
	 */
	bool (*stop)(void *arg);
	void *stop_arg;
	struct name_cache *cache; /* keeps names for later profiles; may be NULL */
	const struct log *log;
};

struct symbolize_stats {
	/* distinct addresses; "named" means by a symbol, not by module+offset */
	u64 addresses, named;
	u64 with_lines; /* those of them with file and line */
	u64 kernel_hidden; /* kernel addresses without names because of kptr_restrict */
	u64 unread; /* addresses that were not looked up because the caller stopped */
	struct left_out left_out; /* what was not read of their files */
	struct helper_cost cost; /* in addition to that of this process */
	/* one thing that the user could fix ("debug symbols: install libc6-dbg"), or "" */
	char note[256];
	/* why debug information that is there could not be read, with its file; or "" */
	char unread_debug[640];
	char unnamed_jit[320]; /* what would give names to generated code without them; or "" */
};

/*
 * Fills in the lines of every location whose mapping has a source (struct module) and no lines yet.
 * A file that takes too long or too much memory loses names, but not the profile.
 */
int symbolize_profile(struct profile *p, const struct symbolize_options *opt,
		      struct symbolize_stats *stats);

#endif
