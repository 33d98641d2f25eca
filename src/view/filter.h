/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selects the frames and samples of a profile by the rules of pprof's -focus, -ignore, -hide,
 * -show_from and drop_frames. An expression is matched against a frame's function, source file and
 * module. Expressions are POSIX extended ones (regex(7)).
 */
#ifndef CPROF_VIEW_FILTER_H
#define CPROF_VIEW_FILTER_H

#include "base/error.h"
#include "profile/profile.h"

struct filter_options {
	/* Each is NULL if not given. */
	const char *focus; /* keep only stacks with such a frame */
	const char *ignore; /* drop stacks with such a frame */
	const char *hide; /* leave these frames out of their stacks */
	const char *show_from; /* begin stacks at such a frame and drop the others */
	const char *const *labels; /* as label_filter.h describes; a sample must match all */
	size_t nlabels;
};

struct label_filter;

/* Holds the results of the expressions for each location. */
struct filter {
	const struct profile *p;
	u8 *locations; /* FILTER_* bits of each location */
	bool *line_hidden; /* for each of p->lines */
	const struct filter_options *o;
	struct label_filter *labels; /* o->nlabels */
	bool any;
};

int filter_init(struct filter *f, const struct profile *p, const struct filter_options *o,
		struct error *err) MUST_CHECK;
void filter_release(struct filter *f);

/*
 * Gives the part [*first, *last) of a sample's locations that is left, leaf first; false if the
 * sample is dropped. Locations all of whose lines are hidden are still in it: see
 * filter_hides_location.
 */
bool filter_sample(const struct filter *f, const struct profile_sample *s, u32 *first, u32 *last);
bool filter_hides_location(const struct filter *f, u32 location);

#endif
