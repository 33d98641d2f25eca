/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The static probes (USDT) of an ELF file, which are notes of type 3 with the owner "stapsdt" in
 * .note.stapsdt, as written by SystemTap's <sys/sdt.h>. A note is three addresses (probe, link-time
 * address of .stapsdt.base, semaphore) and three strings (provider, name, arguments in assembler
 * syntax). Addresses are adjusted by the distance that prelink has moved .stapsdt.base.
 *
 * This is for x86-64 only; arguments of other machines are USDT_ARG_UNKNOWN. Notes of a hostile
 * file are cut at USDT_PROBES_MAX. Notes with unterminated strings or a pc outside the executable
 * segments are left out and counted.
 */
#ifndef CPROF_ELF_USDT_H
#define CPROF_ELF_USDT_H

#include "base/vec.h"
#include "elf/elf_file.h"

#define USDT_PROBES_MAX 4096
#define USDT_ARGS_MAX 12 /* the most that <sys/sdt.h> can write */

/* These are registers by DWARF number (System V psABI x86-64, figure 3.36): 0 rax, 1 rdx, 2 rcx, 3
 * rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8-15 r8-r15. */
#define USDT_REG_RIP 16
#define USDT_REG_NONE 0xff

enum usdt_arg_kind {
	USDT_ARG_UNKNOWN, /* not understood: a vector register, a symbol, another machine */
	USDT_ARG_REG, /* `reg`, shifted right by `shift` bits */
	USDT_ARG_MEM, /* *(base + index * scale + value) */
	USDT_ARG_CONST, /* `value` */
};

struct usdt_arg {
	enum usdt_arg_kind kind;
	/* in bytes: 1, 2, 4 or 8; higher bytes of the register or word do not belong to the
	 * argument */
	u8 size;
	bool is_signed;
	u8 reg; /* REG */
	u8 shift; /* REG: 8 for %ah and similar ones, else 0 */
	u8 base, index; /* MEM: USDT_REG_NONE if absent */
	u8 scale; /* MEM: 1, 2, 4, 8 */
	s64 value; /* MEM: displacement; CONST: the value */
};

struct usdt_probe {
	const char *provider, *name; /* borrowed from the elf_file */
	u64 vaddr, offset; /* of the probe's instruction; a uprobe is placed at the offset */
	u64 semaphore; /* virtual address; 0 if the probe has none and is always on */
	/* file offset for the uprobe's ref_ctr_offset; 0 if there is no semaphore */
	u64 semaphore_offset;
	u8 argc;
	struct usdt_arg args[USDT_ARGS_MAX];
};

struct usdt_list {
	VEC(struct usdt_probe) probes; /* in the file's order; several may have the same name */
	u32 skipped; /* notes that were broken, or were beyond USDT_PROBES_MAX */
};

/*
 * Reads all probes of `f`, which must outlive the list. Returns -ENOENT if there is no
 * .note.stapsdt, -EBADMSG if it cannot be read, or -ENOMEM. A readable section with nothing but
 * broken notes gives an empty list.
 */
int usdt_read(struct elf_file *f, struct usdt_list *out) MUST_CHECK;
void usdt_release(struct usdt_list *list);

/*
 * Parses an argument string ("8@%rdi -4@$7 8@-16(%rbp,%rax,8)") into `args` and returns their
 * number. An argument that is not understood keeps its position as USDT_ARG_UNKNOWN.
 */
u8 usdt_args_parse(const char *text, struct usdt_arg args[USDT_ARGS_MAX]);

/* Returns the byte offset of a DWARF register (0-16) in the kernel's x86-64 struct pt_regs, or -1
 * if there is no such register. */
int usdt_reg_pt_regs_offset(u8 reg);

#endif
