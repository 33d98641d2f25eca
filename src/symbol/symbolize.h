/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for a whole profile, once, after recording: addresses are sorted per module and each module is
 * asked in one batch. Sources in order: DWARF (own file, separate debug file), .symtab, .gnu_debugdata, .dynsym, where
 * functions begin by .eh_frame ("module+0x1a40"); kallsyms for the kernel; perf maps for JIT code.
 */
#ifndef CPROF_SYMBOL_SYMBOLIZE_H
#define CPROF_SYMBOL_SYMBOLIZE_H

#include "base/log.h"
#include "profile/profile.h"
#include "symbol/left_out.h"
#include "symbol/names_process.h"

struct symbolize_options {
	bool no_inlines; /* only physical functions */
	/*
	 * True: name no more. NULL: nobody asks. It is called by other threads as well, one at a
	 * time.
	 */
	bool (*stop)(void *arg);
	void *stop_arg;
	const struct log *log;
};

struct symbolize_stats {
	u64 addresses, named; /* distinct; "named" by a symbol, not by module+offset */
	u64 with_lines; /* of these, with file and line */
	u64 kernel_hidden; /* kernel addresses without names because of kptr_restrict */
	u64 unread; /* addresses that were not looked up any more, as the caller wanted to stop */
	struct left_out left_out; /* what was not read of their files */
	struct names_cost cost; /* beside that of this process */
	char note
		[256]; /* one thing the user could mend ("debug symbols: install libc6-dbg"), or "" */
};

/*
 * Fills the lines of every location whose mapping has a source (struct module) and no lines yet. A
 * file that takes too long or too much memory loses names and not the profile.
 */
int symbolize_profile(struct profile *p, const struct symbolize_options *opt,
		      struct symbolize_stats *stats);

#endif
