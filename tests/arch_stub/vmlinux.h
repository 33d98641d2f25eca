/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* See regs.h. */
#ifndef CPROF_ARCH_STUB_VMLINUX_H
#define CPROF_ARCH_STUB_VMLINUX_H

struct pt_regs {
	unsigned long words[34];
};

typedef struct pt_regs bpf_user_pt_regs_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	void *vdso;
} mm_context_t;

struct thread_struct {
	unsigned long word;
};

#pragma clang attribute pop

#endif
