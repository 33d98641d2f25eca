/* SPDX-License-Identifier: Apache-2.0 */
/* Converts a row of call frame information to the rule that the kernel's walker follows. */
#include "unwind/cfi_program.h"

/* Registers with higher numbers are not general ones. */
#define REG_LAST (ARCH_USER_REGS - 1)

static bool fits_s16(s64 v)
{
	return v == (s16)v;
}

static bool fits_s32(s64 v)
{
	return v == (s32)v;
}

/* Matches memory at an offset from the register that the CFA is computed from. */
static bool cfa_relative(const struct cfi_state *s, const struct cfi_place *p, s64 *off)
{
	if (p->kind == CFI_PLACE_AT_CFA) {
		*off = p->off;
		return true;
	}
	if (p->kind == CFI_PLACE_AT_REG && s->cfa.kind == CFI_VALUE_REG && s->cfa.reg == p->reg)
		return !__builtin_sub_overflow(p->off, s->cfa.off, off);
	return false;
}

static bool rule_cfa(const struct cfi_value *cfa, struct unwind_rule *rule)
{
	if (!fits_s32(cfa->off))
		return false;
	rule->cfa_off = (s32)cfa->off;
	switch (cfa->kind) {
	case CFI_VALUE_PLT:
		rule->cfa = UNWIND_CFA_PLT;
		return true;
	case CFI_VALUE_REG:
		if (cfa->reg > REG_LAST)
			return false;
		rule->cfa = cfa->reg == ARCH_DWARF_SP   ? UNWIND_CFA_SP
			    : cfa->reg == ARCH_DWARF_FP ? UNWIND_CFA_FP
							: UNWIND_CFA_REG;
		if (rule->cfa == UNWIND_CFA_REG)
			rule->cfa_reg = (u8)cfa->reg;
		return true;
	case CFI_VALUE_MEM:
		if ((cfa->reg != ARCH_DWARF_SP && cfa->reg != ARCH_DWARF_FP) || !fits_s16(cfa->add))
			return false;
		rule->cfa = cfa->reg == ARCH_DWARF_SP ? UNWIND_CFA_SP_DEREF : UNWIND_CFA_FP_DEREF;
		rule->cfa_add = (s16)cfa->add;
		return true;
	default:
		return false;
	}
}

static bool rule_ra(const struct cfi_state *s, struct unwind_rule *rule)
{
	s64 off;

	if (cfa_relative(s, &s->ra, &off) && fits_s16(off)) {
		rule->ra = UNWIND_RA_CFA;
		rule->ra_off = (s16)off;
		return true;
	}
	if (s->ra.kind == CFI_PLACE_IN_REG && s->ra.reg <= REG_LAST) {
		rule->ra = UNWIND_RA_REG;
		rule->ra_off = (s16)s->ra.reg;
		return true;
	}
	return false;
}

/* A rule that cannot be followed becomes "undefined", so the walk continues as long as no frame
 * needs the frame pointer. */
static void rule_fp(const struct cfi_state *s, struct unwind_rule *rule)
{
	const struct cfi_place *p = &s->fp;
	s64 off;

	rule->fp = UNWIND_FP_UNDEFINED;
	if (p->kind == CFI_PLACE_SAME || (p->kind == CFI_PLACE_IN_REG && p->reg == ARCH_DWARF_FP)) {
		rule->fp = UNWIND_FP_SAME;
	} else if (p->kind == CFI_PLACE_AT_REG && p->reg == ARCH_DWARF_FP && fits_s16(p->off)) {
		rule->fp = UNWIND_FP_FP;
		rule->fp_off = (s16)p->off;
	} else if (cfa_relative(s, p, &off) && fits_s16(off)) {
		rule->fp = UNWIND_FP_CFA;
		rule->fp_off = (s16)off;
	}
}

static void rule_callee(const struct cfi_state *s, struct unwind_rule *rule)
{
	s64 off;

	if (s->callee.kind == CFI_PLACE_SAME)
		rule->callee_off = UNWIND_CALLEE_SAME;
	else if (cfa_relative(s, &s->callee, &off) && fits_s16(off) && off != UNWIND_CALLEE_SAME)
		rule->callee_off = (s16)off;
	else
		rule->callee_off = UNWIND_CALLEE_LOST;
}

/*
 * The augmentation "S" alone does not make a frame of the kernel's. Runtimes also use it to mark
 * frames where the stack changes (OCaml 5), because debuggers accept any direction there. The
 * kernel's frame has the interrupted stack pointer in memory; a form that cannot be read is taken
 * for one.
 */
static bool is_kernels_frame(const struct cfi_value *cfa)
{
	switch (cfa->kind) {
	case CFI_VALUE_REG:
		return false;
	case CFI_VALUE_MEM:
		return cfa->reg == ARCH_DWARF_SP && cfa->off == ARCH_SIGNAL_SP_OFF && !cfa->add;
	default:
		return true;
	}
}

struct unwind_rule cfi_state_rule(const struct cfi_state *s, bool signal_frame)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_NONE};

	if (signal_frame && is_kernels_frame(&s->cfa))
		return (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL};
	if (s->ra.kind == CFI_PLACE_UNDEFINED)
		return (struct unwind_rule){.cfa = UNWIND_CFA_STOP};
	if (!rule_cfa(&s->cfa, &rule) || !rule_ra(s, &rule))
		return (struct unwind_rule){.cfa = UNWIND_CFA_NONE};
	rule_fp(s, &rule);
	rule_callee(s, &rule);
	return rule;
}
