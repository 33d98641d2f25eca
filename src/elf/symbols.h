/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All defined symbols of a file, one after the other, in the order of its symbol table (gABI chapter 4,
 * "Symbol Table"). For who looks for names; symbol/symtab.h is for addresses.
 */
#ifndef CPROF_ELF_SYMBOLS_H
#define CPROF_ELF_SYMBOLS_H

#include "elf/elf_file.h"

/*
 * Names are as long as their file says, and many may be tails of one: whoever compares or measures
 * them bounds that. A name that is longer than this is not shown.
 */
#define ELF_NAME_MAX 65536u

struct elf_symbol {
	const char *name; /* borrowed by the elf_file; may carry "@VERSION" */
	u64 vaddr, size;
	u8 type, bind; /* STT_*, STB_* */
};

/*
 * Calls `visit` for each symbol of `section` (".symtab" or ".dynsym") that is defined and has a
 * name, until it returns other than 0, which is then returned. -ENOENT: no such section; -EBADMSG;
 * -E2BIG: the file's budget ended, after some symbols or before the first.
 */
int elf_symbols_visit(struct elf_file *f, const char *section,
		      int (*visit)(void *arg, const struct elf_symbol *symbol),
		      void *arg) MUST_CHECK;

/*
 * The part of `strings` in which every string ends: a name that begins there can be read without
 * looking for its end first, which for many tails of one long name would take quadratic time.
 */
struct bytes elf_terminated(struct bytes strings);

/* The name at `at` of such a table, which may be empty; NULL when it begins behind it. */
static inline const char *elf_name_at(struct bytes terminated, u64 at)
{
	return at < terminated.len ? (const char *)terminated.data + at : NULL;
}

/* How long a name is without its "@VERSION"; `max` when it is that long or longer. */
size_t elf_name_length(const char *name, size_t max);

#endif
