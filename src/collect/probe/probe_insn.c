/* SPDX-License-Identifier: Apache-2.0 */
/* Describes one instruction and the cost of a probe on it: see probe_insn.h. */
#include "collect/probe/probe_insn.h"

#include <stdio.h>

bool probe_insn_decode(struct bytes code, u64 at, struct probe_insn *out)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return at < code.len &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data + at, code.len - at,
						   &out->insn, out->operands));
}

bool probe_insn_target(const struct probe_insn *d, u64 at, u64 *target)
{
	for (u8 i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operands[i];

		if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative) {
			*target = at + d->insn.length + (u64)op->imm.value.s;
			return true;
		}
	}
	return false;
}

/* ---- how the kernel handles an instruction */

static bool has_legacy_prefix(const ZydisDecodedInstruction *insn, u8 prefix)
{
	for (u8 i = 0; i < insn->raw.prefix_count; i++) {
		if (insn->raw.prefixes[i].value == prefix)
			return true;
	}
	return false;
}

static bool is_near_branch(const ZydisDecodedInstruction *insn)
{
	u8 op = insn->opcode;

	if (insn->opcode_map == ZYDIS_OPCODE_MAP_0F)
		return op >= 0x80 && op <= 0x8f;
	return insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	       (op == 0xe8 || op == 0xe9 || op == 0xeb || (op >= 0x70 && op <= 0x7f));
}

static bool is_emulated_push(const ZydisDecodedInstruction *insn)
{
	return insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (insn->opcode & 0xf8) == 0x50 &&
	       (insn->length == 1 ||
		(insn->length == 2 && insn->attributes & ZYDIS_ATTRIB_HAS_REX && insn->raw.rex.B &&
		 !insn->raw.rex.W && !insn->raw.rex.R && !insn->raw.rex.X));
}

static bool is_opcode_90(const ZydisDecodedInstruction *insn)
{
	return insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == 0x90;
}

static bool is_long_nop(const ZydisDecodedInstruction *insn)
{
	return insn->opcode_map == ZYDIS_OPCODE_MAP_0F && insn->opcode == 0x1f &&
	       insn->raw.modrm.reg == 0;
}

bool probe_insn_leaves(const struct probe_insn *d)
{
	const ZydisDecodedInstruction *insn = &d->insn;

	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
		return true;
	default:
		break;
	}
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_CLI:
	case ZYDIS_MNEMONIC_STI:
		return true;
	default:
		return insn->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED;
	}
}

/* Transactions abort at a trap, and after a load of ss, traps come one instruction late. */
static bool cannot_be_stepped(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_XBEGIN ||
	       (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == 0x8e &&
		insn->raw.modrm.reg == 2);
}

/*
 * The kernel accepts no breakpoint on prefixes of segments and lock, on 16-bit branches, and on
 * opcodes that trap, access ports or need privileges. Others it accepts but must not be given: `41
 * 90` is xchg and was emulated as a nop before 6.18, a repeated string instruction hits its
 * breakpoint once an iteration, and vector encodings are accepted by chance (the table of one-byte
 * opcodes decides).
 */
static bool is_refused(const struct probe_insn *d)
{
	const ZydisDecodedInstruction *insn = &d->insn;
	static const u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0xf0};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (has_legacy_prefix(insn, prefixes[i]))
			return true;
	}
	if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return true;
	if (is_near_branch(insn) && has_legacy_prefix(insn, 0x66))
		return true;
	if (is_opcode_90(insn) && insn->raw.rex.B)
		return true;
	if (insn->attributes &
	    (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
		return true;
	return probe_insn_leaves(d) || cannot_be_stepped(insn);
}

bool probe_insn_cost(const struct probe_insn *d, u64 vaddr, bool first, u32 kernel,
		     enum probe_cost *cost)
{
	const ZydisDecodedInstruction *insn = &d->insn;
	u64 page_left = 4096 - (vaddr & 4095);

	if (is_refused(d))
		return false;
	/* If it is stepped out of line, it leaves a wrong address on the shadow stack. */
	if (insn->meta.category == ZYDIS_CATEGORY_CALL &&
	    !(is_near_branch(insn) && (kernel & PROBE_KERNEL_CALLS)))
		return false;
	*cost = PROBE_COST_STEPPED;
	if (is_emulated_push(insn) || is_opcode_90(insn) || is_near_branch(insn))
		*cost = PROBE_COST_EMULATED;
	if (is_long_nop(insn) && (kernel & PROBE_KERNEL_NOPS))
		*cost = PROBE_COST_EMULATED;
	/*
	 * Its call writes below rsp, where earlier code may have stored something (the red zone),
	 * and the kernel does not check.
	 */
	if (is_long_nop(insn) && insn->length == 5 && page_left >= 5 &&
	    (kernel & PROBE_KERNEL_NOP5)) {
		*cost = PROBE_COST_NOP5;
		return first;
	}
	return true;
}

/* ---- the effects of an instruction on registers */

static bool writes(const ZydisDecodedOperand *op, ZydisRegister reg)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
	       ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->reg.value) == reg;
}

bool probe_insn_writes(const struct probe_insn *d, ZydisRegister reg)
{
	for (u8 i = 0; i < d->insn.operand_count; i++) {
		if (writes(&d->operands[i], reg))
			return true;
	}
	return false;
}

u16 probe_insn_register(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    ZydisRegisterGetClass(op->reg.value) != ZYDIS_REGCLASS_GPR64)
		return 0;
	return (u16)(1u << ZydisRegisterGetId(op->reg.value));
}

u16 probe_insn_written(const struct probe_insn *d)
{
	u16 set = 0;

	for (u16 i = 0; i < 16; i++) {
		if (probe_insn_writes(d, ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64, (u8)i)))
			set |= (u16)(1u << i);
	}
	return set;
}

u8 probe_register_dwarf(u8 hardware)
{
	static const u8 dwarf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};

	return dwarf[hardware & 15];
}

/* ---- the stack pointer */

static bool is_rsp(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == ZYDIS_REGISTER_RSP;
}

bool probe_insn_stack(const struct probe_insn *d, s64 *change)
{
	const ZydisDecodedOperand *op = d->operands;

	*change = 0;
	if (!probe_insn_writes(d, ZYDIS_REGISTER_RSP))
		return true;
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		*change = d->insn.operand_width / 8;
		return true;
	case ZYDIS_MNEMONIC_POP:
		*change = -(s64)(d->insn.operand_width / 8);
		return !is_rsp(&op[0]);
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADD:
		if (!is_rsp(&op[0]) || op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return false;
		*change = d->insn.mnemonic == ZYDIS_MNEMONIC_SUB ? op[1].imm.value.s
								 : -op[1].imm.value.s;
		return true;
	case ZYDIS_MNEMONIC_LEA:
		if (!is_rsp(&op[0]) || op[1].mem.base != ZYDIS_REGISTER_RSP ||
		    op[1].mem.index != ZYDIS_REGISTER_NONE)
			return false;
		*change = -op[1].mem.disp.value;
		return true;
	default:
		return false;
	}
}

void probe_insn_text(const struct probe_insn *d, u64 vaddr, char *out, size_t size)
{
	ZydisFormatter formatter;

	if (ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	    ZYAN_FAILED(ZydisFormatterSetProperty(&formatter,
						  ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
						  ZYDIS_PADDING_DISABLED)) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &d->insn, d->operands,
							d->insn.operand_count_visible, out, size,
							vaddr, NULL)))
		snprintf(out, size, "?");
}
