/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds function names by address in an ELF symbol table (.symtab or .dynsym; gABI chapter 4,
 * "Symbol Table"). Symbols of size 0 extend to the next one, or to the end of their section's
 * addresses.
 */
#ifndef CPROF_SYMBOL_SYMTAB_H
#define CPROF_SYMBOL_SYMTAB_H

#include "elf/elf_file.h"

struct symbol {
	u64 start, end;
	const char *name; /* borrowed from the elf_file */
	bool sized; /* the table gives its size; if not, the next symbol ends it */
	bool typed; /* the table says that it is a function; if false, it may be a label */
};

struct symtab;

/*
 * `section` is ".symtab" or ".dynsym". Returns -ENOENT if it contains no functions, or -E2BIG if
 * the file's budget (BUDGET_SYMBOLS) ran out.
 */
int symtab_new(struct elf_file *f, const char *section, struct symtab **out) MUST_CHECK;
void symtab_free(struct symtab *t); /* NULL is allowed */
/*
 * Returns the function that covers `vaddr`, or NULL. Of several names at one address the best one
 * is chosen: global before weak before local, and then the one with fewer leading underscores. Of
 * several functions that overlap there, it is the one that begins last. Labels inside a function
 * are part of it. Names may have any length.
 */
const struct symbol *symtab_find(const struct symtab *t, u64 vaddr);

#endif
