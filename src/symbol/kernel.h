/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's function names: /proc/kallsyms, lines "ADDRESS TYPE NAME[\t[MODULE]]". Readers whom
 * kptr_restrict does not trust see every address as 0 (Documentation/admin-guide/sysctl/kernel.rst).
 */
#ifndef CPROF_SYMBOL_KERNEL_H
#define CPROF_SYMBOL_KERNEL_H

#include "base/bytes.h"
#include "base/types.h"

struct kernel_symbols;

/* Parses the text of kallsyms, which is kept and freed. -EPERM: all addresses are hidden. */
int kernel_symbols_parse(char *text, size_t len, struct kernel_symbols **out) MUST_CHECK;
int kernel_symbols_read(struct kernel_symbols **out) MUST_CHECK; /* at most 128 MiB of text */
void kernel_symbols_free(struct kernel_symbols *k); /* NULL is fine */

/*
 * Name and start of the function that covers `address`; NULL when none does. `module` is "" for the
 * kernel itself. All borrowed.
 */
const char *kernel_symbols_find(const struct kernel_symbols *k, u64 address, const char **module);

#endif
