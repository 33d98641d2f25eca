/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the DWARF of one file with libdw, within the file's budget. libdw reads and unpacks all
 * debug sections at once, whatever size they claim, so their sizes are checked first.
 */
#ifndef CPROF_SYMBOL_DWARF_FILE_H
#define CPROF_SYMBOL_DWARF_FILE_H

#include <elfutils/libdw.h>

#include "elf/elf_file.h"
#include "symbol/line_table.h"

struct dwarf_file {
	struct budget *budget;
	struct elf_file *elf; /* as it was given */
	Dwarf *dwarf;
	Dwarf *alt; /* dwz's supplementary file, or NULL */
	struct line_sections lines, alt_lines;
	struct bytes addr, ranges; /* .debug_addr and .debug_ranges, for split units */
	struct elf_file *unpacked,
		*unpacked_alt; /* what libdw reads instead of the files, or NULL */
};

/*
 * `f` and `alt` (or NULL) must outlive it. Returns -ENOENT if there is no DWARF in `f`; -ENOLINK if
 * it refers to a supplementary file and `alt` is NULL; -EBADMSG if its sections are damaged, or
 * larger than their file makes plausible; -E2BIG if they are larger than the budget allows; or
 * -ENOMEM.
 */
int dwarf_file_init(struct dwarf_file *d, struct elf_file *f, struct elf_file *alt) MUST_CHECK;
void dwarf_file_release(struct dwarf_file *d);

#endif
