/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists every function of a module that has call frame information, in address order and from all
 * sections that describe any, and the few ranges whose rule is fixed whatever those sections say.
 */
#ifndef CPROF_UNWIND_FUNCTION_INDEX_H
#define CPROF_UNWIND_FUNCTION_INDEX_H

#include "base/vec.h"
#include "elf/gopclntab.h"
#include "unwind/cfi.h"
#include "unwind/go_switch.h"

/* Where two sources describe the same function, the one listed first takes precedence. */
enum function_source {
	FUNCTION_FIXED, /* the rule number is in fde.offset */
	FUNCTION_EH_FRAME,
	FUNCTION_DEBUG_FRAME,
	FUNCTION_DEBUG_FILE, /* .debug_frame of the separate debug file */
	FUNCTION_GO, /* Go's own table; the function's number is in fde.offset */
	FUNCTION_SOURCES,
};

struct function_entry {
	struct cfi_fde fde;
	enum function_source source;
};

struct function_index {
	struct cfi_reader *readers[FUNCTION_SOURCES];
	struct gopclntab *go; /* set if the code is Go's and has no CFI; else NULL */
	VEC(struct function_entry) entries; /* by start, then source */
	struct go_switches switches; /* functions whose rows do not describe what they do */
	size_t fdes; /* entries that are not FUNCTION_FIXED */
};

/*
 * Keeps only functions inside executable segments of `f`. `debug` may be NULL. Returns 0, -ENOMEM,
 * or -E2BIG if the file's budget ran out.
 */
int function_index_init(struct function_index *index, struct elf_file *f,
			struct elf_file *debug) MUST_CHECK;
/* Returns whether the functions are less than half of the file's code. Hand-written assembly does
 * not explain that. */
bool function_index_is_sparse(const struct function_index *index, const struct elf_file *f);
void function_index_release(struct function_index *index);
/* Adds a range with a fixed rule; call function_index_sort() after the last one. Returns 0 or
 * -ENOMEM. */
int function_index_fix(struct function_index *index, u64 start, u64 end, u32 rule) MUST_CHECK;
void function_index_sort(struct function_index *index);

/* Returns the first entry that starts at or after `vaddr`. */
size_t function_index_lower_bound(const struct function_index *index, u64 vaddr);
/* Returns the FDE that covers `vaddr`, or NULL. */
const struct function_entry *function_index_covering(const struct function_index *index, u64 vaddr);

#endif
