/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognizes text that a program has moved away from its file. Servers copy their code to huge
 * pages this way: to anonymous memory, or to a file in memory (memfd_create(2), hugetlbfs). The
 * code keeps its addresses, so the program headers of the file that is mapped around it tell which
 * part of the file it is. Generated code may be there as well, so samples of the bytes are compared
 * with the file.
 */
#ifndef CPROF_TARGET_MOVED_TEXT_H
#define CPROF_TARGET_MOVED_TEXT_H

#include <sys/types.h>

#include "elf/elf_file.h"
#include "target/maps.h"

struct moved_text { /* the part of a mapping that is text of a file */
	u64 start, end;
	u64 shift; /* file offset = address + shift */
};

/*
 * Returns whether `e`, an entry of `maps`, is executable memory without a file at a place where a
 * file may have been: beside a mapping of a file, or between two of the same one. Generated code
 * mostly is elsewhere.
 */
bool moved_text_is_likely(const map_vec *maps, const struct map_entry *e);

#define MOVED_TEXT_AROUND 2u

/* Finds the files that are mapped next to `e`, an entry of `maps`: the nearest one below, and the
 * nearest one above. Returns how many there are; they are borrowed from `maps`. */
u32 moved_text_around(const map_vec *maps, const struct map_entry *e,
		      const struct map_entry *around[MOVED_TEXT_AROUND]);

/*
 * Returns whether the code that process `tgid` has at `e` is text of the file `elf`, of which
 * another part is mapped at `around`. It is false as well if the memory cannot be read.
 */
bool moved_text_is_of(pid_t tgid, const struct map_entry *e, const struct map_entry *around,
		      struct elf_file *elf, struct moved_text *out);

#endif
