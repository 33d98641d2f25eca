/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's own function table, which the runtime needs for its tracebacks and which stripping leaves in
 * place. It gives names, files and lines of Go code without DWARF and .symtab (Go source:
 * debug/gosym/pclntab.go, runtime/symtab.go). The formats of Go 1.16, 1.18 and 1.20 are known,
 * 64-bit little-endian.
 */
#ifndef CPROF_ELF_GOPCLNTAB_H
#define CPROF_ELF_GOPCLNTAB_H

#include "elf/elf_file.h"

struct gopclntab;

struct go_line {
	const char *name, *file; /* borrowed from the elf_file; file is NULL if unknown */
	u64 start; /* start of the function */
	u32 line; /* 0 if unknown */
};

/*
 * Reads the table of `f`, which must outlive it. Returns -ENOENT if there is none, or one of an
 * unknown version. Once the file's budget (BUDGET_GO) is used up, lookups find no function.
 */
int gopclntab_new(struct elf_file *f, struct gopclntab **out) MUST_CHECK;
void gopclntab_free(struct gopclntab *t); /* NULL is allowed */

struct go_function {
	u64 start, end;
	const char *name; /* borrowed; NULL if it cannot be read */
};

u64 gopclntab_count(const struct gopclntab *t);
bool gopclntab_function(const struct gopclntab *t, u64 i, struct go_function *out);
/*
 * Visits the ascending pcs of function `i` at which the stack pointer changes. Each comes with how
 * far the stack pointer is below its value at the entry from there on. Returns 0, or what `visit`
 * returned if that was not 0.
 */
int gopclntab_sp(const struct gopclntab *t, u64 i, int (*visit)(void *arg, u64 pc, s64 distance),
		 void *arg);

bool gopclntab_find(const struct gopclntab *t, u64 vaddr, struct go_line *out);

#endif
