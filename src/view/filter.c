/* SPDX-License-Identifier: Apache-2.0 */
/* Filters frames and samples: see filter.h. */
#include "view/filter.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/drop_frames.h"
#include "view/expression.h"
#include "view/label_filter.h"

enum { /* bits of a location */
       FOCUSED = 1 << 0,
       IGNORED = 1 << 1,
       HIDDEN = 1 << 2,
       SHOWN_FROM = 1 << 3,
       PRUNED = 1 << 4, /* this frame and those below it */
       PRUNED_BELOW = 1 << 5,
};

/* Holds an expression and its result for each string, because there are few strings and many
 * frames. */
struct pattern {
	const struct profile *p;
	regex_t regex;
	u8 *known; /* of each string: 0 not tried, 1 no, 2 yes */
};

static int pattern_init(struct pattern *x, const struct profile *p, const char *text,
			const char *option, struct error *err)
{
	char reason[128];
	int code;

	x->p = p;
	x->known = calloc(p->strings.len, 1);
	if (!x->known)
		return -ENOMEM;
	code = expression_compile(&x->regex, text);
	if (!code)
		return 0;
	if (code == REG_ESPACE)
		snprintf(reason, sizeof(reason), "too large");
	else
		regerror(code, &x->regex, reason, sizeof(reason));
	free(x->known);
	x->known = NULL;
	return error_set(err, -EINVAL, "%s \"%.200s\": %s", option, text, reason);
}

static void pattern_release(struct pattern *x)
{
	if (!x->known)
		return;
	regfree(&x->regex);
	free(x->known);
}

static bool matches(struct pattern *x, string_id id)
{
	if (!x->known[id])
		x->known[id] = regexec(&x->regex, profile_text(x->p, id), 0, NULL, 0) ? 1 : 2;
	return x->known[id] == 2;
}

static bool line_matches(struct pattern *x, const struct profile_line *line)
{
	const struct profile_function *f = &x->p->functions.data[line->function];

	return matches(x, f->name) || matches(x, f->filename);
}

static bool module_matches(struct pattern *x, const struct profile_location *l)
{
	string_id path = x->p->mappings.data[l->mapping].path;

	return path && matches(x, path);
}

static bool location_matches(struct pattern *x, const struct profile_location *l)
{
	for (u32 i = 0; i < l->nlines; i++) {
		if (line_matches(x, &x->p->lines.data[l->first_line + i]))
			return true;
	}
	return module_matches(x, l);
}

/* ---- each expression on all locations -------------------------------------------------------- */

static void mark(struct filter *f, struct pattern *x, u8 bit)
{
	for (size_t i = 0; i < f->p->locations.len; i++) {
		if (location_matches(x, &f->p->locations.data[i]))
			f->locations[i] |= bit;
	}
}

static void hide(struct filter *f, struct pattern *x)
{
	for (size_t i = 0; i < f->p->locations.len; i++) {
		const struct profile_location *l = &f->p->locations.data[i];
		bool all = module_matches(x, l);
		u32 left = l->nlines;

		for (u32 k = l->first_line; k < l->first_line + l->nlines; k++) {
			if (all || line_matches(x, &f->p->lines.data[k]))
				f->line_hidden[k] = true;
			left -= f->line_hidden[k];
		}
		if (!left && (all || l->nlines))
			f->locations[i] |= HIDDEN;
	}
}

/* In a location, the outermost function that matches and everything inlined into it stay. */
static void show_from(struct filter *f, struct pattern *x)
{
	for (size_t i = 0; i < f->p->locations.len; i++) {
		const struct profile_location *l = &f->p->locations.data[i];
		u32 k = l->nlines;

		if (module_matches(x, l)) {
			f->locations[i] |= SHOWN_FROM;
			continue;
		}
		while (k && (f->line_hidden[l->first_line + k - 1] ||
			     !line_matches(x, &f->p->lines.data[l->first_line + k - 1])))
			k--;
		if (!k)
			continue;
		f->locations[i] |= SHOWN_FROM;
		for (; k < l->nlines; k++)
			f->line_hidden[l->first_line + k] = true;
	}
}

/* ---- drop_frames ----------------------------------------------------------------------------- */

static void prune(struct filter *f, const u8 *dropped)
{
	for (size_t i = 0; i < f->p->locations.len; i++) {
		const struct profile_location *l = &f->p->locations.data[i];
		u32 k = l->nlines;

		while (k) {
			u32 function = f->p->lines.data[l->first_line + k - 1].function;

			if (dropped[f->p->functions.data[function].name])
				break;
			k--;
		}
		if (!k)
			continue;
		f->locations[i] |= k == l->nlines ? PRUNED : PRUNED_BELOW;
		for (u32 line = 0; k < l->nlines && line < k; line++)
			f->line_hidden[l->first_line + line] = true;
	}
}

static int apply_drop_frames(struct filter *f)
{
	const u8 *dropped;
	int err = drop_frames_find(f->p, &dropped);

	if (!err && dropped)
		prune(f, dropped);
	if (!err)
		drop_frames_release(f->p, dropped);
	return err;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static int init_labels(struct filter *f, struct error *err)
{
	int ret = 0;

	f->labels = calloc(f->o->nlabels + 1, sizeof(*f->labels));
	if (!f->labels)
		return -ENOMEM;
	for (size_t i = 0; i < f->o->nlabels && !ret; i++)
		ret = label_filter_init(&f->labels[i], f->p, f->o->labels[i], err);
	return ret;
}

static void release_labels(struct filter *f)
{
	for (size_t i = 0; f->labels && i < f->o->nlabels; i++)
		label_filter_release(&f->labels[i]);
	free(f->labels);
}

/* ---- applying the filter --------------------------------------------------------------------- */

static int apply(struct filter *f, const char *text, const char *option,
		 void (*action)(struct filter *f, struct pattern *x), u8 bit, struct error *err)
{
	struct pattern x;
	int ret;

	if (!text)
		return 0;
	ret = pattern_init(&x, f->p, text, option, err);
	if (ret)
		return ret;
	if (action)
		action(f, &x);
	else
		mark(f, &x, bit);
	pattern_release(&x);
	f->any = true;
	return 0;
}

int filter_init(struct filter *f, const struct profile *p, const struct filter_options *o,
		struct error *err)
{
	int ret;

	*f = (struct filter){.p = p, .o = o};
	f->locations = calloc(p->locations.len + 1, 1);
	f->line_hidden = calloc(p->lines.len + 1, sizeof(*f->line_hidden));
	if (!f->locations || !f->line_hidden)
		return -ENOMEM;
	ret = p->drop_frames ? apply_drop_frames(f) : 0;
	if (!ret)
		ret = apply(f, o->focus, "--focus", NULL, FOCUSED, err);
	if (!ret)
		ret = apply(f, o->ignore, "--ignore", NULL, IGNORED, err);
	if (!ret)
		ret = apply(f, o->hide, "--hide", hide, 0, err);
	if (!ret)
		ret = apply(f, o->show_from, "--show-from", show_from, 0, err);
	if (!ret)
		ret = init_labels(f, err);
	return ret;
}

void filter_release(struct filter *f)
{
	free(f->locations);
	free(f->line_hidden);
	release_labels(f);
}

bool filter_hides_location(const struct filter *f, u32 location)
{
	return f->locations[location] & HIDDEN;
}

/* Frames below the outermost frame to be dropped are removed, unless no frame is above it. */
static u32 pruned_first(const struct filter *f, const u32 *stack, u32 n)
{
	bool found_user = false;

	for (u32 i = n; i-- > 0;) {
		u8 bits = f->locations[stack[i]] & (PRUNED | PRUNED_BELOW);

		if (!bits)
			found_user = true;
		else if (found_user)
			return bits & PRUNED ? i + 1 : i;
	}
	return 0;
}

bool filter_sample(const struct filter *f, const struct profile_sample *s, u32 *first, u32 *last)
{
	const u32 *stack = s->nlocations ? &f->p->stack_locations.data[s->first_location] : NULL;
	u8 seen = 0;

	*first = f->p->drop_frames ? pruned_first(f, stack, s->nlocations) : 0;
	*last = s->nlocations;
	for (size_t i = 0; i < f->o->nlabels; i++) {
		if (!label_filter_matches(&f->labels[i], s))
			return false;
	}
	if (!f->any)
		return true;
	for (u32 i = *first; i < *last; i++)
		seen |= f->locations[stack[i]];
	if ((seen & IGNORED) || (f->o->focus && !(seen & FOCUSED)))
		return false;
	if (!f->o->show_from)
		return true;
	while (*last > *first && (!(f->locations[stack[*last - 1]] & SHOWN_FROM) ||
				  (f->locations[stack[*last - 1]] & HIDDEN)))
		--*last;
	return *last > *first;
}
