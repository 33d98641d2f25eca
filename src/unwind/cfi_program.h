/* SPDX-License-Identifier: Apache-2.0 */
/* Interprets the instructions of call frame information (DWARF 5, section 6.4.2). Only cfi.c uses
 * it. */
#ifndef CPROF_UNWIND_CFI_PROGRAM_H
#define CPROF_UNWIND_CFI_PROGRAM_H

#include "unwind/cfi.h"
#include "unwind/cfi_expr.h"

/* Describes how pointers are encoded (LSB 5.0 core, section 10.5). */
struct cfi_pointer_env {
	/* gives the base addresses; the cursor must lie in its bytes */
	const struct cfi_section *section;
	u8 encoding; /* DW_EH_PE_* */
};

/* Returns false (with nothing read, or a bad cursor) if the encoding is one that cannot be resolved
 * here. */
bool cfi_pointer_read(const struct cfi_pointer_env *env, struct cursor *c, u64 *value);
/* Steps over a pointer, whatever it is relative to. */
bool cfi_pointer_skip(const struct cfi_pointer_env *env, struct cursor *c, u64 *raw);

/* Holds what a CIE fixes for its FDEs. */
struct cfi_program_env {
	struct cfi_pointer_env pointer;
	u64 code_align;
	s64 data_align;
	u32 ra_reg; /* column of the return address, mostly ARCH_DWARF_RA */
	bool signal_frame;
};

/* Says where a caller's register is. */
enum cfi_place_kind {
	CFI_PLACE_SAME = 0,
	CFI_PLACE_UNDEFINED,
	CFI_PLACE_AT_CFA, /* in memory at cfa + off */
	CFI_PLACE_AT_REG, /* in memory at register reg + off */
	CFI_PLACE_IN_REG, /* in register reg */
	CFI_PLACE_UNKNOWN,
};

struct cfi_place {
	enum cfi_place_kind kind;
	u32 reg;
	s64 off;
};

/* Holds one row, with only those registers that an unwinder carries from frame to frame. */
struct cfi_state {
	struct cfi_value cfa;
	struct cfi_place fp, callee, ra;
};

/* Runs the instructions of a CIE; false if they are broken. */
bool cfi_program_initial(const struct cfi_program_env *env, struct cursor code,
			 struct cfi_state *out);
/* Runs the instructions of an FDE and passes rows to v->row. Returns 0 or what v->row returned. */
int cfi_program_run(const struct cfi_program_env *env, const struct cfi_state *initial,
		    struct cursor code, const struct cfi_fde *fde, const struct cfi_visitor *v,
		    struct cfi_stats *stats);

/* Converts the row to the form that the kernel's walker uses. */
struct unwind_rule cfi_state_rule(const struct cfi_state *s, bool signal_frame);

#endif
