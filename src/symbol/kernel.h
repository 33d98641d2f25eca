/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel's function names from /proc/kallsyms, whose lines are "ADDRESS TYPE
 * NAME[\t[MODULE]]". To readers that kptr_restrict does not trust, all addresses are 0
 * (Documentation/admin-guide/sysctl/kernel.rst).
 */
#ifndef CPROF_SYMBOL_KERNEL_H
#define CPROF_SYMBOL_KERNEL_H

#include "base/bytes.h"
#include "base/types.h"

struct kernel_symbols;

/* Parses the text of kallsyms, and takes it over to be freed. Returns -EPERM if all addresses are
 * hidden. */
int kernel_symbols_parse(char *text, size_t len, struct kernel_symbols **out) MUST_CHECK;
int kernel_symbols_read(struct kernel_symbols **out) MUST_CHECK; /* reads at most 128 MiB of text */
void kernel_symbols_free(struct kernel_symbols *k); /* NULL is allowed */

/*
 * Gives name and start of the function that covers `address`; NULL if none does. `module` is "" for
 * the kernel itself. All strings are borrowed.
 */
const char *kernel_symbols_find(const struct kernel_symbols *k, u64 address, const char **module);

#endif
