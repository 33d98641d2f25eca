/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where in a function a uprobe costs the least. The kernel emulates some instructions in its
 * breakpoint handler and single-steps all others, twenty times slower in a virtual machine
 * (arch/probe.h). So the probe goes to the first emulated instruction that every call executes
 * exactly once with its arguments in place.
 *
 * That holds for a site if there is only straight-line code from the entry to it (no branch, call,
 * return or trap), each requested argument is still in a register, and no direct branch in the
 * function's bytes leads to an address after the entry up to the site. Indirect jumps, and code
 * that the compiler placed elsewhere (.cold), are assumed not to lead there.
 */
#ifndef CPROF_COLLECT_PROBE_SITE_H
#define CPROF_COLLECT_PROBE_SITE_H

#include "arch/probe.h"
#include "base/bytes.h"
#include "base/types.h"
#include "elf/elf_file.h"

/* The arguments that the program needs: bit i for the i-th. */
enum probe_args {
	PROBE_ARG_0 = 1u << 0,
	PROBE_ARG_1 = 1u << 1,
	PROBE_ARG_2 = 1u << 2,
	PROBE_ARG_3 = 1u << 3,
};
#define PROBE_ARGS_MAX 4

enum probe_purpose {
	PROBE_ENTRY, /* only an entry program */
	/*
	 * A return probe, or a session: the kernel takes the return address to be where it is at
	 * the entry and replaces it. Only places where the stack pointer has its value at the entry
	 * are chosen; anywhere else the program would crash.
	 */
	PROBE_RETURN,
};

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
	/* how far the stack pointer at the site is below that at the entry; 0 with PROBE_RETURN */
	u32 stack_bytes;
	/* where each requested argument is, as a DWARF number (elf/usdt.h) */
	u8 arg_reg[PROBE_ARGS_MAX];
	enum probe_cost cost;
	char text[48]; /* the instruction, for -v */
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
