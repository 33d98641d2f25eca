/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The static probes (USDT) of an ELF file: notes of type 3, owner "stapsdt", in .note.stapsdt, as
 * <sys/sdt.h> of SystemTap writes them. A note is three addresses (probe, link-time address of
 * .stapsdt.base, semaphore) and three strings (provider, name, arguments in assembler syntax).
 * Addresses are moved by the distance that prelink moved .stapsdt.base.
 *
 * x86-64 only: arguments of other machines are USDT_ARG_UNKNOWN. Notes of a hostile file are cut at
 * USDT_PROBES_MAX; those with unterminated strings or a pc outside the executable segments are
 * left out and counted.
 */
#ifndef CPROF_ELF_USDT_H
#define CPROF_ELF_USDT_H

#include "base/vec.h"
#include "elf/elf_file.h"

#define USDT_PROBES_MAX 4096
#define USDT_ARGS_MAX 12 /* as many as <sys/sdt.h> can write */

/* Registers by their DWARF numbers (System V psABI x86-64, figure 3.36): 0 rax, 1 rdx, 2 rcx, 3 rbx,
 * 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8-15 r8-r15. */
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
	u8 size; /* bytes: 1, 2, 4, 8; higher ones of the register or word are not the argument's */
	bool is_signed;
	u8 reg; /* REG */
	u8 shift; /* REG: 8 for %ah and its like, else 0 */
	u8 base, index; /* MEM; USDT_REG_NONE where there is none */
	u8 scale; /* MEM: 1, 2, 4, 8 */
	s64 value; /* MEM: displacement; CONST: the value */
};

struct usdt_probe {
	const char *provider, *name; /* borrowed by the elf_file */
	u64 vaddr, offset; /* of the probe's instruction; offset is where a uprobe goes */
	u64 semaphore; /* vaddr; 0: the probe has none and is always on */
	u64 semaphore_offset; /* file offset, for the uprobe's ref_ctr_offset; 0 with semaphore == 0 */
	u8 argc;
	struct usdt_arg args[USDT_ARGS_MAX];
};

struct usdt_list {
	VEC(struct usdt_probe) probes; /* in the file's order; one name may be at many places */
	u32 skipped; /* notes that were broken, or beyond USDT_PROBES_MAX */
};

/*
 * All probes of `f`, which must outlive the list. -ENOENT: no .note.stapsdt; -EBADMSG: it cannot be
 * read; -ENOMEM. A readable section with nothing but broken notes gives an empty list.
 */
int usdt_read(struct elf_file *f, struct usdt_list *out) MUST_CHECK;
void usdt_release(struct usdt_list *list);

/*
 * Parses an argument string ("8@%rdi -4@$7 8@-16(%rbp,%rax,8)") into `args`; returns how many there
 * are. One that is not understood keeps its place as USDT_ARG_UNKNOWN.
 */
u8 usdt_args_parse(const char *text, struct usdt_arg args[USDT_ARGS_MAX]);

/* Where a DWARF register (0-16) lies in the kernel's x86-64 struct pt_regs, in bytes; -1: no such. */
int usdt_reg_pt_regs_offset(u8 reg);

#endif
