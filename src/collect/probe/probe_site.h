/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where in a function a uprobe costs the least (x86-64). The kernel emulates push, nop, call,
 * jmp and jcc in its breakpoint handler and single-steps everything else, twenty times slower in a
 * virtual machine (Linux arch/x86/kernel/uprobes.c, 4.16 to 6.18). So the probe goes to the first
 * emulated instruction that every call executes exactly once with its arguments in place.
 *
 * That holds for a site if there is only straight-line code from the entry to it (no branch, call,
 * return or trap), each requested argument is still in a register, and no direct branch in the
 * function's bytes leads to an address after the entry up to the site. Indirect jumps, and code
 * that the compiler placed elsewhere (.cold), are assumed not to lead there.
 */
#ifndef CPROF_COLLECT_PROBE_SITE_H
#define CPROF_COLLECT_PROBE_SITE_H

#include "base/bytes.h"
#include "base/types.h"
#include "elf/elf_file.h"

/*
 * The arguments that the program needs: bit i for the i-th, which the System V psABI passes in
 * these registers.
 */
enum probe_args {
	PROBE_ARG_RDI = 1u << 0,
	PROBE_ARG_RSI = 1u << 1,
	PROBE_ARG_RDX = 1u << 2,
	PROBE_ARG_RCX = 1u << 3,
};
#define PROBE_ARGS_MAX 4

enum probe_purpose {
	PROBE_ENTRY, /* only an entry program */
	/*
	 * A return probe, or a session: the kernel takes the word at rsp for the return address and
	 * replaces it. Only places where rsp has its value at the entry are chosen; anywhere else
	 * the program would crash.
	 */
	PROBE_RETURN,
};

/* What the running kernel supports beyond the common set; 0 is right for every kernel. */
enum probe_kernel {
	PROBE_KERNEL_NOPS = 1u << 0, /* multi-byte nops (0f 1f) are emulated, since 6.18 */
	PROBE_KERNEL_NOP5 = 1u << 1, /* a 5-byte nop within one page becomes a call, since 6.18 */
	/*
	 * Since 6.11 a return probe ends in a system call, which a process' seccomp filter refuses
	 * and, up to 6.13, may kill it for. Stable kernels contain the fix, but their version does
	 * not show it.
	 */
	PROBE_KERNEL_RETURNS_FILTERED = 1u << 2,
	/*
	 * A call may have a probe. The kernel pushes the return address itself, and onto the shadow
	 * stack only since 6.18. Before 6.6 there are no shadow stacks; in between such a process
	 * would be killed.
	 */
	PROBE_KERNEL_CALLS = 1u << 3,
	/* A return probe bypasses the shadow stack, which kills the process: from 6.6, the first
	 * with shadow stacks, to 6.10. */
	PROBE_KERNEL_RETURNS_SHADOWED = 1u << 4,
};

/* The preferred cost comes first. */
enum probe_cost {
	PROBE_COST_EMULATED,
	/* It costs less, but ends in a system call, which a handler or a tracer might answer. */
	PROBE_COST_NOP5,
	PROBE_COST_STEPPED,
};

u32 probe_kernel_flags(u32 major, u32 minor); /* for a kernel of that version */

struct probe_request {
	u32 args; /* enum probe_args */
	/*
	 * The program reads what site.arg_reg says. Without it, an argument that was copied
	 * elsewhere and then overwritten ends the search; mimalloc's malloc begins like that.
	 */
	bool moved_args;
	enum probe_purpose purpose;
	u32 kernel; /* enum probe_kernel */
	/* no site before this offset, to get the next place after the kernel refused one; else 0 */
	u32 min_offset;
};

struct probe_site {
	u32 offset; /* from the entry */
	u64 file_offset; /* where the uprobe goes; only set by probe_site_in_file() */
	/* how far rsp at the site is below rsp at the entry; 0 with PROBE_RETURN */
	u32 stack_bytes;
	/* where each requested argument is, as a DWARF number (elf/usdt.h) */
	u8 arg_reg[PROBE_ARGS_MAX];
	enum probe_cost cost;
	char text[48]; /* the instruction, for -v: "push r12" */
};

/* Functions are read up to this length; in longer ones only the entry is certain. */
#define PROBE_CODE_MAX (64u << 10)

/*
 * Chooses a site. `code` is the function from its entry on, which is at `vaddr`; `size` is its
 * whole length by the symbol table. If `code` is shorter, `size` is 0 (unknown), or not all of it
 * can be decoded, only the entry can be chosen. Returns -ENOTSUP if the kernel would accept no
 * probe, or -EINVAL if there is no code.
 */
int probe_site_choose(struct bytes code, u64 vaddr, u64 size, const struct probe_request *request,
		      struct probe_site *out) MUST_CHECK;
/* Does the same for the function at `vaddr` of a file; also returns -EBADMSG if the file does not
 * contain it. */
int probe_site_in_file(struct elf_file *f, u64 vaddr, u64 size, const struct probe_request *request,
		       struct probe_site *out) MUST_CHECK;

/*
 * Returns the cost of one hit without the program's own time, in nanoseconds; an estimate, measured
 * in a VM.
 */
u32 probe_cost_ns(enum probe_cost cost, enum probe_purpose purpose);
u32 probe_return_ns(void); /* what a return probe adds */
const char *probe_cost_name(enum probe_cost cost); /* "emulated" */

#endif
