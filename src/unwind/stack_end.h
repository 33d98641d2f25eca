/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds code where a stack ends or changes although the call frame information does not say so: the
 * program's entry point, musl's start-up code, and Go's runtime functions that begin a goroutine or
 * switch stacks.
 */
#ifndef CPROF_UNWIND_STACK_END_H
#define CPROF_UNWIND_STACK_END_H

#include "unwind/function_index.h"
#include "unwind/rows.h"

/* Recognizes a Go program or library, where frame pointers are valid if no table covers the
 * code. */
bool elf_is_go(struct elf_file *f);

/* Adds fixed rules for those functions and sorts the index again. Returns 0 or -ENOMEM. */
int stack_ends_fix(struct function_index *index, struct elf_file *f, struct elf_file *debug,
		   struct rule_set *set) MUST_CHECK;

#endif
