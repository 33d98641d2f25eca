/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names the stubs of the procedure linkage table ("malloc@plt"), which are not in any symbol table.
 * A stub jumps through a slot of the GOT, and the relocation of that slot names the function. The
 * stubs are decoded rather than counted, because linkers lay them out in several ways.
 */
#ifndef CPROF_SYMBOL_PLT_H
#define CPROF_SYMBOL_PLT_H

#include "symbol/symtab.h"

struct plt;

/* Returns -ENOENT if no slot has a name, or -E2BIG if the file's budget ran out. `f` must outlive
 * it. */
int plt_new(struct elf_file *f, struct plt **out) MUST_CHECK;
void plt_free(struct plt *p); /* NULL is allowed */
const struct symbol *plt_find(struct plt *p, u64 vaddr); /* NULL if not in a named stub */
/*
 * Returns the symbol whose address the loader writes into a slot of the GOT; borrowed from the
 * elf_file. NULL if there is none.
 */
const char *plt_slot_name(const struct plt *p, u64 vaddr);

#endif
