/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executes call frame information once, row by row (DWARF 5 section 6.4; LSB .eh_frame).
 */
#ifndef CPROF_UNWIND_CFI_H
#define CPROF_UNWIND_CFI_H

#include "base/bpf_shared.h"
#include "elf/elf_file.h"

enum cfi_kind {
	CFI_EH_FRAME, /* .eh_frame: pcrel pointers, CIE id 0 */
	CFI_DEBUG_FRAME, /* .debug_frame: absolute addresses, CIE id ~0 */
};

struct cfi_section {
	enum cfi_kind kind;
	struct bytes data;
	u64 vaddr; /* address of the first byte, for pcrel pointers */
	u64 text_vaddr, data_vaddr; /* bases for DW_EH_PE_textrel and datarel; 0 if unknown */
	/* the file's budget (BUDGET_UNWIND); if NULL, the reader has its own */
	struct budget *budget;
};

struct cfi_visitor {
	/*
	 * Begins the range of one function ([start, end) in vaddrs); its rows follow, and then the
	 * next function. FDEs come in section order, which is not address order.
	 */
	int (*function)(void *arg, u64 start, u64 end, bool signal_frame);
	/* `rule` applies from `vaddr` to the next row or the end of the function. Rows are in
	 * ascending order within a function. */
	int (*row)(void *arg, u64 vaddr, const struct unwind_rule *rule);
	void *arg;
};

struct cfi_stats {
	u64 functions, rows;
	/* rows with expressions or registers that the kernel cannot follow, given as
	 * UNWIND_CFA_NONE */
	u64 unsupported_rows;
	u64 broken_entries; /* CIEs and FDEs that do not parse and were skipped */
};

/*
 * Walks every FDE. A broken entry is skipped and counted, and the walk continues at the next length
 * field if there is one. Returns 0, what a visitor returned if that was not 0, or -E2BIG if the
 * budget ran out.
 */
int cfi_walk(const struct cfi_section *s, const struct cfi_visitor *v, struct cfi_stats *stats);

/*
 * Does the same in two steps, for a caller that wants functions in address order without keeping
 * their rows: it lists the FDEs, sorts them and runs them one by one.
 */
struct cfi_fde {
	u64 start, end; /* vaddrs; start < end */
	u64 offset; /* of the entry in the section */
};

struct cfi_reader;
/* Keeps a copy of *s; the bytes it points to must stay valid. Returns 0 or -ENOMEM. */
int cfi_reader_new(const struct cfi_section *s, struct cfi_reader **out) MUST_CHECK;
void cfi_reader_free(struct cfi_reader *r); /* NULL is allowed */
/* Gives the next FDE in section order; false at the end, or if the budget has run out. */
bool cfi_reader_next(struct cfi_reader *r, struct cfi_fde *fde);
/*
 * Calls v->row for each row of an FDE that cfi_reader_next() gave. Returns 0, -E2BIG or what v->row
 * returned.
 */
int cfi_reader_run(struct cfi_reader *r, const struct cfi_fde *fde, const struct cfi_visitor *v);
const struct cfi_stats *cfi_reader_stats(const struct cfi_reader *r);

/* Finds .eh_frame (or else .debug_frame) in `f`. Returns 0 or -ENOENT. */
int cfi_section_find(struct elf_file *f, enum cfi_kind kind, struct cfi_section *out) MUST_CHECK;

#endif
