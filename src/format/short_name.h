/* SPDX-License-Identifier: Apache-2.0 */
/* Long C++ and Rust names, shortened so that what tells them apart remains. */
#ifndef CPROF_FORMAT_SHORT_NAME_H
#define CPROF_FORMAT_SHORT_NAME_H

#include "base/types.h"

/*
 * Writes `name`, escaped, in at most `columns` characters (0: as long as it is). Given up in turn:
 * the parameter list, template arguments "<...>", leading namespaces, the middle of the name. `size` is that of
 * `out`; a name that does not fit in there is cut.
 */
void short_name(const char *name, size_t columns, char *out, size_t size);

#endif
