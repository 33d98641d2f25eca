/* SPDX-License-Identifier: Apache-2.0 */
/* Source paths as DWARF has them, tidied: one file has one name, whichever directory it was included from. */
#ifndef CPROF_SYMBOL_SOURCE_PATH_H
#define CPROF_SYMBOL_SOURCE_PATH_H

#include "base/types.h"

/*
 * Writes `path` without empty parts, "." and "x/.."; ".." at the start of a relative path stays. One that
 * does not fit is cut. Textual: what symlinks there were on the build machine is not known here.
 */
void source_path_tidy(const char *path, char *out, size_t size);

#endif
