/* SPDX-License-Identifier: Apache-2.0 */
/* Gives counts of several profiles one unit, so that they can be added up and compared. */
#ifndef CPROF_FORMAT_ALIGN_COUNTS_H
#define CPROF_FORMAT_ALIGN_COUNTS_H

#include "profile/profile.h"

/*
 * Folded stacks with fractions have smaller units of counts than others (units.h). If sample types
 * of one name have different ones, all get the smallest. Values that do not fit stay at the limit.
 * Returns 0 or -ENOMEM.
 */
int counts_align(struct profile *const *profiles, size_t n) MUST_CHECK;

#endif
