/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the list of leaks, in place of the text table that other profiles get. It needs
 * inuse_objects and inuse_space. */
#ifndef CPROF_FORMAT_LEAKS_H
#define CPROF_FORMAT_LEAKS_H

#include "format/format.h"

extern const struct format format_leaks;

#endif
