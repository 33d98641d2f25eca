/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the variable at an address, from .symtab or .dynsym (gABI chapter 4, "Symbol Table":
 * STT_OBJECT). */
#ifndef CPROF_SYMBOL_DATA_SYMBOL_H
#define CPROF_SYMBOL_DATA_SYMBOL_H

#include "elf/elf_file.h"
#include "symbol/demangler.h"

#define DATA_SYMBOL_SMALL 64u /* in bytes; the largest lock type, pthread_rwlock_t, has 56 */

/*
 * Writes "orders_lock", or "pool+0x28" inside a variable larger than DATA_SYMBOL_SMALL, demangled;
 * false if no variable covers `vaddr`. It reads every symbol, so it is meant for few addresses.
 */
bool data_symbol_name(struct elf_file *f, u64 vaddr, struct demangler *demangler, char *out,
		      size_t size);

#endif
