/* SPDX-License-Identifier: Apache-2.0 */
/* Names for a profile that was read from a file without any, from the programs of this machine. */
#ifndef CPROF_SYMBOL_SYMBOLIZE_FILES_H
#define CPROF_SYMBOL_SYMBOLIZE_FILES_H

#include "base/readers.h"
#include "profile/profile.h"

/*
 * Opens the file of every mapping that has no functions and names the addresses in it. A file that is not here,
 * or has another build id than the mapping, leaves its addresses without names. `readers` may
 * be NULL. 0 or -ENOMEM.
 */
int symbolize_from_files(struct profile *p, struct readers *readers) MUST_CHECK;

#endif
