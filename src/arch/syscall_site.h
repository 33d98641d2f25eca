/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds system calls in code, and where a probe sees their results: at an instruction that is
 * executed after the call and before the result or the arguments are changed.
 */
#ifndef CPROF_ARCH_SYSCALL_SITE_H
#define CPROF_ARCH_SYSCALL_SITE_H

#include "arch/probe.h"
#include "base/bytes.h"

struct syscall_site {
	u32 number; /* of the system call */
	size_t offset; /* of the probe, from the beginning of the code */
	enum probe_cost cost;
};

/*
 * Calls `found` for each system call whose number is a constant right before it, until that returns
 * something other than 0, which is then returned. `code` is at `vaddr`, and may contain data.
 * `kernel` is a set of enum probe_kernel.
 */
int arch_syscall_sites(struct bytes code, u64 vaddr, u32 kernel,
		       int (*found)(void *arg, const struct syscall_site *site),
		       void *arg) MUST_CHECK;

/* Returns whether a system call returns descriptors that it opens, or may do so. */
bool arch_syscall_opens(u32 number);

#endif
