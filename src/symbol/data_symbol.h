/* SPDX-License-Identifier: Apache-2.0 */
/* The variable at an address, from .symtab or .dynsym (gABI chapter 4, "Symbol Table": STT_OBJECT). */
#ifndef CPROF_SYMBOL_DATA_SYMBOL_H
#define CPROF_SYMBOL_DATA_SYMBOL_H

#include "elf/elf_file.h"

#define DATA_SYMBOL_SMALL 64u /* bytes; pthread_rwlock_t, the biggest of the locks, has 56 */

/*
 * Writes "orders_lock", or "pool+0x28" inside a bigger variable than that, demangled; false when no variable covers
 * `vaddr`. Looks at every symbol: for a few addresses, not for many.
 */
bool data_symbol_name(struct elf_file *f, u64 vaddr, char *out, size_t size);

#endif
