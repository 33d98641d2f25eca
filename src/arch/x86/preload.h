/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has the instructions of the preloaded sampler: see ../preload.h.
 *
 * The note points at a one-byte nop, which every kernel with uprobes emulates. A five-byte nop
 * follows within the same eight bytes. A tracer that knows Linux 6.18 or later may probe that one
 * instead, and the probe becomes a call in place of a breakpoint (libbpf looks for this pair). That
 * call writes below the stack pointer, so build with -mno-red-zone.
 *
 * Arguments are in the registers of a function's first three parameters, so a tracer that does not
 * read the descriptions finds them as well.
 */
#ifndef CPROF_ARCH_X86_PRELOAD_H
#define CPROF_ARCH_X86_PRELOAD_H

#include <stdbool.h>
#include <stdint.h>

#define PROBE_SITE_(label, provider, name, arguments)                       \
	".p2align 3\n" label "990:	nop\n"                                   \
	"	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"                             \
	"	.pushsection .note.stapsdt, \"\", \"note\"\n"                     \
	"	.balign 4\n"                                                      \
	"	.4byte 992f - 991f, 994f - 993f, 3\n"                             \
	"991:	.asciz \"stapsdt\"\n"                                         \
	"992:	.balign 4\n"                                                  \
	"993:	.8byte 990b, _.stapsdt.base, 0\n"                             \
	"	.asciz \"" provider "\", \"" name "\", \"" arguments "\"\n" \
	"994:	.balign 4\n"                                                  \
	"	.popsection\n"                                                    \
	"	.ifndef _.stapsdt.base\n"                                         \
	"	.pushsection .stapsdt.base, \"aG\", \"progbits\", "               \
	".stapsdt.base, comdat\n"                                           \
	"	.weak _.stapsdt.base\n"                                           \
	"	.hidden _.stapsdt.base\n"                                         \
	"_.stapsdt.base: .space 1\n"                                        \
	"	.size _.stapsdt.base, 1\n"                                        \
	"	.popsection\n"                                                    \
	"	.endif\n"

#define PROBE1(provider, name, a)                                                       \
	__asm__ volatile(PROBE_SITE_("", provider, name, "8@%%rdi")::"D"((uint64_t)(a)) \
			 : "memor"                                                      \
			   "y")

#define PROBE3_(label, provider, name, a, b, c)                                                    \
	__asm__ volatile(                                                                          \
		PROBE_SITE_(label, provider, name, "8@%%rdi 8@%%rsi 8@%%rdx")::"D"((uint64_t)(a)), \
		"S"((uint64_t)(b)), "d"((uint64_t)(c))                                             \
		: "memory")
#define PROBE3(provider, name, a, b, c) PROBE3_("", provider, name, a, b, c)
#define PROBE3_AT(at, provider, name, a, b, c) PROBE3_(#at ":\n", provider, name, a, b, c)

typedef const volatile unsigned char arch_probe_code[];

/* elf.h: R_X86_64_64, R_X86_64_GLOB_DAT and R_X86_64_JUMP_SLOT */
static inline bool arch_reloc_is_address(uint32_t type)
{
	return type == 1 || type == 6 || type == 7;
}

static inline bool arch_reloc_is_lazy(uint32_t type)
{
	return type == 7;
}

static inline bool arch_probe_is_idle(arch_probe_code at)
{
	return at[0] == 0x90 && at[1] == 0x0f;
}

/* A sequence of instructions without effect. rax points to the request and its arguments, and rdx
 * receives the result (valgrind.h). */
static inline bool arch_is_on_valgrind(void)
{
	uint64_t request[6] = {0x1001}, answer = 0;

	__asm__ volatile(
		"rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
		"xchgq %%rbx, %%rbx"
		: "+d"(answer)
		: "a"(request)
		: "cc", "memory");
	return answer != 0;
}

#endif
