/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names one module's addresses from the best source that knows them: DWARF in the file or in its
 * separate debug file; .symtab of either; .gnu_debugdata; .dynsym; the relocations behind PLT
 * stubs; Go's own function table; and, for stripped code, the starts of functions in .eh_frame.
 */
#ifndef CPROF_SYMBOL_MODULE_NAMES_H
#define CPROF_SYMBOL_MODULE_NAMES_H

#include "symbol/dwarf_index.h"
#include "target/module.h"

enum name_source {
	NAME_FROM_NOTHING, /* no frame has a name; n may be 0 */
	NAME_FROM_START, /* the start of the function is known (low_pc), but not its name */
	NAME_FROM_SYMBOL,
	NAME_FROM_DWARF,
};

/* This is called exactly once for each address, in any order. The frames are those of
 * dwarf_index.h, borrowed. */
typedef int (*module_name_fn)(void *arg, size_t which, enum name_source source,
			      const struct dwarf_frame *frames, u32 n);

#define MODULE_NAMES_UNREAD 400

struct module_names_info {
	bool has_dwarf; /* whether there is debug information for this module */
	/* why some of it was not read, such as "its sections are damaged"; or "" */
	char unread[MODULE_NAMES_UNREAD];
};

/* `m->elf` must not be NULL, and `vaddrs` are sorted. Returns 0, the result of the callback, or
 * -ENOMEM. */
int module_names_resolve(struct module *m, const u64 *vaddrs, size_t n, module_name_fn found,
			 void *arg, struct module_names_info *info) MUST_CHECK;

/* Does the same without DWARF, which a library reads. */
int module_names_from_symbols(struct module *m, const u64 *vaddrs, size_t n, module_name_fn found,
			      void *arg, struct module_names_info *info) MUST_CHECK;

#endif
