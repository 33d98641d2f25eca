/* SPDX-License-Identifier: Apache-2.0 */
/* Describes instructions of x86-64, as Zydis decodes them: see ../stack_effect.h. */
#include "arch/stack_effect.h"

#include "arch/x86/zydis_insn.h"

#define WORD 8

/* By DWARF number: rax, rdx, rcx, rsi, rdi, r8 to r11. */
const u32 stack_effect_kept = 1u << 3 | 1u << 6 | 15u << 12; /* rbx, rbp, r12 to r15 */

static const u32 call_clobbers = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 5 | 15u << 8;

struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	u64 vaddr;
	struct stack_effect *out;
};

static u8 dwarf_number(ZydisRegister reg)
{
	static const u8 dwarf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
	ZydisRegisterClass class = ZydisRegisterGetClass(reg);
	ZydisRegister whole;

	if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32 &&
	    class != ZYDIS_REGCLASS_GPR16 && class != ZYDIS_REGCLASS_GPR8)
		return EFFECT_NO_REG;
	whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
	return dwarf[ZydisRegisterGetId(whole) & 15];
}

/* Returns the register of an operand that is a whole 64-bit one. */
static u8 whole_register(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    ZydisRegisterGetClass(op->reg.value) != ZYDIS_REGCLASS_GPR64)
		return EFFECT_NO_REG;
	return dwarf_number(op->reg.value);
}

static void add(struct decoded *d, struct effect e)
{
	if (d->out->n < EFFECTS_MAX)
		d->out->list[d->out->n++] = e;
	if (e.kind != EFFECT_STORE && e.reg < ARCH_USER_REGS)
		d->out->clobbers &= ~(1u << e.reg);
}

static void move(struct decoded *d, u8 to, u8 from, s64 by)
{
	add(d, (struct effect){.kind = EFFECT_MOVE, .reg = to, .from = from, .add = by});
}

static bool is_memory(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
	       op->mem.segment != ZYDIS_REGISTER_FS && op->mem.segment != ZYDIS_REGISTER_GS;
}

/* Matches memory at a constant distance from a register. */
static bool is_slot(const ZydisDecodedOperand *op, u8 *base)
{
	if (!is_memory(op) || op->mem.index != ZYDIS_REGISTER_NONE)
		return false;
	*base = dwarf_number(op->mem.base);
	return *base != EFFECT_NO_REG;
}

/* ---- what every instruction may do ---- */

static void note_use(struct decoded *d, ZydisRegister reg)
{
	u8 number = dwarf_number(reg);

	if (number != EFFECT_NO_REG)
		d->out->uses |= 1u << number;
}

static void note_uses(struct decoded *d)
{
	for (u8 i = 0; i < d->insn.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &d->op[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			note_use(d, op->mem.base);
			note_use(d, op->mem.index);
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			   (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)) {
			note_use(d, op->reg.value);
		}
	}
}

static void note_writes(struct decoded *d)
{
	for (u8 i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->op[i];
		u8 reg;

		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
		    op->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		reg = dwarf_number(op->reg.value);
		if (reg != EFFECT_NO_REG)
			d->out->clobbers |= 1u << reg;
	}
}

static void note_stores(struct decoded *d)
{
	for (u8 i = 0; i < d->insn.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &d->op[i];
		u8 base;

		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) || !is_slot(op, &base))
			continue;
		add(d, (struct effect){.kind = EFFECT_STORE,
				       .reg = EFFECT_NO_REG,
				       .from = base,
				       .size = (u8)(op->size / 8 > 128 ? 128 : op->size / 8),
				       .add = op->mem.disp.value});
	}
}

/* ---- single instructions ---- */

static void push(struct decoded *d, u8 reg)
{
	u8 size = d->insn.operand_width == 16 ? 2 : WORD;

	d->out->uses = 0;
	move(d, ARCH_DWARF_SP, ARCH_DWARF_SP, -(s64)size);
	add(d, (struct effect){.kind = EFFECT_STORE,
			       .reg = size == WORD && reg != ARCH_DWARF_SP ? reg : EFFECT_NO_REG,
			       .from = ARCH_DWARF_SP,
			       .size = size});
}

static void pop(struct decoded *d, u8 reg)
{
	u8 size = d->insn.operand_width == 16 ? 2 : WORD;

	if (size == WORD && reg != EFFECT_NO_REG)
		add(d, (struct effect){.kind = EFFECT_LOAD, .reg = reg, .from = ARCH_DWARF_SP});
	if (reg != ARCH_DWARF_SP)
		move(d, ARCH_DWARF_SP, ARCH_DWARF_SP, size);
}

static void describe_mov(struct decoded *d)
{
	u8 to = whole_register(&d->op[0]), from = whole_register(&d->op[1]), base;

	if (to != EFFECT_NO_REG && from != EFFECT_NO_REG) {
		move(d, to, from, 0);
	} else if (to != EFFECT_NO_REG && d->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		add(d,
		    (struct effect){.kind = EFFECT_CONST, .reg = to, .add = d->op[1].imm.value.s});
	} else if (to != EFFECT_NO_REG && is_slot(&d->op[1], &base)) {
		add(d, (struct effect){.kind = EFFECT_LOAD,
				       .reg = to,
				       .from = base,
				       .add = d->op[1].mem.disp.value});
	} else if (from != EFFECT_NO_REG && is_slot(&d->op[0], &base)) {
		d->out->list[0].reg = from; /* note_stores() has described the rest */
		d->out->uses &= ~(1u << from);
	}
}

static void describe_lea(struct decoded *d)
{
	u8 to = whole_register(&d->op[0]), base;
	const ZydisDecodedOperandMem *mem = &d->op[1].mem;

	if (to == EFFECT_NO_REG || mem->index != ZYDIS_REGISTER_NONE)
		return;
	base = dwarf_number(mem->base);
	if (mem->base == ZYDIS_REGISTER_RIP)
		add(d, (struct effect){.kind = EFFECT_ADDRESS,
				       .reg = to,
				       .add = (s64)(d->vaddr + d->insn.length) + mem->disp.value});
	else if (base != EFFECT_NO_REG && ZydisRegisterGetClass(mem->base) == ZYDIS_REGCLASS_GPR64)
		move(d, to, base, mem->disp.value);
}

static void describe_sum(struct decoded *d, bool minus)
{
	u8 to = whole_register(&d->op[0]), from = whole_register(&d->op[1]);

	if (to == EFFECT_NO_REG)
		return;
	if (d->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		move(d, to, to, minus ? -d->op[1].imm.value.s : d->op[1].imm.value.s);
	else if (from != EFFECT_NO_REG && !minus)
		add(d, (struct effect){.kind = EFFECT_SUM, .reg = to, .from = from});
}

static void describe_zero(struct decoded *d)
{
	u8 reg;

	if (d->op[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    d->op[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    d->op[0].reg.value != d->op[1].reg.value || d->op[0].size < 32)
		return;
	reg = dwarf_number(d->op[0].reg.value);
	if (reg == EFFECT_NO_REG)
		return;
	add(d, (struct effect){.kind = EFFECT_CONST, .reg = reg});
	d->out->uses = 0;
}

static void describe_and(struct decoded *d)
{
	u8 to = whole_register(&d->op[0]);
	s64 mask = d->op[1].imm.value.s;

	if (d->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return;
	if (to != EFFECT_NO_REG && mask < 0)
		add(d, (struct effect){.kind = EFFECT_ALIGN, .reg = to});
	else if (d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER && mask >= 0)
		add(d, (struct effect){.kind = EFFECT_BOUND, .reg = EFFECT_NO_REG, .add = mask});
}

/* Short code sets all bits with or, whatever they were. */
static void describe_or(struct decoded *d)
{
	if (d->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && d->op[1].imm.value.s == -1 &&
	    d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
		d->out->uses = 0;
}

static void describe_compare(struct decoded *d)
{
	if (d->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		add(d, (struct effect){.kind = EFFECT_COMPARE,
				       .reg = EFFECT_NO_REG,
				       .add = d->op[1].imm.value.s});
}

/* Describes the load of an entry of a table: by base and index, or by a fixed address and index. */
static void load_entry(struct decoded *d, const ZydisDecodedOperand *op, u8 to, u8 size)
{
	u8 base = dwarf_number(op->mem.base);

	if (!is_memory(op) || op->mem.index == ZYDIS_REGISTER_NONE || op->mem.scale != size)
		return;
	if (op->mem.base == ZYDIS_REGISTER_NONE)
		base = EFFECT_NO_REG;
	else if (base == EFFECT_NO_REG || (size == WORD && op->mem.disp.value))
		return;
	add(d, (struct effect){.kind = EFFECT_TABLE,
			       .reg = to,
			       .from = base,
			       .size = size,
			       .add = op->mem.disp.value});
}

static void describe_jump(struct decoded *d)
{
	u8 reg = whole_register(&d->op[0]);

	if (d->out->has_target) {
		d->out->flow = FLOW_JUMP;
		return;
	}
	d->out->flow = FLOW_INDIRECT;
	if (reg != EFFECT_NO_REG)
		move(d, EFFECT_JUMP_REG, reg, 0);
	else
		load_entry(d, &d->op[0], EFFECT_JUMP_REG, WORD);
	d->out->by_slot = is_memory(&d->op[0]) && d->op[0].mem.base == ZYDIS_REGISTER_RIP;
}

static void describe_leave(struct decoded *d)
{
	move(d, ARCH_DWARF_SP, ARCH_DWARF_FP, 0);
	pop(d, ARCH_DWARF_FP);
}

static void describe_enter(struct decoded *d)
{
	if (d->op[1].imm.value.u) /* It copies the frame pointers of outer functions as well. */
		return;
	push(d, ARCH_DWARF_FP);
	move(d, ARCH_DWARF_FP, ARCH_DWARF_SP, 0);
	move(d, ARCH_DWARF_SP, ARCH_DWARF_SP, -(s64)d->op[0].imm.value.u);
}

static void describe(struct decoded *d)
{
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		push(d, whole_register(&d->op[0]));
		break;
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFQ:
		push(d, EFFECT_NO_REG);
		break;
	case ZYDIS_MNEMONIC_POP:
		pop(d, whole_register(&d->op[0]));
		break;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFQ:
		pop(d, EFFECT_NO_REG);
		break;
	case ZYDIS_MNEMONIC_MOV:
		describe_mov(d);
		break;
	case ZYDIS_MNEMONIC_LEA:
		describe_lea(d);
		break;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
		describe_sum(d, d->insn.mnemonic == ZYDIS_MNEMONIC_SUB);
		if (!d->out->n && d->insn.mnemonic == ZYDIS_MNEMONIC_SUB)
			describe_zero(d);
		break;
	case ZYDIS_MNEMONIC_XOR:
		describe_zero(d);
		break;
	case ZYDIS_MNEMONIC_AND:
		describe_and(d);
		break;
	case ZYDIS_MNEMONIC_OR:
		describe_or(d);
		break;
	case ZYDIS_MNEMONIC_CMP:
		describe_compare(d);
		break;
	case ZYDIS_MNEMONIC_MOVSXD:
		if (whole_register(&d->op[0]) != EFFECT_NO_REG && d->op[1].size == 32)
			load_entry(d, &d->op[1], whole_register(&d->op[0]), 4);
		break;
	case ZYDIS_MNEMONIC_ENTER:
		describe_enter(d);
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		describe_leave(d);
		break;
	default:
		break;
	}
}

/* ---- where control continues ---- */

static void find_target(struct decoded *d)
{
	for (u8 i = 0; i < d->insn.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &d->op[i];

		if (op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !op->imm.is_relative)
			continue;
		d->out->has_target = true;
		d->out->target = d->vaddr + d->insn.length + (u64)op->imm.value.s;
	}
}

static void describe_flow(struct decoded *d)
{
	struct stack_effect *e = d->out;

	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_RET:
		e->flow = FLOW_RETURN;
		e->clobbers = e->n = 0;
		return;
	case ZYDIS_CATEGORY_UNCOND_BR:
		describe_jump(d);
		return;
	case ZYDIS_CATEGORY_CALL:
		e->flow = FLOW_CALL;
		e->clobbers = call_clobbers;
		e->n = 0;
		return;
	default:
		break;
	}
	if (zydis_insn_stops(&d->insn)) {
		e->flow = FLOW_STOP;
		return;
	}
	if (!e->has_target)
		return;
	e->flow = FLOW_BRANCH;
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_JNBE)
		e->above = 1;
	else if (d->insn.mnemonic == ZYDIS_MNEMONIC_JNB)
		e->above = 2;
}

/* Matches lea 0(%rsi),%rsi and xchg %ax,%ax. */
static bool changes_nothing(const struct decoded *d)
{
	const struct effect *e = &d->out->list[0];

	if (d->insn.mnemonic == ZYDIS_MNEMONIC_LEA)
		return d->out->n == 1 && e->kind == EFFECT_MOVE && e->reg == e->from && !e->add;
	return d->insn.mnemonic == ZYDIS_MNEMONIC_XCHG && d->op[0].size != 32 &&
	       d->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->op[0].reg.value == d->op[1].reg.value;
}

static bool is_padding(const struct decoded *d)
{
	return d->insn.mnemonic == ZYDIS_MNEMONIC_NOP || d->insn.mnemonic == ZYDIS_MNEMONIC_INT3 ||
	       changes_nothing(d);
}

/* A call of the next instruction only pushes its address. */
static void describe_push_pc(struct decoded *d)
{
	if (d->out->flow != FLOW_CALL || !d->out->has_target ||
	    d->out->target != d->vaddr + d->insn.length)
		return;
	d->out->flow = FLOW_NEXT;
	d->out->clobbers = 0;
	push(d, EFFECT_NO_REG);
}

/* ---- vector instructions ---- */

static bool is_vector_extension(ZydisISAExt extension)
{
	switch (extension) {
	case ZYDIS_ISA_EXT_AVX:
	case ZYDIS_ISA_EXT_AVX2:
	case ZYDIS_ISA_EXT_AVX512EVEX:
	case ZYDIS_ISA_EXT_FMA:
	case ZYDIS_ISA_EXT_FMA4:
	case ZYDIS_ISA_EXT_MMX:
	case ZYDIS_ISA_EXT_SSE:
	case ZYDIS_ISA_EXT_SSE2:
	case ZYDIS_ISA_EXT_SSE3:
	case ZYDIS_ISA_EXT_SSSE3:
	case ZYDIS_ISA_EXT_SSE4:
		return true;
	default:
		return false;
	}
}

/* Matches those of them that may write a general register. */
static bool writes_general_register(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_CRC32:
	case ZYDIS_MNEMONIC_CVTSD2SI:
	case ZYDIS_MNEMONIC_CVTSS2SI:
	case ZYDIS_MNEMONIC_CVTTSD2SI:
	case ZYDIS_MNEMONIC_CVTTSS2SI:
	case ZYDIS_MNEMONIC_EXTRACTPS:
	case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVMSKPD:
	case ZYDIS_MNEMONIC_MOVMSKPS:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PEXTRB:
	case ZYDIS_MNEMONIC_PEXTRD:
	case ZYDIS_MNEMONIC_PEXTRQ:
	case ZYDIS_MNEMONIC_PEXTRW:
	case ZYDIS_MNEMONIC_PMOVMSKB:
	case ZYDIS_MNEMONIC_POPCNT:
	case ZYDIS_MNEMONIC_VCVTSD2SI:
	case ZYDIS_MNEMONIC_VCVTSD2USI:
	case ZYDIS_MNEMONIC_VCVTSH2SI:
	case ZYDIS_MNEMONIC_VCVTSH2USI:
	case ZYDIS_MNEMONIC_VCVTSS2SI:
	case ZYDIS_MNEMONIC_VCVTSS2USI:
	case ZYDIS_MNEMONIC_VCVTTSD2SI:
	case ZYDIS_MNEMONIC_VCVTTSD2USI:
	case ZYDIS_MNEMONIC_VCVTTSH2SI:
	case ZYDIS_MNEMONIC_VCVTTSH2USI:
	case ZYDIS_MNEMONIC_VCVTTSS2SI:
	case ZYDIS_MNEMONIC_VCVTTSS2USI:
	case ZYDIS_MNEMONIC_VEXTRACTPS:
	case ZYDIS_MNEMONIC_VMOVD:
	case ZYDIS_MNEMONIC_VMOVMSKPD:
	case ZYDIS_MNEMONIC_VMOVMSKPS:
	case ZYDIS_MNEMONIC_VMOVQ:
	case ZYDIS_MNEMONIC_VMOVW:
	case ZYDIS_MNEMONIC_VPCMPESTRI:
	case ZYDIS_MNEMONIC_VPCMPISTRI:
	case ZYDIS_MNEMONIC_VPEXTRB:
	case ZYDIS_MNEMONIC_VPEXTRD:
	case ZYDIS_MNEMONIC_VPEXTRQ:
	case ZYDIS_MNEMONIC_VPEXTRW:
	case ZYDIS_MNEMONIC_VPMOVMSKB:
		return true;
	default:
		return false;
	}
}

/* Most code without call frame information is vector code, which changes nothing that is followed
 * here, and the operands take most of the time to decode. */
static bool is_plain_vector(const ZydisDecodedInstruction *insn)
{
	return is_vector_extension(insn->meta.isa_ext) && !writes_general_register(insn->mnemonic);
}

/* Returns the register that addresses the memory operand. */
static u32 raw_base(const ZydisDecodedInstruction *insn)
{
	static const u8 dwarf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
	bool vex = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
	bool evex = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
	/* Both encodings have the bit inverted. */
	u8 high = vex ? !insn->raw.vex.B : evex ? !insn->raw.evex.B : insn->raw.rex.B;
	u8 low = insn->raw.modrm.rm == 4 ? insn->raw.sib.base : insn->raw.modrm.rm;

	if (!(insn->attributes & ZYDIS_ATTRIB_HAS_MODRM) || insn->raw.modrm.mod == 3 ||
	    (insn->raw.modrm.mod == 0 && low == 5))
		return 0;
	return 1u << dwarf[(low | high << 3) & 15];
}

bool stack_effect_decode(struct bytes code, u64 vaddr, struct stack_effect *out)
{
	ZydisDecoder decoder;
	ZydisDecoderContext context;
	struct decoded d;

	d.vaddr = vaddr;
	d.out = out;
	if (!code.len ||
	    ZYAN_FAILED(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, &context, code.data, code.len,
						      &d.insn)))
		return false;
	*out = (struct stack_effect){.length = d.insn.length};
	if (is_plain_vector(&d.insn)) {
		out->uses = raw_base(&d.insn);
		return true;
	}
	if (ZYAN_FAILED(ZydisDecoderDecodeOperands(&decoder, &context, &d.insn, d.op,
						   d.insn.operand_count)))
		return false;
	note_uses(&d);
	note_writes(&d);
	note_stores(&d);
	find_target(&d);
	describe(&d);
	describe_flow(&d);
	describe_push_pc(&d);
	out->is_padding = is_padding(&d);
	if (out->is_padding)
		out->clobbers = out->uses = 0;
	return true;
}

static u64 relative(const u8 *at, u64 next)
{
	s32 distance;

	memcpy(&distance, at, sizeof(distance));
	return next + (u64)(s64)distance;
}

bool stack_effect_mentions(const u8 *code, u64 vaddr, u64 *function)
{
	if (code[0] == 0xe8) { /* call */
		*function = relative(code + 1, vaddr + 5);
		return true;
	}
	if (code[1] != 0x8d || (code[0] & 0xfb) != 0x48 || (code[2] & 0xc7) != 0x05)
		return false;
	*function = relative(code + 3, vaddr + 7); /* lea of a 64-bit register */
	return true;
}
