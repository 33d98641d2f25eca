/* SPDX-License-Identifier: Apache-2.0 */
/* The list of leaks: what a text table is to other profiles. Needs inuse_objects and inuse_space. */
#ifndef CPROF_FORMAT_LEAKS_H
#define CPROF_FORMAT_LEAKS_H

#include "format/format.h"

extern const struct format format_leaks;

#endif
