/* SPDX-License-Identifier: Apache-2.0 */
/* Says which registers of user code perf samples have, and in which order. */
#ifndef CPROF_ARCH_PERF_REGS_H
#define CPROF_ARCH_PERF_REGS_H

#include "base/bpf_shared.h"

#define ARCH_PERF_REGS_MAX 64 /* the bits of attr.sample_regs_user */

extern const u64 arch_perf_regs; /* attr.sample_regs_user */

/* Takes the registers of a sample, one for each bit from the lowest on. */
void arch_take_perf_regs(struct user_regs *to, const u64 regs[ARCH_PERF_REGS_MAX]);

#endif
