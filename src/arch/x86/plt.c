/* SPDX-License-Identifier: Apache-2.0 */
/* Knows the procedure linkage tables of x86-64: see plt.h. */
#include "arch/plt.h"

#include <dwarf.h>
#include <elf.h>

#define ENTRY_BYTES 16
#define JUMP_BYTES 6 /* ff 25 rel32: jmp *slot(%rip) */

#define EXPRESSION_LENGTH 11
#define LIMIT_AT 6 /* the index of the literal that the low bits of rip are compared with */

#define JUMP                                                     \
	{                                                        \
		.cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8 \
	}
/* A lazy entry is "jmp *slot; push index; jmp plt0" (psABI figure 5.2), so its push ends at byte
 * 11. */
#define LAZY                                                       \
	{                                                          \
		.cfa = UNWIND_CFA_PLT, .cfa_off = 11, .ra_off = -8 \
	}

const struct arch_plt arch_plts[] = {
	{".plt", ENTRY_BYTES, LAZY},
	{".plt.sec", ENTRY_BYTES, JUMP},
	{".plt.got", 8, JUMP},
	{".iplt", 0, JUMP},
	{NULL, 0, {0}},
};

/* The first entry pushes the link map below what its caller pushed. It runs once for each
 * symbol. */
size_t arch_plt_resolver_bytes(struct bytes section)
{
	static const u8 push_slot[] = {0xff, 0x35};

	return section.len >= ENTRY_BYTES && !memcmp(section.data, push_slot, sizeof(push_slot))
		       ? ENTRY_BYTES
		       : 0;
}

/* A jump may follow endbr64 or a bnd prefix, so it may begin at any byte of a stub. */
bool arch_plt_slot(struct bytes code, size_t stub_bytes, u64 vaddr, u64 *slot)
{
	static const u8 jump[] = {0xff, 0x25};

	for (size_t at = 0; at < stub_bytes && at + JUMP_BYTES <= code.len; at++) {
		s32 distance;

		if (memcmp(code.data + at, jump, sizeof(jump)) != 0)
			continue;
		memcpy(&distance, code.data + at + sizeof(jump), sizeof(distance));
		*slot = vaddr + at + JUMP_BYTES + (u64)(s64)distance;
		return true;
	}
	return false;
}

/* It is rsp + 8 + ((rip & 15) >= limit ? 8 : 0), where the push is at offset 11 or 10 (binutils'
 * bfd/elfxx-x86.c). */
bool arch_plt_expression(struct bytes expr, s64 *cfa_off)
{
	static const u8 shape[EXPRESSION_LENGTH] = {
		DW_OP_breg7, 8,        DW_OP_breg16, 0,         DW_OP_lit15, DW_OP_and,
		DW_OP_lit0,  DW_OP_ge, DW_OP_lit3,   DW_OP_shl, DW_OP_plus,
	};
	const size_t at = LIMIT_AT;

	if (expr.len != EXPRESSION_LENGTH || memcmp(expr.data, shape, at) != 0 ||
	    memcmp(expr.data + at + 1, shape + at + 1, EXPRESSION_LENGTH - at - 1) != 0)
		return false;
	if (expr.data[at] < DW_OP_lit0 || expr.data[at] > DW_OP_lit15)
		return false;
	*cfa_off = expr.data[at] - DW_OP_lit0;
	return true;
}

enum arch_slot arch_slot_kind(u32 relocation_type)
{
	switch (relocation_type) {
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_GLOB_DAT:
		return ARCH_SLOT_SYMBOL;
	case R_X86_64_IRELATIVE:
		return ARCH_SLOT_RESOLVED;
	default:
		return ARCH_SLOT_NONE;
	}
}
