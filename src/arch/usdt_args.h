/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arguments of a static probe (USDT), which its note describes in the assembler's syntax, as
 * the compiler printed them. Registers are DWARF numbers.
 */
#ifndef CPROF_ARCH_USDT_ARGS_H
#define CPROF_ARCH_USDT_ARGS_H

#include "base/types.h"

#define USDT_ARGS_MAX 12 /* the most that <sys/sdt.h> can write */
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
	u8 shift; /* REG: 8 for the second byte of a register, else 0 */
	u8 base, index; /* MEM: USDT_REG_NONE if absent; the base may be the program counter */
	u8 scale; /* MEM: 1, 2, 4, 8 */
	s64 value; /* MEM: displacement; CONST: the value */
};

/*
 * Parses an argument string ("8@%rdi -4@$7 8@-16(%rbp,%rax,8)" on x86-64) into `args` and returns
 * their number. An argument that is not understood keeps its position as USDT_ARG_UNKNOWN.
 */
u8 usdt_args_parse(const char *text, struct usdt_arg args[USDT_ARGS_MAX]);

#endif
