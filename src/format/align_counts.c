/* SPDX-License-Identifier: Apache-2.0 */
/* Gives counts of several profiles one unit: see align_counts.h. */
#include "format/align_counts.h"

#include <errno.h>
#include <string.h>

#include "format/units.h"

/* Returns how many of the type's unit are one; 0 if it does not count. */
static s64 per_count(const struct profile *p, size_t type)
{
	const char *unit = profile_text(p, p->sample_types.data[type].unit);
	s64 n = unit_per_count(unit);

	return n > 1 || !strcmp(unit, "count") ? n : 0;
}

static s64 smallest_unit(struct profile *const *profiles, size_t n, const char *type)
{
	s64 most = 0;

	for (size_t i = 0; i < n; i++) {
		const struct profile *p = profiles[i];

		for (size_t k = 0; k < p->sample_types.len; k++) {
			s64 own = per_count(p, k);

			if (own > most &&
			    !strcmp(profile_text(p, p->sample_types.data[k].type), type))
				most = own;
		}
	}
	return most;
}

static int convert(struct profile *p, size_t type, s64 factor, s64 unit)
{
	s64 id = profile_string(p, unit_of_counts(unit));

	if (id < 0)
		return -ENOMEM;
	p->sample_types.data[type].unit = (string_id)id;
	vec_for_each(&p->samples, s) {
		s64 *value = &p->values.data[s->first_value + type], product;

		if (!__builtin_mul_overflow(*value, factor, &product))
			*value = product;
		else
			*value = *value > 0 ? INT64_MAX : INT64_MIN;
	}
	return 0;
}

int counts_align(struct profile *const *profiles, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		struct profile *p = profiles[i];

		for (size_t k = 0; k < p->sample_types.len && !ret; k++) {
			const char *type = profile_text(p, p->sample_types.data[k].type);
			s64 own = per_count(p, k),
			    most = own ? smallest_unit(profiles, n, type) : 0;

			if (own < most)
				ret = convert(p, k, most / own, most);
		}
	}
	return ret;
}
