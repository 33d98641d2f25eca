/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DWARF of one file, opened by libdw within the file's budget. libdw reads and unpacks all
 * debug sections at once, whatever they claim, so their sizes are looked at before.
 */
#ifndef CPROF_SYMBOL_DWARF_FILE_H
#define CPROF_SYMBOL_DWARF_FILE_H

#include <elfutils/libdw.h>

#include "elf/elf_file.h"
#include "symbol/line_table.h"

struct dwarf_file {
	struct budget *budget;
	Dwarf *dwarf;
	Dwarf *alt; /* dwz's supplementary file; or NULL */
	struct line_sections lines, alt_lines;
};

/*
 * `f` and `alt` (or NULL) must outlive it. -ENOENT: no DWARF in `f`, or it refers to a
 * supplementary file and `alt` is NULL; -E2BIG: its sections are larger than the budget allows, or
 * than their file makes plausible.
 */
int dwarf_file_init(struct dwarf_file *d, struct elf_file *f, struct elf_file *alt) MUST_CHECK;
void dwarf_file_release(struct dwarf_file *d);

#endif
