/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the units of split DWARF readable for libdw, which in the versions of today neither reads
 * package files nor leaves it to its caller which file it opens. The trees of all wanted units are
 * copied one after the other into one image with the sections .debug_info and .debug_abbrev. What
 * else they refer to (strings, addresses, ranges) is in several files and is looked up by
 * dwarf_forms.h.
 */
#ifndef CPROF_SYMBOL_SPLIT_UNITS_H
#define CPROF_SYMBOL_SPLIT_UNITS_H

#include "symbol/dwarf_file.h"
#include "symbol/split_source.h"

#define NO_SPLIT UINT32_MAX

struct split_unit {
	Dwarf_Die skeleton; /* in the program */
	Dwarf_Die die; /* of the unit itself, in the image; set if `open` */
	bool open;
	u64 id;
	u16 version;
	u8 offset_size; /* 8 in the 64-bit format, else 4; known once it is open */
	u64 low_pc; /* what addresses of the unit may be relative to */
	/* where its part of .debug_addr and .debug_ranges begins */
	u64 addr_base, ranges_base;
	struct split_contents contents;
	u64 info_base; /* where its .debug_info.dwo begins in the image */
};

struct split_units;

/* Both must outlive the units. `source` may be NULL. */
int split_units_new(const struct dwarf_file *file, const struct split_source *source,
		    struct split_units **out) MUST_CHECK;
void split_units_free(struct split_units *s); /* NULL is allowed */

/*
 * Looks for the unit of a skeleton (its DIE), and gives its number; NO_SPLIT if it is not a
 * skeleton or has no file. Returns 0, -E2BIG if the budget ran out, or -ENOMEM.
 */
int split_units_add(struct split_units *s, Dwarf_Die *skeleton, u32 *number) MUST_CHECK;
/* Builds the image of all units that were added. */
int split_units_open(struct split_units *s) MUST_CHECK;

/* Returns a unit, borrowed; NULL if the number is NO_SPLIT, or if it could not be opened. */
const struct split_unit *split_units_at(const struct split_units *s, u32 number);
/* Returns the unit that libdw calls `cu`; NULL if that is one of the program. `s` may be NULL. */
const struct split_unit *split_unit_of(const struct split_units *s, Dwarf_CU *cu);

const struct dwarf_file *split_units_file(const struct split_units *s);
Dwarf *split_units_dwarf(const struct split_units *s); /* of the image; NULL if there is none */
struct bytes split_units_image(const struct split_units *s);

/* Writes which files are missing or cannot be read, and why; "" if none. */
void split_units_missing(const struct split_units *s, char *out, size_t size);

#endif
