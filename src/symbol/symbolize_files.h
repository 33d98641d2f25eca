/* SPDX-License-Identifier: Apache-2.0 */
/* Symbolizes a profile that was read from a file without names, from the programs of this
 * machine. */
#ifndef CPROF_SYMBOL_SYMBOLIZE_FILES_H
#define CPROF_SYMBOL_SYMBOLIZE_FILES_H

#include "base/readers.h"
#include "symbol/symbolize.h"

/*
 * Opens the files of mappings with addresses that have no functions, at most 4,096, and names the
 * addresses in them. If a file does not exist here, or has another build id than the mapping, its
 * addresses stay without names. `readers` may be NULL. `lost` receives what was not read of the
 * files. Returns 0 or -ENOMEM.
 */
int symbolize_from_files(struct profile *p, struct readers *readers,
			 struct left_out *lost) MUST_CHECK;

#endif
