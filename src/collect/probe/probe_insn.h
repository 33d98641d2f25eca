/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describes one x86-64 instruction, as far as placing a probe depends on it: where it leads, which
 * registers it writes, how it moves the stack pointer, and what a breakpoint on it costs.
 */
#ifndef CPROF_COLLECT_PROBE_INSN_H
#define CPROF_COLLECT_PROBE_INSN_H

#include <Zydis/Zydis.h>

#include "base/bytes.h"
#include "collect/probe/probe_site.h"

struct probe_insn {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* Decodes the instruction at offset `at`; false if there is none or it cannot be decoded. */
bool probe_insn_decode(struct bytes code, u64 at, struct probe_insn *out);

/* Gives the target of a direct branch or call at `at`, relative to the same origin; false for
 * everything else. */
bool probe_insn_target(const struct probe_insn *d, u64 at, u64 *target);

/* It ends in the kernel or in a trap, so it must not get a breakpoint. */
bool probe_insn_leaves(const struct probe_insn *d);

/*
 * Gives the cost of a probe at `vaddr`; false if the kernel refuses one, or accepts one that it
 * must not be given. `first` says that nothing of the function was executed before it except an
 * endbr64.
 */
bool probe_insn_cost(const struct probe_insn *d, u64 vaddr, bool first, u32 kernel,
		     enum probe_cost *cost);

/* Sets of general registers have a bit for each hardware number, from 0, rax, to 15, r15. */
u16 probe_insn_written(const struct probe_insn *d);
bool probe_insn_writes(const struct probe_insn *d, ZydisRegister reg); /* a 64-bit register */
u16 probe_insn_register(const ZydisDecodedOperand *op); /* 0 if it is not a whole 64-bit register */
u8 probe_register_dwarf(u8 hardware); /* the number that elf/usdt.h uses */

/* Gives the bytes by which the instruction lowers rsp; false if that is unknown. */
bool probe_insn_stack(const struct probe_insn *d, s64 *change);

void probe_insn_text(const struct probe_insn *d, u64 vaddr, char *out, size_t size);

#endif
