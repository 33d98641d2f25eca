/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles one module's call frame information into the tables that bpf/shared/rows.h describes.
 * They have exactly the layout in which they are loaded into the kernel, and in which the
 * user-space walker reads them.
 */
#ifndef CPROF_UNWIND_ROWS_H
#define CPROF_UNWIND_ROWS_H

#include "base/bpf_shared.h"
#include "elf/elf_file.h"

/*
 * The rule table that all modules of a session share. The caller owns the memory of `rules` (the
 * mapped BPF array, or plain memory). Entries are only ever added, so concurrent readers are safe.
 */
struct rule_set;
int rule_set_new(struct unwind_rule *rules, u32 capacity, struct rule_set **out) MUST_CHECK;
void rule_set_free(struct rule_set *set);
u32 rule_set_len(const struct rule_set *set);
/* Returns the number of `rule`, which is added if it is new; UNWIND_RULE_NONE if the table is full
 * (counted). */
u32 rule_set_number(struct rule_set *set, const struct unwind_rule *rule);
u64 rule_set_overflows(const struct rule_set *set);
/*
 * Allows at most `n` more rules until the next call, so that one hostile module cannot use up the
 * table that all share. rows_build() calls it. Real modules have some 700 rules.
 */
void rule_set_allow(struct rule_set *set, u32 n);

/* Where pages of tables are, by their numbers (tables.h). */
struct table_pages {
	const struct unwind_page *(*page)(const struct table_pages *pages, u32 number);
};

struct rows {
	/*
	 * If it is set, the tables are in these pages: the directory from `block_page` on, and rows
	 * that `words` does not have as well, counted from `word_page` on.
	 */
	const struct table_pages *pages;
	u32 block_page, word_page;
	u64 base_off; /* file offset of block 0, a multiple of 1 << UNWIND_BLOCK_SHIFT */
	struct unwind_block *blocks; /* page-aligned, zero-padded to whole pages */
	u32 nblocks;
	u32 *words; /* page-aligned, whole pages; rows of one block never cross a page */
	u32 nwords; /* a multiple of UNWIND_PAGE_WORDS */
	u32 nrows; /* rows in `words`, padding not counted */
	u32 nfunctions;
	u32 unsupported_rows;
	u64 uncovered; /* bytes of code, or of data among it, that no function with CFI covers */
	u8 missing; /* enum table_missing: why there are no rows */
	/* no CFI at all, so every rule is UNWIND_RULE_CHAIN, except for functions that are known by
	 * name */
	bool frame_pointers;
};

/*
 * Compiles the executable segments of `f`. `debug` (may be NULL) is the separate debug file, whose
 * .debug_frame is used if `f` itself has too little.
 *
 * Gaps between functions get UNWIND_RULE_NONE, and equal neighbours are merged. UNWIND_RULE_STOP
 * marks the ELF entry point of a file whose start-up code has no FDE, and Go's goroutine and thread
 * entry functions (runtime.goexit, runtime.mstart, ...). Go's functions that switch stacks get
 * UNWIND_CFA_GO. A file without any usable CFI gets UNWIND_RULE_CHAIN throughout.
 *
 * Returns 0, -ENOEXEC (not an ELF file with executable segments), -ENOMEM, or -E2BIG if there would
 * be more than ROWS_MAX rows or the file's budget ran out.
 */
#define ROWS_MAX (16u << 20)
int rows_build(struct elf_file *f, struct elf_file *debug, struct rule_set *set,
	       struct rows **out) MUST_CHECK;
/*
 * Does the same without following code that has no call frame information. It gets
 * UNWIND_RULE_LATER (code_met.h), unless most of a small file is such code.
 */
#define FOLLOWED_AT_ONCE (1u << 19) /* bytes */
int rows_build_cfi(struct elf_file *f, struct elf_file *debug, struct rule_set *set,
		   struct rows **out) MUST_CHECK;
void rows_free(struct rows *rows);
/* Returns what applies to code of which nothing is known, in a file with so many functions that
 * have call frame information. */
u32 rows_gap_rule(struct elf_file *f, size_t fdes);
/*
 * Changes the numbers in the rows from those of `rules`, with which they were built, to those of
 * `set`. So a module can be compiled by another thread than the one that has the set. Rules that do
 * not fit become UNWIND_RULE_NONE. Returns 0, or -ENOMEM with nothing changed.
 */
int rows_renumber(struct rows *rows, const struct unwind_rule *rules, u32 nrules,
		  struct rule_set *set) MUST_CHECK;

/* Returns the rule number for a file offset, with the same search that the kernel uses. */
u32 rows_find(const struct rows *rows, u64 off);
/* Does the same in one block, which has these words. */
u32 rows_in_block(const struct unwind_block *b, const u32 *words, u64 off);

/*
 * Finds where functions begin from the FDEs alone, which names stripped code (`module+0x1a40`). The
 * result is sorted vaddrs of [start, end) without duplicates; the caller frees *out.
 */
struct function_range {
	u64 start, end;
};
int rows_functions(struct elf_file *f, struct function_range **out, size_t *len) MUST_CHECK;

#endif
