/* SPDX-License-Identifier: Apache-2.0 */
/* Has an instruction as Zydis decodes it. Only this folder uses it. */
#ifndef CPROF_ARCH_X86_ZYDIS_INSN_H
#define CPROF_ARCH_X86_ZYDIS_INSN_H

#include <Zydis/Zydis.h>

#include "base/bytes.h"

struct zydis_insn {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* Decodes the first instruction of `code`. */
bool zydis_insn_decode(struct bytes code, struct zydis_insn *out);

/* Nothing follows it: it traps or halts. */
bool zydis_insn_stops(const ZydisDecodedInstruction *insn);

/* It ends in the kernel or in a trap. */
bool zydis_insn_enters_kernel(const ZydisDecodedInstruction *insn);

/* Returns what arch_probe_cost() needs to know: arch_insn.probe. */
u8 zydis_insn_probe(const ZydisDecodedInstruction *insn);

#endif
