/* SPDX-License-Identifier: Apache-2.0 */
/* Folds a DWARF expression over symbolic values: see cfi_expr.h. */
#include "unwind/cfi_expr.h"

#include <dwarf.h>

#include "arch/plt.h"

#define STACK_DEPTH 4 /* the shapes in cfi_expr.h need two */
#define OPERATIONS_MAX 32

struct folding {
	struct cfi_value stack[STACK_DEPTH];
	unsigned int depth;
	bool bad;
};

static void push(struct folding *f, struct cfi_value v)
{
	if (f->depth == STACK_DEPTH)
		f->bad = true;
	else
		f->stack[f->depth++] = v;
}

static void push_const(struct folding *f, s64 value)
{
	push(f, (struct cfi_value){.kind = CFI_VALUE_CONST, .off = value});
}

static void push_reg(struct folding *f, u64 reg, s64 off)
{
	if (reg > UINT32_MAX)
		f->bad = true;
	push(f, (struct cfi_value){.kind = CFI_VALUE_REG, .reg = (u32)reg, .off = off});
}

static struct cfi_value pop(struct folding *f)
{
	if (!f->depth) {
		f->bad = true;
		return (struct cfi_value){0};
	}
	return f->stack[--f->depth];
}

static s64 wrapping_add(s64 a, s64 b)
{
	return (s64)((u64)a + (u64)b);
}

static void push_sum(struct folding *f, struct cfi_value v, s64 n)
{
	bool loaded = v.kind == CFI_VALUE_MEM || v.kind == CFI_VALUE_MEM_CFA;
	s64 *part = loaded ? &v.add : &v.off;

	*part = wrapping_add(*part, n);
	push(f, v);
}

static void fold_plus(struct folding *f)
{
	struct cfi_value b = pop(f), a = pop(f);

	if (b.kind == CFI_VALUE_CONST)
		push_sum(f, a, b.off);
	else if (a.kind == CFI_VALUE_CONST)
		push_sum(f, b, a.off);
	else
		f->bad = true;
}

static void fold_minus(struct folding *f)
{
	struct cfi_value b = pop(f), a = pop(f);

	if (b.kind != CFI_VALUE_CONST)
		f->bad = true;
	push_sum(f, a, (s64)(0 - (u64)b.off));
}

static void fold_deref(struct folding *f)
{
	struct cfi_value v = pop(f);

	if (v.kind == CFI_VALUE_REG)
		v.kind = CFI_VALUE_MEM;
	else if (v.kind == CFI_VALUE_CFA)
		v.kind = CFI_VALUE_MEM_CFA;
	else
		f->bad = true;
	push(f, v);
}

static bool fold_constant(struct folding *f, u8 op, struct cursor *c)
{
	switch (op) {
	case DW_OP_lit0 ... DW_OP_lit31:
		push_const(f, op - DW_OP_lit0);
		return true;
	case DW_OP_const1u:
		push_const(f, cursor_u8(c));
		return true;
	case DW_OP_const1s:
		push_const(f, cursor_s8(c));
		return true;
	case DW_OP_const2u:
		push_const(f, cursor_u16(c));
		return true;
	case DW_OP_const2s:
		push_const(f, cursor_s16(c));
		return true;
	case DW_OP_const4u:
		push_const(f, cursor_u32(c));
		return true;
	case DW_OP_const4s:
		push_const(f, cursor_s32(c));
		return true;
	case DW_OP_const8u:
	case DW_OP_const8s:
		push_const(f, cursor_s64(c));
		return true;
	case DW_OP_constu:
		push_const(f, (s64)cursor_uleb(c));
		return true;
	case DW_OP_consts:
		push_const(f, cursor_sleb(c));
		return true;
	default:
		return false;
	}
}

static void fold_operation(struct folding *f, u8 op, struct cursor *c)
{
	u64 reg;

	if (fold_constant(f, op, c))
		return;
	switch (op) {
	case DW_OP_breg0 ... DW_OP_breg31:
		push_reg(f, op - DW_OP_breg0, cursor_sleb(c));
		break;
	case DW_OP_bregx:
		reg = cursor_uleb(c);
		push_reg(f, reg, cursor_sleb(c));
		break;
	case DW_OP_deref:
		fold_deref(f);
		break;
	case DW_OP_plus:
		fold_plus(f);
		break;
	case DW_OP_minus:
		fold_minus(f);
		break;
	case DW_OP_plus_uconst:
		push_sum(f, pop(f), (s64)cursor_uleb(c));
		break;
	case DW_OP_nop:
		break;
	default:
		f->bad = true;
	}
}

struct cfi_value cfi_expression(struct bytes expr, bool with_cfa)
{
	struct cfi_value plt = {.kind = CFI_VALUE_PLT};
	struct cursor c = cursor_over(expr);
	struct folding f = {.depth = 0};

	if (arch_plt_expression(expr, &plt.off))
		return plt;
	if (with_cfa)
		push(&f, (struct cfi_value){.kind = CFI_VALUE_CFA});
	for (int i = 0; cursor_left(&c) && !c.bad && !f.bad; i++) {
		if (i == OPERATIONS_MAX)
			return (struct cfi_value){0};
		fold_operation(&f, cursor_u8(&c), &c);
	}
	if (f.bad || c.bad || !f.depth)
		return (struct cfi_value){0};
	return f.stack[f.depth - 1];
}
