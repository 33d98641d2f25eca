/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions, inlined functions and source lines of many addresses at once, from DWARF 2 to 5 by
 * libdw.
 *
 * Asking libdw address by address walks a unit's tree each time. Here the sorted addresses are
 * handed out to the units by their ranges; the tree of a unit that has any is walked once, entering
 * only what covers an address; its line table is run once. A hostile file cannot make that take for
 * ever: trees are entered forward only, nesting is bounded, and DIEs, ranges and rows are paid for
 * from the file's budget (BUDGET_INFO, BUDGET_LINES). Units that it does not reach are left out as
 * a whole.
 */
#ifndef CPROF_SYMBOL_DWARF_INDEX_H
#define CPROF_SYMBOL_DWARF_INDEX_H

#include "elf/elf_file.h"

#define DWARF_MAX_INLINES 256u /* frames of one address */

struct dwarf_frame {
	const char
		*name; /* DW_AT_name or NULL: no function covers the address, but a line is known */
	const char *linkage_name; /* NULL when it is the name */
	const char *file; /* NULL: unknown */
	const char *directory; /* where the compiler ran, when `file` is relative; or NULL */
	u32 line; /* 0: unknown */
	u32 start_line; /* where the function is declared; 0: unknown */
	u64 low_pc; /* of the physical function, in the last frame; else 0 */
};

struct dwarf_index;

/*
 * `f` and `alt` (dwz's supplementary file, or NULL) must outlive the index. -ENOENT: no DWARF in
 * `f`, or it refers to a supplementary file and `alt` is NULL; -E2BIG: its sections are too large
 * for the budget.
 */
int dwarf_index_new(struct elf_file *f, struct elf_file *alt, struct dwarf_index **out) MUST_CHECK;
void dwarf_index_free(struct dwarf_index *index); /* NULL is fine */

/*
 * Called for each address of which anything is known: its place in the batch, and its frames, innermost
 * first (the last one is the physical function). Frames and their strings are borrowed. Non-zero stops.
 */
typedef int (*dwarf_found_fn)(void *arg, size_t which, const struct dwarf_frame *frames, u32 n);

/*
 * Looks up `n` vaddrs, sorted upwards. 0, the callback's answer, -ENOMEM, or -E2BIG: none was
 * looked up.
 */
int dwarf_index_resolve(struct dwarf_index *index, const u64 *vaddrs, size_t n,
			dwarf_found_fn found, void *arg) MUST_CHECK;

#endif
