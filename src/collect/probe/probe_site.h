/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a function a uprobe costs least (x86-64). The kernel emulates push, nop, call, jmp and
 * jcc in its breakpoint handler and single-steps everything else, twenty times slower in a virtual
 * machine (Linux arch/x86/kernel/uprobes.c, 4.16 to 6.18). So the probe goes to the first emulated
 * instruction that every call passes exactly once with its arguments in place.
 *
 * That holds for a site when, from the entry to it, there is straight-line code only (no branch,
 * call, return or trap), each asked argument is still in a register, and no direct branch of the
 * function's bytes leads to an address after the entry up to the site. Indirect jumps, and code
 * that the compiler split off to elsewhere (.cold), are taken to stay out of there.
 */
#ifndef CPROF_COLLECT_PROBE_SITE_H
#define CPROF_COLLECT_PROBE_SITE_H

#include "base/bytes.h"
#include "base/types.h"
#include "elf/elf_file.h"

/*
 * Arguments that the program needs: bit i for the i-th, by the System V psABI in these registers.
 */
enum probe_args {
	PROBE_ARG_RDI = 1u << 0,
	PROBE_ARG_RSI = 1u << 1,
	PROBE_ARG_RDX = 1u << 2,
	PROBE_ARG_RCX = 1u << 3,
};
#define PROBE_ARGS_MAX 4

enum probe_purpose {
	PROBE_ENTRY, /* an entry program alone */
	/*
	 * A return probe, or a session: the kernel takes the word at rsp for the return address and
	 * replaces it. Only places where rsp is what it was at the entry are chosen: anywhere else
	 * the program would crash.
	 */
	PROBE_RETURN,
};

/* What the running kernel does beyond the common set; 0 is right for every kernel. */
enum probe_kernel {
	PROBE_KERNEL_NOPS = 1u << 0, /* multi-byte nops (0f 1f) are emulated: 6.18 */
	PROBE_KERNEL_NOP5 = 1u << 1, /* a 5-byte nop in one page becomes a call: 6.18 */
	/*
	 * A return probe ends in a system call since 6.11, which a process' seccomp filter refuses,
	 * and may kill it for, up to 6.13. Stable kernels have the remedy, but their version does
	 * not say so.
	 */
	PROBE_KERNEL_RETURNS_FILTERED = 1u << 2,
	/*
	 * A call may have a probe: the kernel pushes the return address itself, and onto the shadow
	 * stack only since 6.18. Before 6.6 there are no shadow stacks; in between such a process
	 * would be killed.
	 */
	PROBE_KERNEL_CALLS = 1u << 3,
	/* A return probe misses the shadow stack, which kills: 6.6, the first to have any, to 6.10. */
	PROBE_KERNEL_RETURNS_SHADOWED = 1u << 4,
};

/* The best comes first. */
enum probe_cost {
	PROBE_COST_EMULATED,
	/* It costs less, but ends in a system call, which a handler or a tracer might answer. */
	PROBE_COST_NOP5,
	PROBE_COST_STEPPED,
};

u32 probe_kernel_flags(u32 major, u32 minor); /* of a kernel of that version */

struct probe_request {
	u32 args; /* enum probe_args */
	/*
	 * The program looks where site.arg_reg says. Without it an argument that was copied
	 * elsewhere and then overwritten ends the search; mimalloc's malloc begins so.
	 */
	bool moved_args;
	enum probe_purpose purpose;
	u32 kernel; /* enum probe_kernel */
	u32 min_offset; /* no site before it: for the next place after the kernel refused one; 0 */
};

struct probe_site {
	u32 offset; /* from the entry */
	u64 file_offset; /* where the uprobe goes; set by probe_site_in_file() only */
	u32 stack_bytes; /* rsp at the site is this far below rsp at the entry; 0 with PROBE_RETURN */
	u8 arg_reg[PROBE_ARGS_MAX]; /* where each asked argument is: DWARF number (elf/usdt.h) */
	enum probe_cost cost;
	char text[48]; /* the instruction, for -v: "push r12" */
};

/* Functions are read this far; in longer ones nothing but the entry is certain. */
#define PROBE_CODE_MAX (64u << 10)

/*
 * `code` is the function from its entry on, which lies at `vaddr`; `size` is its whole length by
 * the symbol table. When `code` is shorter, when `size` is 0 (unknown) or when not all of it can be
 * decoded, no other site than the entry is chosen. -ENOTSUP: nothing that the kernel would take a
 * probe on; -EINVAL: no code.
 */
int probe_site_choose(struct bytes code, u64 vaddr, u64 size, const struct probe_request *request,
		      struct probe_site *out) MUST_CHECK;
/* The same for the function at `vaddr` of a file; also -EBADMSG when the file does not hold it. */
int probe_site_in_file(struct elf_file *f, u64 vaddr, u64 size, const struct probe_request *request,
		       struct probe_site *out) MUST_CHECK;

/*
 * One hit of a probe without a program's own time, in nanoseconds: an estimate, measured in a VM.
 */
u32 probe_cost_ns(enum probe_cost cost, enum probe_purpose purpose);
u32 probe_return_ns(void); /* what a return probe adds */
const char *probe_cost_name(enum probe_cost cost); /* "emulated" */

#endif
