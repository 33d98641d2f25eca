/* SPDX-License-Identifier: Apache-2.0 */
/* Removes frames and samples from a profile: see apply.h. */
#include "view/apply.h"

#include <errno.h>

bool filter_is_empty(const struct filter_options *o)
{
	return !o->focus && !o->ignore && !o->hide && !o->show_from && !o->nlabels;
}

/* Returns where the remaining frames are written, which is their old place unless the next sample
 * shares the stack. */
static int stack_to_write(struct profile *p, const struct profile_sample *s, bool shared, u32 *to)
{
	if (!shared) {
		*to = s->first_location;
		return 0;
	}
	if (p->stack_locations.len > UINT32_MAX - s->nlocations)
		return -E2BIG;
	if (vec_reserve(&p->stack_locations, p->stack_locations.len + s->nlocations))
		return -ENOMEM;
	*to = (u32)p->stack_locations.len;
	p->stack_locations.len += s->nlocations;
	return 0;
}

/* Returns 1 if the sample stays, or 0 if nothing is left of it. */
static int keep_sample(struct profile *p, const struct filter *f, bool shared,
		       struct profile_sample *s)
{
	u32 first, last, to, kept = 0;
	int ret;

	if (!filter_sample(f, s, &first, &last))
		return 0;
	ret = stack_to_write(p, s, shared, &to);
	if (ret)
		return ret;
	for (u32 i = first; i < last; i++) {
		u32 location = p->stack_locations.data[s->first_location + i];

		if (!filter_hides_location(f, location))
			p->stack_locations.data[to + kept++] = location;
	}
	s->first_location = to;
	s->nlocations = kept;
	return kept > 0;
}

static int keep_samples(struct profile *p, const struct filter *f)
{
	size_t kept = 0, n = p->samples.len;
	int ret = 0;

	for (size_t i = 0; i < n && ret >= 0; i++) {
		struct profile_sample s = p->samples.data[i];
		bool shared = i + 1 < n &&
			      p->samples.data[i + 1].first_location == s.first_location;

		ret = keep_sample(p, f, shared, &s);
		if (ret == 1)
			p->samples.data[kept++] = s;
	}
	p->samples.len = kept;
	return ret < 0 ? ret : 0;
}

static void keep_lines(struct profile *p, const struct filter *f, struct profile_location *l)
{
	u32 kept = 0;

	for (u32 i = l->first_line; i < l->first_line + l->nlines; i++) {
		if (!f->line_hidden[i])
			p->lines.data[l->first_line + kept++] = p->lines.data[i];
	}
	l->nlines = kept;
}

int filter_apply(struct profile *p, const struct filter_options *o, struct error *err)
{
	struct filter f;
	int ret = filter_init(&f, p, o, err);

	if (!ret)
		ret = keep_samples(p, &f);
	if (!ret) {
		vec_for_each(&p->locations, l)
			keep_lines(p, &f, l);
	}
	filter_release(&f);
	return ret;
}
