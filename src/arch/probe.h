/* SPDX-License-Identifier: Apache-2.0 */
/* Says what the kernel does with an instruction that gets a breakpoint (uprobe), and what that
 * costs. */
#ifndef CPROF_ARCH_PROBE_H
#define CPROF_ARCH_PROBE_H

#include "arch/insn.h"

/* What the running kernel supports beyond the common set; 0 is right for every kernel. */
enum probe_kernel {
	PROBE_KERNEL_NOPS = 1u << 0, /* nops of several bytes are emulated */
	PROBE_KERNEL_NOP5 = 1u << 1, /* a nop with room for a call becomes one */
	/*
	 * A return probe ends in a system call, which a process' seccomp filter refuses and may
	 * kill it for. Stable kernels contain the fix, but their version does not show it.
	 */
	PROBE_KERNEL_RETURNS_FILTERED = 1u << 2,
	/*
	 * A call may have a probe. The kernel pushes the return address itself, and where it does
	 * not push it onto the shadow stack as well, such a process would be killed.
	 */
	PROBE_KERNEL_CALLS = 1u << 3,
	/* A return probe bypasses the shadow stack, which kills the process. */
	PROBE_KERNEL_RETURNS_SHADOWED = 1u << 4,
};

/* The preferred cost comes first. */
enum probe_cost {
	PROBE_COST_EMULATED,
	/* It costs less, but ends in a system call, which a handler or a tracer might answer. */
	PROBE_COST_NOP5,
	PROBE_COST_STEPPED,
};

u32 arch_probe_kernel(u32 major, u32 minor); /* for a kernel of that version */

/*
 * Gives the cost of a probe on the instruction; false if the kernel refuses one, or accepts one
 * that it must not be given. `first` says that nothing of the function was executed before it
 * except a landing pad.
 */
bool arch_probe_cost(const struct arch_insn *insn, bool first, u32 kernel, enum probe_cost *cost);

#endif
