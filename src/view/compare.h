/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares two profiles function by function. Functions are matched by name and module, so another
 * build or address layout does not matter.
 *
 * A change may be noise, because a sampled count is a Poisson variable. If a function cost the same
 * in both profiles, then each of its n = n0 + n1 samples falls into the base with a probability q
 * that follows from how much one sample is worth in each profile, so n0 is binomial(n, q). A change
 * counts as noise if an outcome at least as unlikely as this one has a probability of COMPARE_ALPHA
 * or more (an exact two-sided test; above COMPARE_EXACT samples, a normal approximation). Timer
 * samples are more regular than a Poisson process, so the test is more likely to call a real change
 * noise than the reverse.
 */
#ifndef CPROF_VIEW_COMPARE_H
#define CPROF_VIEW_COMPARE_H

#include "view/view.h"

#define COMPARE_ALPHA 0.01
#define COMPARE_EXACT 10000

/*
 * How values of the base are scaled. A longer recording counts more of everything that adds up with
 * time, so if the durations differ by more than COMPARE_SAME_DURATION, the base is multiplied by
 * their ratio, which compares values per second of recording. What a profile holds at its end, such
 * as live memory, does not depend on the duration.
 */
enum compare_scale {
	COMPARE_PER_SECOND,
	COMPARE_RAW,
	COMPARE_TOTALS, /* makes both totals equal */
};

#define COMPARE_SAME_DURATION 0.01

struct compare_options {
	const char *sample_type; /* NULL for the default of the new profile */
	struct filter_options filter;
	enum compare_scale scale;
	bool by_cum;
};

struct compare_row {
	const char *name, *module; /* borrowed from the profiles' views */
	s64 base, now; /* flat or cum; the base's value is scaled */
	s64 base_count, now_count; /* samples; -1 if the profiles do not say */
	u8 kind; /* enum profile_mapping_kind */
	bool known_noise; /* whether the counts allow a test */
	bool noise; /* the change is within sampling noise */
};

struct compare {
	struct view *base_view, *now_view;
	VEC(struct compare_row) rows; /* largest change first */
	const char *type, *unit; /* borrowed */
	s64 base_total, now_total; /* of all samples; that of the base is scaled */
	double scale; /* the factor by which the base was multiplied */
	enum compare_scale scaled_by; /* why; COMPARE_RAW if the factor is 1 */
	s64 base_duration, now_duration; /* nanoseconds; 0 if unknown */
};

/* Returns whether values of this type are what there is at the end, and not what has come up since
 * the beginning. */
bool compare_is_level(const char *type);

int compare_new(const struct profile *base, const struct profile *now,
		const struct compare_options *o, struct compare **out,
		struct error *err) MUST_CHECK;
void compare_free(struct compare *c);

/*
 * Returns the probability, assuming equal cost, of a split of n0 + n1 samples at least as unlikely
 * as this one; `q` is the share of the base.
 */
double compare_probability(u64 n0, u64 n1, double q);

#endif
