/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Visits all defined symbols of a file in the order of its symbol table (gABI chapter 4, "Symbol
 * Table"). It serves callers that look up names; symbol/symtab.h looks up addresses.
 */
#ifndef CPROF_ELF_SYMBOLS_H
#define CPROF_ELF_SYMBOLS_H

#include "elf/elf_file.h"

/*
 * The file decides how long names are, and many may be tails of one, so whoever compares or
 * measures them must bound that. A longer name is not shown.
 */
#define ELF_NAME_MAX 65536u

struct elf_symbol {
	const char *name; /* borrowed from the elf_file; may carry "@VERSION" */
	u64 vaddr, size;
	u8 type, bind; /* STT_*, STB_* */
};

/*
 * Calls `visit` for each symbol of `section` (".symtab" or ".dynsym") that is defined and has a
 * name, until it returns something other than 0, which is then returned. Returns -ENOENT if there
 * is no such section, -EBADMSG, or -E2BIG if the file's budget ran out, possibly before the first
 * symbol.
 */
int elf_symbols_visit(struct elf_file *f, const char *section,
		      int (*visit)(void *arg, const struct elf_symbol *symbol),
		      void *arg) MUST_CHECK;

/*
 * Returns the part of `strings` in which every string is terminated. A name that begins there can
 * be read without searching for its end first, which would take quadratic time for many tails of
 * one long name.
 */
struct bytes elf_terminated(struct bytes strings);

/* Returns the name at `at` of such a table, which may be empty; NULL if `at` is past its end. */
static inline const char *elf_name_at(struct bytes terminated, u64 at)
{
	return at < terminated.len ? (const char *)terminated.data + at : NULL;
}

/* Returns the length of a name without its "@VERSION", or `max` if it is at least that long. */
size_t elf_name_length(const char *name, size_t max);

#endif
