/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds functions, inlined functions and source lines of many addresses at once, from DWARF 2 to 5
 * with libdw.
 *
 * Looking up each address separately would walk a unit's tree every time. Here the sorted addresses
 * are distributed to the units by their ranges. The tree of each unit with addresses is walked
 * once, entering only what covers an address, and its line table is run once. A hostile file cannot
 * make that endless, because trees are entered only forward, nesting is bounded, and DIEs, ranges
 * and rows are charged to the file's budget (BUDGET_INFO, BUDGET_LINES). Units that the budget does
 * not reach are left out as a whole.
 */
#ifndef CPROF_SYMBOL_DWARF_INDEX_H
#define CPROF_SYMBOL_DWARF_INDEX_H

#include "elf/elf_file.h"
#include "symbol/split_source.h"

#define DWARF_MAX_INLINES 256u /* the most frames of one address */

struct dwarf_frame {
	const char
		*name; /* DW_AT_name; NULL if no function covers the address, but a line is known */
	const char *linkage_name; /* NULL if it is the same as the name */
	const char *file; /* NULL if unknown */
	const char *directory; /* where the compiler ran, if `file` is relative; or NULL */
	u32 line; /* 0 if unknown */
	u32 start_line; /* where the function is declared; 0 if unknown */
	u64 low_pc; /* of the physical function, set in the last frame; else 0 */
};

struct dwarf_index;

/*
 * `f` and `alt` (dwz's supplementary file, or NULL) must outlive the index. Errors are those of
 * dwarf_file_init().
 */
int dwarf_index_new(struct elf_file *f, struct elf_file *alt, struct dwarf_index **out) MUST_CHECK;
/*
 * Says where split DWARF comes from; `source` must outlive the index. Without a source, functions
 * of split units have no names.
 */
void dwarf_index_split(struct dwarf_index *index, const struct split_source *source);

/*
 * Writes what dwarf_index_resolve() could not read, such as "1 of 3 files with its split part:
 * /src/a.dwo (missing)"; "" if it read everything.
 */
void dwarf_index_missing(const struct dwarf_index *index, char *out, size_t size);

void dwarf_index_free(struct dwarf_index *index); /* NULL is allowed */

/*
 * This is called for each address of which anything is known, with its position in the batch and
 * its frames, innermost first (the last one is the physical function). Frames and their strings are
 * borrowed. A result other than 0 stops the lookup.
 */
typedef int (*dwarf_found_fn)(void *arg, size_t which, const struct dwarf_frame *frames, u32 n);

/*
 * Looks up `n` vaddrs in ascending order. Returns 0, the result of the callback, -ENOMEM, or -E2BIG
 * if none was looked up.
 */
int dwarf_index_resolve(struct dwarf_index *index, const u64 *vaddrs, size_t n,
			dwarf_found_fn found, void *arg) MUST_CHECK;

#endif
