/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which frames and samples of a profile are looked at, by the rules of pprof's -focus, -ignore, -hide,
 * -show_from and drop_frames: an expression is tried on a frame's function, source file and module.
 * Expressions are POSIX extended ones (regex(7)).
 */
#ifndef CPROF_VIEW_FILTER_H
#define CPROF_VIEW_FILTER_H

#include "base/error.h"
#include "profile/profile.h"

struct filter_options {
	/* NULL: none */
	const char *focus; /* only stacks with such a frame */
	const char *ignore; /* no stack with such a frame */
	const char *hide; /* these frames are left out of their stacks */
	const char *show_from; /* stacks begin at such a frame; others are dropped */
	const char *const *labels; /* "key=value" or "key", all of which a sample must have */
	size_t nlabels;
};

/* What the expressions said, location by location. */
struct filter {
	const struct profile *p;
	u8 *locations; /* FILTER_* bits of each */
	bool *line_hidden; /* of each of p->lines */
	const struct filter_options *o;
	bool any;
};

int filter_init(struct filter *f, const struct profile *p, const struct filter_options *o,
		struct error *err) MUST_CHECK;
void filter_release(struct filter *f);

/*
 * The part [*first, *last) of a sample's locations that is left, leaf first; false: the sample is dropped.
 * Locations all of whose lines are hidden are still in it: see filter_hides_location.
 */
bool filter_sample(const struct filter *f, const struct profile_sample *s, u32 *first, u32 *last);
bool filter_hides_location(const struct filter *f, u32 location);

#endif
