/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Has the kernel types of x86-64 for vmlinux_min.h. */
#ifndef CPROF_BPF_ARCH_X86_VMLINUX_H
#define CPROF_BPF_ARCH_X86_VMLINUX_H

/* arch/x86/include/uapi/asm/ptrace.h: what the hardware and the entry code store; fixed */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

typedef struct pt_regs bpf_user_pt_regs_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	u64 ctx_id;
	void *vdso;
} mm_context_t;

struct thread_struct {
	unsigned long fsbase;
};

#pragma clang attribute pop

#endif
