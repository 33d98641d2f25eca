/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every function of a module that has call frame information, in address order, from all sections
 * that know some; and the few ranges whose rule is fixed whatever those sections say.
 */
#ifndef CPROF_UNWIND_FUNCTION_INDEX_H
#define CPROF_UNWIND_FUNCTION_INDEX_H

#include "base/vec.h"
#include "elf/gopclntab.h"
#include "unwind/cfi.h"
#include "unwind/go_switch.h"

/* In order of precedence, where two of them describe the same function. */
enum function_source {
	FUNCTION_FIXED, /* rule number in fde.offset */
	FUNCTION_EH_FRAME,
	FUNCTION_DEBUG_FRAME,
	FUNCTION_DEBUG_FILE, /* .debug_frame of the separate debug file */
	FUNCTION_GO, /* Go's own table: number of the function in fde.offset */
	FUNCTION_SOURCES,
};

struct function_entry {
	struct cfi_fde fde;
	enum function_source source;
};

struct function_index {
	struct cfi_reader *readers[FUNCTION_SOURCES];
	struct gopclntab *go; /* where the code is Go's and has no CFI; else NULL */
	VEC(struct function_entry) entries; /* by start, then source */
	struct go_switches switches; /* functions whose rows are not what they seem */
	size_t fdes; /* entries that are not FUNCTION_FIXED */
};

/*
 * Only functions inside executable segments of `f` are kept. `debug` may be NULL. 0, -ENOMEM, or
 * -E2BIG when the file's budget ended.
 */
int function_index_init(struct function_index *index, struct elf_file *f,
			struct elf_file *debug) MUST_CHECK;
void function_index_release(struct function_index *index);
/* Adds a range with a fixed rule; call function_index_sort() after the last. 0 or -ENOMEM. */
int function_index_fix(struct function_index *index, u64 start, u64 end, u32 rule) MUST_CHECK;
void function_index_sort(struct function_index *index);

/* The first entry that starts at or after `vaddr`. */
size_t function_index_lower_bound(const struct function_index *index, u64 vaddr);
/* The FDE that covers `vaddr`, or NULL. */
const struct function_entry *function_index_covering(const struct function_index *index, u64 vaddr);

/* Is `vaddr` inside an executable PT_LOAD? */
bool elf_vaddr_is_code(const struct elf_file *f, u64 vaddr);

#endif
