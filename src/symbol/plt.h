/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the stubs of the procedure linkage table ("malloc@plt"), which no symbol table lists. A stub
 * jumps through a slot of the GOT, and the relocation of that slot names the function (psABI 5.2), so
 * the stubs are read rather than counted: linkers lay them out in several ways.
 */
#ifndef CPROF_SYMBOL_PLT_H
#define CPROF_SYMBOL_PLT_H

#include "symbol/symtab.h"

struct plt;

/* -ENOENT: no slot has a name; -E2BIG: the file's budget ended. `f` must outlive it. */
int plt_new(struct elf_file *f, struct plt **out) MUST_CHECK;
void plt_free(struct plt *p); /* NULL is fine */
const struct symbol *plt_find(struct plt *p, u64 vaddr); /* NULL: not in a named stub */
/*
 * The symbol whose address the loader writes into a slot of the GOT; borrowed from the elf_file.
 * NULL: there is none.
 */
const char *plt_slot_name(const struct plt *p, u64 vaddr);

#endif
