/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's own function table, which the runtime needs for its tracebacks and which stripping leaves in
 * place: names, files and lines of Go code without DWARF and .symtab (Go source: debug/gosym/pclntab.go,
 * runtime/symtab.go). Versions of Go 1.16, 1.18 and 1.20, 64-bit little-endian.
 */
#ifndef CPROF_ELF_GOPCLNTAB_H
#define CPROF_ELF_GOPCLNTAB_H

#include "elf/elf_file.h"

struct gopclntab;

struct go_line {
	const char *name, *file; /* borrowed by the elf_file; file is NULL when unknown */
	u64 start; /* of the function */
	u32 line; /* 0: unknown */
};

/*
 * Reads the table of `f`, which must outlive it. -ENOENT: none, or of a version that we do not
 * know. When the file's budget (BUDGET_GO) ends, functions are as if they were not there.
 */
int gopclntab_new(struct elf_file *f, struct gopclntab **out) MUST_CHECK;
void gopclntab_free(struct gopclntab *t); /* NULL is fine */

struct go_function {
	u64 start, end;
	const char *name; /* borrowed; NULL when it cannot be read */
};

u64 gopclntab_count(const struct gopclntab *t);
bool gopclntab_function(const struct gopclntab *t, u64 i, struct go_function *out);
/*
 * How far below its value at the entry the stack pointer is: ascending pcs of function `i`, each with the
 * distance from there on. 0, or what `visit` returned when it was not 0.
 */
int gopclntab_sp(const struct gopclntab *t, u64 i, int (*visit)(void *arg, u64 pc, s64 distance),
		 void *arg);

bool gopclntab_find(const struct gopclntab *t, u64 vaddr, struct go_line *out);

#endif
