/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Reads arguments of a probed function. They are nearly always in registers, and otherwise where a
 * static probe says. */
#ifndef CPROF_BPF_HEAP_ARGS_BPF_H
#define CPROF_BPF_HEAP_ARGS_BPF_H

static __always_inline u64 narrow(u64 value, const struct heap_arg *arg)
{
	u32 drop = arg->size && arg->size < 8 ? 64 - 8 * arg->size : 0;

	drop &= 63;
	value <<= drop;
	return arg->is_signed ? (u64)((s64)value >> drop) : value >> drop;
}

static __noinline u64 unusual_argument(struct pt_regs *regs, const struct heap_arg *arg)
{
	u64 value = 0, at;

	if (!arg)
		return 0;
	if (arg->kind == HEAP_ARG_CONST)
		return narrow(arg->value, arg);
	if (arg->kind == HEAP_ARG_REG)
		return narrow(arch_word(regs, arg->reg) >> (arg->shift & 63), arg);
	if (arg->kind != HEAP_ARG_MEM)
		return 0;
	at = arch_word(regs, arg->reg) + arch_word(regs, arg->index) * arg->scale + arg->value;
	bpf_probe_read_user(&value, sizeof(value), (void *)at);
	return narrow(value, arg);
}

static __always_inline u64 argument(struct pt_regs *regs, const struct heap_arg *arg)
{
	if (arg->kind == HEAP_ARG_REG && arg->size == 8) {
		/* This is where a function's arguments almost always are. */
		switch (arg->reg) {
		case ARCH_WORD_ARG0:
			return arch_argument(regs, 0);
		case ARCH_WORD_ARG1:
			return arch_argument(regs, 1);
		case ARCH_WORD_ARG2:
			return arch_argument(regs, 2);
		}
	}
	return unusual_argument(regs, arg);
}

#endif
