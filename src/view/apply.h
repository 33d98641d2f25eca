/* SPDX-License-Identifier: Apache-2.0 */
/* A filter's effect on a profile itself, for what is written rather than shown. */
#ifndef CPROF_VIEW_APPLY_H
#define CPROF_VIEW_APPLY_H

#include "view/filter.h"

/*
 * Leaves in `p` only the samples and frames that the filter lets through, as reports show them. Samples that
 * are equal afterwards stay apart, and nothing can be added to `p` any more: its numbers have changed.
 */
int filter_apply(struct profile *p, const struct filter_options *o, struct error *err) MUST_CHECK;

bool filter_is_empty(const struct filter_options *o);

#endif
