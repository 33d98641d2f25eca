/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's functions that go on on another stack (enum unwind_go of shared.h): which they are, and where the
 * run time of this program keeps what the walker needs to follow them. The latter is taken from the code
 * of those functions, so that neither a version nor a symbol has to be known.
 */
#ifndef CPROF_UNWIND_GO_SWITCH_H
#define CPROF_UNWIND_GO_SWITCH_H

#include "base/bpf_shared.h"
#include "elf/elf_file.h"

#define GO_SWITCHES_MAX 16

/* Beside enum unwind_go: no switch, but C's rbp is saved in this function's frame (crosscall2). */
#define GO_C_FRAME 0xff

struct go_switch { /* one such function */
	u64 start;
	u8 kind; /* enum unwind_go, or GO_C_FRAME */
	u8 name; /* its number among the names we know */
	s16 rbp_off; /* with GO_C_FRAME: where, from the CFA on */
};

struct go_switches {
	struct go_switch list[GO_SWITCHES_MAX];
	size_t n;
	s16 tls; /* of g, from the thread pointer on; 0: unknown (a library's is known at run time only) */
	s16 curg; /* of curg in m */
	s16 slot; /* of g in asmcgocall's frame */
};

/* Is the function `name` at `start` one of them? Then it is added. */
void go_switches_add(struct go_switches *s, struct elf_file *f, const char *name, u64 start);

const struct go_switch *go_switches_find(const struct go_switches *s, u64 start);

/* A row of the function `at`, as its table has it, becomes the walker's. */
struct unwind_rule go_switch_rule(const struct go_switches *s, const struct go_switch *at,
				  const struct unwind_rule *rule);

#endif
