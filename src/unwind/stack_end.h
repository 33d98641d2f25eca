/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code where a stack ends, or changes, without the call frame information saying so: the program's
 * entry point, musl's start-up code, and Go's run-time functions that begin a goroutine or switch stacks.
 */
#ifndef CPROF_UNWIND_STACK_END_H
#define CPROF_UNWIND_STACK_END_H

#include "unwind/function_index.h"
#include "unwind/rows.h"

/* A Go program or library: frame pointers hold where no table speaks. */
bool elf_is_go(struct elf_file *f);

/* Fixes rules over those functions; sorts the index again. 0 or -ENOMEM. */
int stack_ends_fix(struct function_index *index, struct elf_file *f, struct elf_file *debug,
		   struct rule_set *set) MUST_CHECK;

#endif
