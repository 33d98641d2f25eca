/* SPDX-License-Identifier: Apache-2.0 */
/* Takes frames and samples out of a profile: see apply.h. */
#include "view/apply.h"

bool filter_is_empty(const struct filter_options *o)
{
	return !o->focus && !o->ignore && !o->hide && !o->show_from && !o->nlabels;
}

/* false: nothing is left of it. */
static bool keep_sample(struct profile *p, const struct filter *f, struct profile_sample *s)
{
	u32 first, last, kept = 0;

	if (!filter_sample(f, s, &first, &last))
		return false;
	for (u32 i = first; i < last; i++) {
		u32 location = p->stack_locations.data[s->first_location + i];

		if (!filter_hides_location(f, location))
			p->stack_locations.data[s->first_location + kept++] = location;
	}
	s->nlocations = kept;
	return kept;
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
	size_t kept = 0;
	int ret = filter_init(&f, p, o, err);

	if (!ret) {
		for (size_t i = 0; i < p->samples.len; i++) {
			struct profile_sample s = p->samples.data[i];

			if (keep_sample(p, &f, &s))
				p->samples.data[kept++] = s;
		}
		p->samples.len = kept;
		vec_for_each(&p->locations, l)
			keep_lines(p, &f, l);
	}
	filter_release(&f);
	return ret;
}
