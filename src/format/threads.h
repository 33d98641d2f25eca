/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the threads of a profile of cprof threads, grouped by what they do, in place of the text
 * table that other profiles get. */
#ifndef CPROF_FORMAT_THREADS_H
#define CPROF_FORMAT_THREADS_H

#include "format/format.h"

extern const struct format format_threads;

#endif
