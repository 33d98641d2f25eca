/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds units in a DWARF package file (.dwp), which has the contents of many .dwo files. Its index,
 * the section .debug_cu_index, is a hash table from the ID of a unit to the parts of each section
 * that belong to it (DWARF 5, section 7.3.5; version 2 is GNU's for DWARF 4,
 * https://gcc.gnu.org/wiki/DebugFissionDWP).
 */
#ifndef CPROF_ELF_DWP_INDEX_H
#define CPROF_ELF_DWP_INDEX_H

#include "base/bytes.h"

enum dwp_part {
	DWP_INFO,
	DWP_ABBREV,
	DWP_STR_OFFSETS,
	DWP_RNGLISTS,
	DWP_PARTS,
};

struct dwp_unit {
	struct {
		u32 offset, size; /* size is 0 if the unit has no such part */
	} parts[DWP_PARTS];
};

struct dwp_index {
	struct bytes ids, rows, columns, offsets, sizes; /* borrowed from the section */
	u32 ncolumns, nunits, nslots;
};

/* Returns 0, or -EBADMSG if the section is damaged or of an unknown version. */
int dwp_index_init(struct dwp_index *index, struct bytes section) MUST_CHECK;

/* Returns false if the package has no such unit. */
bool dwp_index_find(const struct dwp_index *index, u64 id, struct dwp_unit *out);

/* Returns a part of a section; empty if it does not lie within. */
struct bytes dwp_unit_part(const struct dwp_unit *unit, enum dwp_part part, struct bytes section);

#endif
