/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Covers procedure linkage tables that no FDE describes. GNU ld writes an FDE for .plt, but not if
 * all entries are IRELATIVE (static programs); lld never writes one.
 */
#ifndef CPROF_UNWIND_PLT_STUB_H
#define CPROF_UNWIND_PLT_STUB_H

#include "unwind/function_index.h"
#include "unwind/rows.h"

/* Adds fixed rules for those sections; the index must be sorted again. Returns 0 or -ENOMEM. */
int plt_stubs_fix(struct function_index *index, struct elf_file *f,
		  struct rule_set *set) MUST_CHECK;

#endif
