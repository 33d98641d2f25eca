/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folds DWARF expressions in call frame information to the few shapes that a rule can hold (DWARF
 * 5, sections 2.5 and 6.4.3). Nothing is evaluated; values stay symbolic.
 */
#ifndef CPROF_UNWIND_CFI_EXPR_H
#define CPROF_UNWIND_CFI_EXPR_H

#include "base/bytes.h"

enum cfi_value_kind {
	CFI_VALUE_UNKNOWN = 0, /* any other shape */
	CFI_VALUE_CONST, /* off */
	CFI_VALUE_CFA, /* cfa + off; only if the CFA is pushed first */
	CFI_VALUE_REG, /* register reg + off */
	CFI_VALUE_MEM, /* *(register reg + off) + add */
	CFI_VALUE_MEM_CFA, /* *(cfa + off) + add */
	CFI_VALUE_PLT, /* the frame of an entry of .plt, as ld writes it: arch_plt_expression() */
};

struct cfi_value {
	enum cfi_value_kind kind;
	u32 reg; /* DWARF register number */
	s64 off, add;
};

/* `with_cfa` says that the CFA is on the stack at the start (DW_CFA_expression,
 * DW_CFA_val_expression). */
struct cfi_value cfi_expression(struct bytes expr, bool with_cfa);

#endif
