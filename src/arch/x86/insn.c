/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes instructions of x86-64: see insn.h. */
#include "arch/insn.h"

#include <stdio.h>

#include "arch/x86/zydis_insn.h"

#define TABLE_SUM_BYTES 3 /* add %rdx,%rax; jmp *%rax */

/* ---- registers ---- */

static u8 dwarf_number(ZydisRegister general)
{
	static const u8 dwarf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};

	return dwarf[ZydisRegisterGetId(general) & 15];
}

/* Returns NONE if it is not a whole 64-bit register. */
static s8 whole_register(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    ZydisRegisterGetClass(op->reg.value) != ZYDIS_REGCLASS_GPR64)
		return ARCH_REG_NONE;
	return (s8)dwarf_number(op->reg.value);
}

static bool is_register(const ZydisDecodedOperand *op, ZydisRegister reg)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == reg;
}

/* Returns the general registers that the operand writes, in whole or in part. */
static u32 written_by(const ZydisDecodedOperand *op)
{
	ZydisRegister reg;

	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		return 0;
	reg = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->reg.value);
	return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR64 ? 1u << dwarf_number(reg) : 0;
}

static bool is_same_register(const struct zydis_insn *d)
{
	return d->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->operands[0].reg.value == d->operands[1].reg.value;
}

/* This is xor %eax,%eax or mov $0,%eax. */
static bool clears(const struct zydis_insn *d)
{
	ZydisRegisterClass class;

	if (d->operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	class = ZydisRegisterGetClass(d->operands[0].reg.value);
	if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32)
		return false;
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_SUB:
		return is_same_register(d);
	case ZYDIS_MNEMONIC_MOV:
		return d->operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		       !d->operands[1].imm.value.u;
	default:
		return false;
	}
}

static void describe_registers(const struct zydis_insn *d, struct arch_insn *out)
{
	for (u8 i = 0; i < d->insn.operand_count; i++)
		out->written |= written_by(&d->operands[i]);
	out->moved_from = out->moved_to = ARCH_REG_NONE;
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
		out->moved_to = whole_register(&d->operands[0]);
		out->moved_from = whole_register(&d->operands[1]);
	}
	if (out->moved_to == ARCH_REG_NONE || out->moved_from == ARCH_REG_NONE)
		out->moved_from = out->moved_to = ARCH_REG_NONE;
	out->cleared = clears(d) ? (s8)__builtin_ctz(out->written) : ARCH_REG_NONE;
	out->sum_reg = ARCH_REG_NONE;
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_ADD)
		out->sum_reg = whole_register(&d->operands[0]);
}

/* ---- the stack pointer ---- */

static bool known_stack(const struct zydis_insn *d, s64 *change)
{
	const ZydisDecodedOperand *op = d->operands;

	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		*change = d->insn.operand_width / 8;
		return true;
	case ZYDIS_MNEMONIC_POP:
		*change = -(s64)(d->insn.operand_width / 8);
		return !is_register(&op[0], ZYDIS_REGISTER_RSP);
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADD:
		if (!is_register(&op[0], ZYDIS_REGISTER_RSP) ||
		    op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return false;
		*change = d->insn.mnemonic == ZYDIS_MNEMONIC_SUB ? op[1].imm.value.s
								 : -op[1].imm.value.s;
		return true;
	case ZYDIS_MNEMONIC_LEA:
		if (!is_register(&op[0], ZYDIS_REGISTER_RSP) ||
		    op[1].mem.base != ZYDIS_REGISTER_RSP || op[1].mem.index != ZYDIS_REGISTER_NONE)
			return false;
		*change = -op[1].mem.disp.value;
		return true;
	default:
		return false;
	}
}

/* Aligning it, and going back to the frame pointer, stay on the same stack. */
static bool switches_stack(const struct zydis_insn *d)
{
	const ZydisDecodedOperand *op = d->operands;

	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_LEAVE:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_RET:
		return false;
	case ZYDIS_MNEMONIC_LEA:
		return op[1].mem.base != ZYDIS_REGISTER_RBP && op[1].mem.base != ZYDIS_REGISTER_RSP;
	case ZYDIS_MNEMONIC_MOV:
		return !is_register(&op[1], ZYDIS_REGISTER_RBP);
	default:
		return true;
	}
}

static void describe_stack(const struct zydis_insn *d, struct arch_insn *out)
{
	if (!(out->written & 1u << dwarf_number(ZYDIS_REGISTER_RSP))) {
		out->stack_known = true;
		return;
	}
	out->stack_known = known_stack(d, &out->stack_change);
	out->switches_stack = !out->stack_known && switches_stack(d);
}

/* ---- where it leads ---- */

static bool find_target(const struct zydis_insn *d, u64 vaddr, u64 *target)
{
	for (u8 i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operands[i];

		if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative) {
			*target = vaddr + d->insn.length + (u64)op->imm.value.s;
			return true;
		}
	}
	return false;
}

static enum insn_flow flow_of(const struct zydis_insn *d, bool has_target)
{
	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_RET:
		return d->insn.mnemonic == ZYDIS_MNEMONIC_RET && !d->insn.operand_count_visible
			       ? INSN_RETURN
			       : INSN_OTHER_RETURN;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return INSN_JUMP;
	case ZYDIS_CATEGORY_CALL:
		return INSN_CALL;
	default:
		break;
	}
	if (has_target)
		return INSN_BRANCH;
	return zydis_insn_stops(&d->insn) ? INSN_STOPS : INSN_GOES_ON;
}

static bool ends_line(const struct zydis_insn *d, const struct arch_insn *out)
{
	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_SYSTEM:
		return true;
	default:
		return out->has_target || out->enters_kernel;
	}
}

/* The condition code of jcc is the low half of its opcode; jrcxz and loop have none. */
static u8 condition_of(const ZydisDecodedInstruction *insn)
{
	bool jcc = (insn->opcode_map == ZYDIS_OPCODE_MAP_0F && (insn->opcode & 0xf0) == 0x80) ||
		   (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (insn->opcode & 0xf0) == 0x70);

	return jcc ? insn->opcode & 15 : ARCH_CONDITION_NONE;
}

/* jmp *slot(%rip), call *slot(%rip) */
static bool find_slot(const struct zydis_insn *d, u64 vaddr, u64 *slot)
{
	const ZydisDecodedOperand *op = &d->operands[0];

	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.base != ZYDIS_REGISTER_RIP ||
	    op->mem.index != ZYDIS_REGISTER_NONE)
		return false;
	*slot = vaddr + d->insn.length + (u64)op->mem.disp.value;
	return true;
}

/* Recognizes the tables of a switch: jmp *table(,%rax,8), notrack jmp *%rax, or add %rdx,%rax; jmp
 * *%rax. */
static void describe_jump(const struct zydis_insn *d, struct arch_insn *out)
{
	const ZydisDecodedOperand *op = &d->operands[0];

	out->is_table_jump = d->insn.attributes & ZYDIS_ATTRIB_HAS_NOTRACK ||
			     (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
			      op->mem.index != ZYDIS_REGISTER_NONE && op->mem.scale == 8);
	out->jump_reg = whole_register(op);
	out->sum_bytes = TABLE_SUM_BYTES;
}

static void describe_flow(const struct zydis_insn *d, struct arch_insn *out)
{
	out->has_target = find_target(d, out->vaddr, &out->target);
	out->flow = flow_of(d, out->has_target);
	out->enters_kernel = zydis_insn_enters_kernel(&d->insn);
	out->ends_line = ends_line(d, out);
	out->is_landing_pad = d->insn.mnemonic == ZYDIS_MNEMONIC_ENDBR64;
	out->condition = condition_of(&d->insn);
	out->jump_reg = ARCH_REG_NONE;
	if (out->flow == INSN_JUMP || out->flow == INSN_CALL)
		out->has_slot = find_slot(d, out->vaddr, &out->slot);
	if (out->flow == INSN_JUMP)
		describe_jump(d, out);
}

/* ---- */

bool zydis_insn_stops(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
		return true;
	default:
		return false;
	}
}

bool zydis_insn_decode(struct bytes code, struct zydis_insn *out)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return code.len && ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data, code.len,
							       &out->insn, out->operands));
}

bool arch_insn_decode(struct bytes code, u64 vaddr, struct arch_insn *out)
{
	struct zydis_insn d;

	if (!zydis_insn_decode(code, &d))
		return false;
	*out = (struct arch_insn){.vaddr = vaddr, .length = d.insn.length};
	describe_flow(&d, out);
	describe_registers(&d, out);
	describe_stack(&d, out);
	out->probe = zydis_insn_probe(&d.insn);
	return true;
}

void arch_insn_text(struct bytes code, u64 vaddr, char *out, size_t size)
{
	ZydisFormatter formatter;
	struct zydis_insn d;

	*out = 0;
	if (zydis_insn_decode(code, &d) &&
	    (ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	     ZYAN_FAILED(ZydisFormatterSetProperty(&formatter,
						   ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
						   ZYDIS_PADDING_DISABLED)) ||
	     ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &d.insn, d.operands,
							 d.insn.operand_count_visible, out, size,
							 vaddr, NULL))))
		snprintf(out, size, "?");
}
