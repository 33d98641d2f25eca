/* SPDX-License-Identifier: Apache-2.0 */
/* What finds the functions of one file: probe_file.c chooses, and the others find those of an
 * allocator (allocator_functions.c, allocator_returns.c) and of a sampler (sampler_probes.c). */
#ifndef CPROF_COLLECT_PROBE_FILE_IMPL_H
#define CPROF_COLLECT_PROBE_FILE_IMPL_H

#include "collect/probe/probe_file.h"
#include "collect/probe/return_site.h"
#include "elf/usdt.h"

struct file_reading {
	struct function_reader *r;
	struct elf_file *elf;
	const char *path;
	struct probe_file *f;
	const struct probe_file
		*first; /* the file with other places, if `f` is kept apart from them; or NULL */
	/* for functions without a return probe; NULL if there was none yet */
	struct code_file *code;
	VEC(u64) entries; /* of the allocating functions, sorted */
	/* that already have a probe, because functions share their ends */
	VEC(struct return_site) results;
};

/* Gives a place a number in the table of sites, and adds it to `places`. */
int reading_put_site(struct file_reading *in, struct heap_site *site, u64 offset,
		     uprobe_places *places) MUST_CHECK;
/* Returns the number of a DWARF register in struct heap_arg. */
u8 heap_register(u8 dwarf);

/* Finds the allocator of the file; without one, nothing is added. */
int reading_find_allocator(struct file_reading *in) MUST_CHECK;
/* Finds the probes of a sampler, which `list` contains. */
int reading_find_sampler(struct file_reading *in, const struct usdt_list *list) MUST_CHECK;
/* Returns whether the probes are those of a sampler. */
bool usdt_has_sampler(const struct usdt_list *list);

/* ---- functions that must not have a return probe ---- */

/* Says how the returns of a function are seen. */
enum function_returns {
	RETURNS_PROBED, /* by a return probe, because it cannot be left in another way */
	RETURNS_AT_RESULTS, /* by probes where its result is known */
	RETURNS_HIDDEN, /* not at all, so it counts when it is called */
	/* everything that it returns comes from another function, whose returns are seen */
	RETURNS_ELSEWHERE,
};

/* Reads the code from which results are found, once for all functions of the allocator. */
int reading_find_code(struct file_reading *in, const struct allocator *a) MUST_CHECK;
/* Decides how the returns of a function are seen, and puts probes where results are known. Its own
 * probe is at the address `entry_site`. */
int reading_find_returns(struct file_reading *in, const struct alloc_function *function,
			 u64 entry_site, enum function_returns *out) MUST_CHECK;
int reading_put_results(struct file_reading *in, const struct alloc_function *function,
			const struct return_sites *sites) MUST_CHECK;

#endif
