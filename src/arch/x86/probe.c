/* SPDX-License-Identifier: Apache-2.0 */
/* Says how Linux handles probes on x86-64 (arch/x86/kernel/uprobes.c, 4.16 to 6.18): see
 * probe.h. */
#include "arch/probe.h"

#include "arch/x86/zydis_insn.h"

enum insn_probe { /* values of arch_insn.probe */
		  INSN_REFUSED,
		  INSN_STEPPED,
		  INSN_FAR_CALL, /* or an indirect one, which would be stepped */
		  INSN_NEAR_CALL,
		  INSN_EMULATED,
		  INSN_LONG_NOP,
};

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

bool zydis_insn_enters_kernel(const ZydisDecodedInstruction *insn)
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
	return zydis_insn_enters_kernel(insn) || cannot_be_stepped(insn);
}

u8 zydis_insn_probe(const ZydisDecodedInstruction *insn)
{
	if (is_refused(insn))
		return INSN_REFUSED;
	if (insn->meta.category == ZYDIS_CATEGORY_CALL)
		return is_near_branch(insn) ? INSN_NEAR_CALL : INSN_FAR_CALL;
	if (is_emulated_push(insn) || is_opcode_90(insn) || is_near_branch(insn))
		return INSN_EMULATED;
	return is_long_nop(insn) ? INSN_LONG_NOP : INSN_STEPPED;
}

/* Linux 6.18 makes a call of a nop of five bytes that lie within one page. */
static bool becomes_call(const struct arch_insn *insn, u32 kernel)
{
	return insn->length == 5 && 4096 - (insn->vaddr & 4095) >= 5 &&
	       (kernel & PROBE_KERNEL_NOP5);
}

bool arch_probe_cost(const struct arch_insn *insn, bool first, u32 kernel, enum probe_cost *cost)
{
	*cost = PROBE_COST_STEPPED;
	switch (insn->probe) {
	case INSN_REFUSED:
	case INSN_FAR_CALL: /* stepped out of line, it leaves a wrong shadow stack */
		return false;
	case INSN_NEAR_CALL:
		*cost = PROBE_COST_EMULATED;
		return kernel & PROBE_KERNEL_CALLS;
	case INSN_EMULATED:
		*cost = PROBE_COST_EMULATED;
		return true;
	case INSN_LONG_NOP:
		if (kernel & PROBE_KERNEL_NOPS)
			*cost = PROBE_COST_EMULATED;
		if (!becomes_call(insn, kernel))
			return true;
		/*
		 * The call writes below rsp, where earlier code may have stored something (the red
		 * zone), and the kernel does not check.
		 */
		*cost = PROBE_COST_NOP5;
		return first;
	default:
		return true;
	}
}

/*
 * Nops of several bytes are emulated, and those of five become calls, since 6.18. Return probes end
 * in a system call since 6.11, which a seccomp filter may kill the process for up to 6.13. There
 * are shadow stacks since 6.6: probes on calls push onto them since 6.18, and return probes bypass
 * them up to 6.10.
 */
u32 arch_probe_kernel(u32 major, u32 minor)
{
	bool nops = major > 6 || (major == 6 && minor >= 18);
	bool filtered = major == 6 && minor >= 11 && minor <= 13;
	bool calls = nops || major < 6 || minor < 6;
	bool shadowed = major == 6 && minor >= 6 && minor <= 10;

	return (nops ? PROBE_KERNEL_NOPS | PROBE_KERNEL_NOP5 : 0) |
	       (calls ? PROBE_KERNEL_CALLS : 0) | (filtered ? PROBE_KERNEL_RETURNS_FILTERED : 0) |
	       (shadowed ? PROBE_KERNEL_RETURNS_SHADOWED : 0);
}
