/* SPDX-License-Identifier: Apache-2.0 */
/* Names for a profile that was read from a file without any, from the programs of this machine. */
#ifndef CPROF_SYMBOL_SYMBOLIZE_FILES_H
#define CPROF_SYMBOL_SYMBOLIZE_FILES_H

#include "base/readers.h"
#include "symbol/symbolize.h"

/*
 * Opens the files of mappings with addresses that have no functions, at most 4,096, and names the addresses
 * in them. A file that is not here, or has another build id than the mapping, leaves its addresses without
 * names. `readers` may be NULL. `lost` is what was not read of the files. 0 or -ENOMEM.
 */
int symbolize_from_files(struct profile *p, struct readers *readers,
			 struct left_out *lost) MUST_CHECK;

#endif
