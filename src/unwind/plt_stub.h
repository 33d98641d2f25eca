/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Procedure linkage tables that no FDE describes: GNU ld writes one for .plt, but not where all entries
 * are IRELATIVE (static programs); lld writes none at all.
 */
#ifndef CPROF_UNWIND_PLT_STUB_H
#define CPROF_UNWIND_PLT_STUB_H

#include "unwind/function_index.h"
#include "unwind/rows.h"

/* Fixes rules over those sections; the index must be sorted again. 0 or -ENOMEM. */
int plt_stubs_fix(struct function_index *index, struct elf_file *f,
		  struct rule_set *set) MUST_CHECK;

#endif
