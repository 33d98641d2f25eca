/* SPDX-License-Identifier: Apache-2.0 */
/* Applies a filter to the profile itself, for output that is written rather than shown. */
#ifndef CPROF_VIEW_APPLY_H
#define CPROF_VIEW_APPLY_H

#include "view/filter.h"

/*
 * Leaves only those samples and frames in `p` that the filter lets through, as reports show them.
 * Samples that become equal are not merged, and nothing can be added to `p` any more, because its
 * numbers have changed.
 */
int filter_apply(struct profile *p, const struct filter_options *o, struct error *err) MUST_CHECK;

bool filter_is_empty(const struct filter_options *o);

#endif
