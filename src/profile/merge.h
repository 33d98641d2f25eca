/* SPDX-License-Identifier: Apache-2.0 */
/* Merges several profiles of one kind into one. */
#ifndef CPROF_PROFILE_MERGE_H
#define CPROF_PROFILE_MERGE_H

#include "base/error.h"
#include "profile/profile.h"

/*
 * Creates a profile with the samples of all `n`; equal stacks with equal labels are added up.
 * Modules are matched by build id, or else by path, and locations within them by offset, so they
 * may be loaded at different addresses. The result has the longest period, the earliest time and
 * the sum of the durations. Returns -EINVAL with a text if the sample types, or what the period
 * counts, differ.
 */
int profile_merge(const struct profile *const *from, size_t n, struct profile **out,
		  struct error *err) MUST_CHECK;

#endif
