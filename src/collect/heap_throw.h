/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets exceptions pass through probed operators new (bpf/heap_throw.bpf.c). Loaded when it is asked for
 * the first time.
 */
#ifndef CPROF_COLLECT_HEAP_THROW_H
#define CPROF_COLLECT_HEAP_THROW_H

#include "base/log.h"
#include "base/types.h"

struct heap_throw;

/* `links`: for uprobe_multi links (collect/uprobe.h). Borrows `log`. */
int heap_throw_new(bool links, const struct log *log, struct heap_throw **out) MUST_CHECK;
void heap_throw_free(struct heap_throw *t);

/* The program for the entry of _Unwind_RaiseException; negative when this kernel does not allow it. */
int heap_throw_program(struct heap_throw *t);

/* Any allocation may fail, not only absurd ones (Documentation/mm/overcommit-accounting.rst, mode 2). */
bool heap_throw_strict(void);

#endif
