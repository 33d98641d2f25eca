/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds Go's functions that continue on another stack (enum unwind_go of shared.h), and where the
 * runtime of this program keeps what the walker needs to follow them. The latter is read from the
 * code of those functions, so neither a version nor a symbol has to be known.
 */
#ifndef CPROF_UNWIND_GO_SWITCH_H
#define CPROF_UNWIND_GO_SWITCH_H

#include "base/bpf_shared.h"
#include "elf/elf_file.h"

#define GO_SWITCHES_MAX 16

/* This extends enum unwind_go: there is no switch, but C's frame pointer is saved in the frame of
 * this function (crosscall2). */
#define GO_C_FRAME 0xff

struct go_switch { /* describes one such function */
	u64 start;
	u8 kind; /* enum unwind_go, or GO_C_FRAME */
	u8 name; /* index in the list of known names */
	s16 fp_off; /* with GO_C_FRAME: offset of the saved frame pointer from the CFA */
};

struct go_switches {
	struct go_switch list[GO_SWITCHES_MAX];
	size_t n;
	/* offset of g from the thread pointer; 0 if unknown (for a library it is only known at run
	 * time) */
	s16 tls;
	s16 curg; /* offset of curg in m */
	s16 slot; /* offset of g in asmcgocall's frame */
};

/* Adds the function `name` at `start` if it is one of them. */
void go_switches_add(struct go_switches *s, struct elf_file *f, const char *name, u64 start);

const struct go_switch *go_switches_find(const struct go_switches *s, u64 start);

/* Converts a row of the function `at`, as its table has it, to the walker's form. */
struct unwind_rule go_switch_rule(const struct go_switches *s, const struct go_switch *at,
				  const struct unwind_rule *rule);

#endif
