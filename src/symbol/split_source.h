/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the parts of split DWARF come from. A program that was compiled with -gsplit-dwarf has only
 * skeleton units with the addresses; each names a .dwo file that has the rest, or all of them are
 * packed in one .dwp file.
 */
#ifndef CPROF_SYMBOL_SPLIT_SOURCE_H
#define CPROF_SYMBOL_SPLIT_SOURCE_H

#include "base/bytes.h"

struct split_request {
	u64 id; /* of the unit */
	const char *name, *directory; /* DW_AT_dwo_name and DW_AT_comp_dir; may be NULL */
};

struct split_contents { /* borrowed from the source */
	/* the sections of the .dwo file, or the unit's part of them in a .dwp file */
	struct bytes info, abbrev, str_offsets, rnglists;
	struct bytes str; /* up to where every string is terminated */
	const void
		*file; /* equal for units of one .dwo file; NULL if they have parts of their own */
};

struct split_source {
	/*
	 * Gives the contents for a skeleton, in which the unit itself is not looked for yet.
	 * Returns 0, -ENOENT if there is no file, -ESTALE if it is of another build, -EBADMSG if it
	 * is damaged, -E2BIG if the budget ran out, or another negative errno of opening it.
	 */
	int (*find)(void *arg, const struct split_request *request, struct split_contents *out);
	void *arg;
};

#endif
