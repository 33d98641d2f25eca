/* SPDX-License-Identifier: Apache-2.0 */
/* Normalizes source paths from DWARF, so that one file has one name, whichever directory it was
 * included from. */
#ifndef CPROF_SYMBOL_SOURCE_PATH_H
#define CPROF_SYMBOL_SOURCE_PATH_H

#include "base/types.h"

/*
 * Writes `path` without empty parts, "." and "x/.."; ".." at the start of a relative path stays. A
 * path that does not fit is cut. This works on the text alone, because the symlinks of the build
 * machine are unknown here.
 */
void source_path_tidy(const char *path, char *out, size_t size);

#endif
