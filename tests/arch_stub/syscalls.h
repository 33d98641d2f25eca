/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * See regs.h. The names are those of x86-64, and its numbers do where no number has a meaning. An
 * architecture without one of these system calls gives it a negative number.
 */
#include "bpf/arch/x86/syscalls.h"
