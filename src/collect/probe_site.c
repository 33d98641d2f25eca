/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the instruction of a function that a uprobe goes to. */
#include "collect/probe_site.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>

struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

struct function {
	ZydisDecoder decoder;
	struct bytes code;
	u64 vaddr;
	u64 first_target; /* the lowest offset after the entry that a branch leads to */
};

static bool decode(const struct function *fn, u64 at, struct decoded *d)
{
	return at < fn->code.len &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&fn->decoder, fn->code.data + at,
						   fn->code.len - at, &d->insn, d->operands));
}

static bool relative_target(const struct decoded *d, u64 at, u64 *target)
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

/* false: not all of it can be decoded, so that branches may have been overlooked */
static bool find_first_target(struct function *fn)
{
	struct decoded d;
	u64 target;

	fn->first_target = UINT64_MAX;
	for (u64 at = 0; at < fn->code.len; at += d.insn.length) {
		if (!decode(fn, at, &d))
			return false;
		if (relative_target(&d, at, &target) && target && target < fn->first_target)
			fn->first_target = target;
	}
	return true;
}

/* ---- what the kernel does with an instruction */

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

/* It traps, or the kernel's own work: no breakpoint belongs there, and most are refused. */
static bool leaves_user_space(const ZydisDecodedInstruction *insn)
{
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

/* Transactions abort at a trap; after a load of ss, traps come one instruction late. */
static bool cannot_be_stepped(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_XBEGIN ||
	       (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == 0x8e &&
		insn->raw.modrm.reg == 2);
}

/*
 * What the kernel does not take a breakpoint on: prefixes of segments and lock, 16-bit branches, and
 * opcodes that trap, touch ports or need privileges. Besides, what it takes but must not be given:
 * `41 90` is xchg and was emulated as a nop before 6.18, a repeated string instruction hits its
 * breakpoint once an iteration, and vector encodings are taken by chance (the table of one-byte
 * opcodes is asked).
 */
static bool is_refused(const ZydisDecodedInstruction *insn)
{
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
	return leaves_user_space(insn) || cannot_be_stepped(insn);
}

/* `first`: nothing was executed before it but an endbr64. */
static bool classify(const struct function *fn, u64 at, const ZydisDecodedInstruction *insn,
		     bool first, u32 kernel, enum probe_cost *cost)
{
	u64 page_left = 4096 - ((fn->vaddr + at) & 4095);

	if (is_refused(insn))
		return false;
	*cost = PROBE_COST_STEPPED;
	if (is_emulated_push(insn) || is_opcode_90(insn) || is_near_branch(insn))
		*cost = PROBE_COST_EMULATED;
	if (is_long_nop(insn) && (kernel & PROBE_KERNEL_NOPS))
		*cost = PROBE_COST_EMULATED;
	/* Its call writes below rsp, where code that has run may keep something. */
	if (is_long_nop(insn) && insn->length == 5 && page_left >= 5 && first &&
	    (kernel & PROBE_KERNEL_NOP5))
		*cost = PROBE_COST_NOP5;
	return true;
}

/* ---- what an instruction does to the registers */

static bool writes(const ZydisDecodedOperand *op, ZydisRegister reg)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
	       ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->reg.value) == reg;
}

static bool writes_register(const struct decoded *d, ZydisRegister reg)
{
	for (u8 i = 0; i < d->insn.operand_count; i++) {
		if (writes(&d->operands[i], reg))
			return true;
	}
	return false;
}

/* ---- where the arguments are */

/* The registers that hold each argument: a set of hardware numbers, 0 rax to 15 r15. */
struct arguments {
	u16 in[PROBE_ARGS_MAX];
};

static const u8 home[PROBE_ARGS_MAX] = {7, 6, 2, 1}; /* rdi, rsi, rdx, rcx */

static struct arguments arguments_at_entry(void)
{
	struct arguments a;

	for (size_t i = 0; i < PROBE_ARGS_MAX; i++)
		a.in[i] = (u16)(1u << home[i]);
	return a;
}

static u16 register_bit(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    ZydisRegisterGetClass(op->reg.value) != ZYDIS_REGCLASS_GPR64)
		return 0;
	return (u16)(1u << ZydisRegisterGetId(op->reg.value));
}

static u16 written_registers(const struct decoded *d)
{
	u16 set = 0;

	for (u16 i = 0; i < 16; i++) {
		if (writes_register(d, ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64, (u8)i)))
			set |= (u16)(1u << i);
	}
	return set;
}

static void arguments_follow(struct arguments *a, const struct decoded *d)
{
	u16 written = written_registers(d), from = 0, to = 0;

	if (d->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
		to = register_bit(&d->operands[0]);
		from = register_bit(&d->operands[1]);
	}
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++) {
		bool copied = a->in[i] & from;

		a->in[i] &= (u16)~written;
		if (copied)
			a->in[i] |= to;
	}
}

static bool arguments_in_reach(const struct arguments *a, const struct probe_request *request)
{
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++) {
		u16 fit = request->moved_args ? a->in[i] : a->in[i] & (u16)(1u << home[i]);

		if ((request->args & (1u << i)) && !fit)
			return false;
	}
	return true;
}

static u8 dwarf_number(const struct arguments *a, size_t arg)
{
	static const u8 dwarf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
	u16 set = a->in[arg];

	if (!set || set & (1u << home[arg]))
		return dwarf[home[arg]];
	return dwarf[__builtin_ctz(set)];
}

/* ---- the stack pointer */

static bool is_rsp(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == ZYDIS_REGISTER_RSP;
}

/* Bytes by which the instruction lowers rsp; false when that is not known. */
static bool stack_change(const struct decoded *d, s64 *change)
{
	const ZydisDecodedOperand *op = d->operands;

	*change = 0;
	if (!writes_register(d, ZYDIS_REGISTER_RSP))
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

/* Execution may not go on behind it, or somebody else's code runs first. */
static bool ends_straight_line(const struct decoded *d, u64 at)
{
	u64 target;

	if (relative_target(d, at, &target))
		return true;
	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_SYSTEM:
		return true;
	default:
		return leaves_user_space(&d->insn);
	}
}

/* ---- the walk */

static void format_instruction(const struct decoded *d, u64 vaddr, char *out, size_t size)
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

struct walk {
	u64 at;
	s64 stack;
	struct arguments args;
	bool first;
	bool found;
};

static void consider(const struct function *fn, const struct probe_request *request,
		     const struct decoded *d, struct walk *w, struct probe_site *best)
{
	enum probe_cost cost;

	if (w->at < request->min_offset || (request->purpose == PROBE_RETURN && w->stack))
		return;
	if (!classify(fn, w->at, &d->insn, w->first, request->kernel, &cost))
		return;
	if (w->found && best->cost <= cost)
		return;
	w->found = true;
	*best = (struct probe_site){
		.offset = (u32)w->at, .stack_bytes = (u32)w->stack, .cost = cost};
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++)
		best->arg_reg[i] = dwarf_number(&w->args, i);
	format_instruction(d, fn->vaddr + w->at, best->text, sizeof(best->text));
}

/* Steps over the instruction; false when what comes after it is not a site any more. */
static bool advance(const struct function *fn, const struct probe_request *request,
		    const struct decoded *d, struct walk *w)
{
	s64 change;

	if (ends_straight_line(d, w->at) || !stack_change(d, &change))
		return false;
	arguments_follow(&w->args, d);
	if (!arguments_in_reach(&w->args, request))
		return false;
	w->stack += change;
	w->at += d->insn.length;
	if (d->insn.mnemonic != ZYDIS_MNEMONIC_ENDBR64)
		w->first = false;
	return w->stack >= 0 && w->stack <= INT32_MAX && w->at < fn->first_target;
}

int probe_site_choose(struct bytes code, u64 vaddr, u64 size, const struct probe_request *request,
		      struct probe_site *out)
{
	struct function fn = {.code = code, .vaddr = vaddr};
	struct walk w = {.first = true, .args = arguments_at_entry()};
	struct decoded d;
	bool whole;

	if (!code.len)
		return -EINVAL;
	if (fn.code.len > PROBE_CODE_MAX)
		fn.code.len = PROBE_CODE_MAX;
	if (size && size < fn.code.len)
		fn.code.len = size;
	ZydisDecoderInit(&fn.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	whole = find_first_target(&fn) && size && fn.code.len == size;
	while (decode(&fn, w.at, &d)) {
		consider(&fn, request, &d, &w, out);
		if (!whole || !advance(&fn, request, &d, &w))
			break;
	}
	return w.found ? 0 : -ENOTSUP;
}

int probe_site_in_file(struct elf_file *f, u64 vaddr, u64 size, const struct probe_request *request,
		       struct probe_site *out)
{
	u64 len = size && size < PROBE_CODE_MAX ? size : PROBE_CODE_MAX;
	struct bytes code = elf_file_loaded(f, vaddr, len);
	u64 offset;
	int err;

	if (!code.len || !elf_file_vaddr_to_offset(f, vaddr, &offset))
		return -EBADMSG;
	err = probe_site_choose(code, vaddr, size, request, out);
	if (!err)
		out->file_offset = offset + out->offset;
	return err;
}

u32 probe_kernel_flags(u32 major, u32 minor)
{
	bool nops = major > 6 || (major == 6 && minor >= 18);
	bool filtered = major == 6 && minor >= 11 && minor <= 13;

	return (nops ? PROBE_KERNEL_NOPS | PROBE_KERNEL_NOP5 : 0) |
	       (filtered ? PROBE_KERNEL_RETURNS_FILTERED : 0);
}

u32 probe_cost_ns(enum probe_cost cost, enum probe_purpose purpose)
{
	static const u32 entry[] = {
		[PROBE_COST_NOP5] = 480, [PROBE_COST_EMULATED] = 590, [PROBE_COST_STEPPED] = 11500};
	static const u32 returning = 580; /* the trampoline's trap, and its bookkeeping */

	return entry[cost] + (purpose == PROBE_RETURN ? returning : 0);
}

const char *probe_cost_name(enum probe_cost cost)
{
	static const char *const names[] = {[PROBE_COST_NOP5] = "optimized",
					    [PROBE_COST_EMULATED] = "emulated",
					    [PROBE_COST_STEPPED] = "single-stepped"};

	return names[cost];
}
