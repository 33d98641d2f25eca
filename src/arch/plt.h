/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says how procedure linkage tables are laid out: which sections have one, through which slots of
 * the GOT their stubs jump, and how the frame of a stub is found.
 */
#ifndef CPROF_ARCH_PLT_H
#define CPROF_ARCH_PLT_H

#include "base/bpf_shared.h"
#include "base/bytes.h"

struct arch_plt {
	const char *section; /* NULL at the end of the list */
	u8 stub_bytes; /* 0 if its stubs cannot be named */
	struct unwind_rule rule; /* for a section that no FDE covers */
};

extern const struct arch_plt arch_plts[];

/* Returns the length of the entry at the start of `section` that calls the dynamic linker, 0 if
 * there is none. The rule does not hold in it. */
size_t arch_plt_resolver_bytes(struct bytes section);

/* Gives the slot of a stub, which is at `vaddr` and has `stub_bytes` bytes; `code` may continue
 * after it. Returns false if the stub has none. */
bool arch_plt_slot(struct bytes code, size_t stub_bytes, u64 vaddr, u64 *slot);

/* Matches the expression with which the linker describes the frame of a lazily bound entry; gives
 * the cfa_off of UNWIND_CFA_PLT. */
bool arch_plt_expression(struct bytes expr, s64 *cfa_off);

enum arch_slot {
	ARCH_SLOT_NONE, /* another kind of relocation */
	ARCH_SLOT_SYMBOL, /* the address of the relocation's symbol */
	ARCH_SLOT_RESOLVED, /* what the function at the relocation's addend returns */
};

/* Says what the loader writes where there is a relocation of this type. */
enum arch_slot arch_slot_kind(u32 relocation_type);

#endif
