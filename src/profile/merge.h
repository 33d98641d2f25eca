/* SPDX-License-Identifier: Apache-2.0 */
/* Several profiles of one kind as one. */
#ifndef CPROF_PROFILE_MERGE_H
#define CPROF_PROFILE_MERGE_H

#include "base/error.h"
#include "profile/profile.h"

/*
 * A new profile with the samples of all `n`; equal stacks with equal labels are added up. Modules are matched by
 * build id, else by path, and locations within them by offset, so that they may be loaded anywhere. The
 * period is the longest, the time the earliest, durations are summed. -EINVAL with a text when sample types or
 * what the period counts differ.
 */
int profile_merge(const struct profile *const *from, size_t n, struct profile **out,
		  struct error *err) MUST_CHECK;

#endif
