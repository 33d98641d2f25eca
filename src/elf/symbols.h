/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All defined symbols of a file, one after the other, in the order of its symbol table (gABI chapter 4,
 * "Symbol Table"). For who looks for names; symbol/symtab.h is for addresses.
 */
#ifndef CPROF_ELF_SYMBOLS_H
#define CPROF_ELF_SYMBOLS_H

#include "elf/elf_file.h"

struct elf_symbol {
	const char *name; /* lent by the elf_file; may carry "@VERSION" */
	u64 vaddr, size;
	u8 type, bind; /* STT_*, STB_* */
};

/*
 * Calls `visit` for each symbol of `section` (".symtab" or ".dynsym") that is defined and has a name,
 * until it returns other than 0, which is then returned. -ENOENT: no such section; -EBADMSG.
 */
int elf_symbols_visit(struct elf_file *f, const char *section,
		      int (*visit)(void *arg, const struct elf_symbol *symbol),
		      void *arg) MUST_CHECK;

#endif
