/* SPDX-License-Identifier: Apache-2.0 */
/* Shortens long C++ and Rust names so that the distinctive part remains. */
#ifndef CPROF_FORMAT_SHORT_NAME_H
#define CPROF_FORMAT_SHORT_NAME_H

#include "base/types.h"

/*
 * Writes `name`, escaped, in at most `columns` characters (0 for any length). As needed, it first
 * drops the parameter list, then template arguments "<...>", then leading namespaces, then the
 * middle of the name. `size` is that of `out`; a name that does not fit there is cut.
 */
void short_name(const char *name, size_t columns, char *out, size_t size);

#endif
