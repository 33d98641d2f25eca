/* SPDX-License-Identifier: Apache-2.0 */
/* Compares two profiles: see compare.h. */
#include "view/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* Describes how a profile counts: how many samples are behind a value, and what one of them is
 * worth. */
struct counting {
	int type; /* the type that counts samples; -1 if there is none, so the period is used */
	int bytes; /* for sampled memory: the type of its bytes; -1 if there is none */
	/* the value of one sample if there is no type; for memory, the bytes between samples */
	s64 period;
	double worth; /* the average value of one sample */
};

/* ---- the test -------------------------------------------------------------------------------- */

static double log_binomial(u64 k, u64 n, double q)
{
	return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) +
	       (double)k * log(q) + (double)(n - k) * log1p(-q);
}

static double exact(u64 n0, u64 n, double q)
{
	const double limit = log_binomial(n0, n, q) + 1e-7; /* equal except for rounding */
	double sum = 0;

	for (u64 k = 0; k <= n; k++) {
		double l = log_binomial(k, n, q);

		if (l <= limit)
			sum += exp(l);
	}
	return sum < 1 ? sum : 1;
}

double compare_probability(u64 n0, u64 n1, double q)
{
	double n = (double)n0 + (double)n1;

	if (!(q > 0 && q < 1) || n == 0)
		return 1;
	if (n <= COMPARE_EXACT)
		return exact(n0, n0 + n1, q);
	return erfc(fabs((double)n0 - n * q) / sqrt(2 * n * q * (1 - q)));
}

/* ---- counts ---------------------------------------------------------------------------------- */

static bool is_count(const struct profile *p, size_t type)
{
	return !strcmp(profile_text(p, p->sample_types.data[type].unit), "count");
}

static bool is_bytes(const struct profile *p, string_id unit)
{
	return !strcmp(profile_text(p, unit), "bytes");
}

/*
 * Returns how many samples a stack has. Profiles of memory give the number of objects instead. At a
 * mean distance of R bytes, an object of S bytes was sampled with a probability of 1 - exp(-S/R).
 */
static double samples_of(const struct profile *p, const struct counting *c, int type,
			 const struct profile_sample *s)
{
	const s64 *values = &p->values.data[s->first_value];
	double count;

	if (c->type < 0)
		return c->period ? (double)values[type] / (double)c->period : 0;
	count = (double)values[c->type];
	if (c->bytes >= 0 && count > 0)
		count *= -expm1(-(double)values[c->bytes] / count / (double)c->period);
	return count;
}

/* Finds the type that counts what `type` measures: `type` itself, or the count in front of it (in
 * Go's order and ours). */
static void counting_find(struct counting *c, const struct profile *p, int type, s64 total)
{
	double count = 0;
	int next;

	*c = (struct counting){.type = type, .bytes = -1};
	while (c->type >= 0 && !is_count(p, (size_t)c->type))
		c->type--;
	next = c->type + 1;
	if (p->period > 0 && c->type < 0) {
		c->period = p->sample_types.data[type].unit == p->period_type.unit ? p->period : 0;
	} else if (p->period > 1 && is_bytes(p, p->period_type.unit) &&
		   (size_t)next < p->sample_types.len &&
		   is_bytes(p, p->sample_types.data[next].unit)) {
		c->bytes = next;
		c->period = p->period;
	}
	vec_for_each(&p->samples, s)
		count += samples_of(p, c, type, s);
	if (count > 0)
		c->worth = (double)total / count;
}

static s64 total_of(const struct profile *p, int type)
{
	s64 total = 0;

	vec_for_each(&p->samples, s)
		total = view_add(total, p->values.data[s->first_value + (u32)type]);
	return total;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static s64 scaled(s64 value, double scale)
{
	double x = (double)value * scale;

	return scale == 1 ? value : x >= 9.2e18 ? INT64_MAX : x <= -9.2e18 ? INT64_MIN : llround(x);
}

static int view_of(const struct profile *p, int type, const struct compare_options *o,
		   struct view **out, struct error *err)
{
	const struct view_options vo = {.type = type, .by_module = true, .filter = o->filter};
	int ret = view_new(p, &vo, out, err);

	return ret ? ret : view_count(*out);
}

/* Adds the stack in v->stack to its leaf, or once to each of its functions. */
static void count_stack(const struct view *v, double samples, bool by_cum, size_t *seen, size_t now,
			double *counts)
{
	size_t n = by_cum ? v->stack.len : 1;

	for (size_t i = 0; i < n; i++) {
		u32 node = v->stack.data[i].node;

		if (seen[node] == now)
			continue;
		seen[node] = now;
		counts[node] += samples;
	}
}

/* Computes how many samples each function has; -1 if the profile does not say. */
static int counts_of(struct view *v, const struct counting *c, bool by_cum, s64 **out)
{
	double *sums = calloc(v->nodes.len + 1, sizeof(*sums));
	size_t *seen = calloc(v->nodes.len + 1, sizeof(*seen));
	int ret = 0;

	*out = calloc(v->nodes.len + 1, sizeof(**out));
	if (!sums || !seen || !*out)
		ret = -ENOMEM;
	for (size_t i = 0; i < v->p->samples.len && ret >= 0; i++) {
		ret = view_stack(v, i);
		if (ret > 0)
			count_stack(v, samples_of(v->p, c, v->o.type, &v->p->samples.data[i]),
				    by_cum, seen, i + 1, sums);
	}
	for (size_t i = 0; i < v->nodes.len && ret >= 0; i++)
		(*out)[i] = c->worth > 0 && fabs(sums[i]) < 9e18 ? llround(sums[i]) : -1;
	free(sums);
	free(seen);
	return ret < 0 ? ret : 0;
}

struct side {
	const struct profile *p;
	struct view *v;
	struct counting counting;
	s64 *counts;
};

static void judge(struct compare_row *r, double base_worth, double now_worth)
{
	double q = now_worth / (now_worth + base_worth);

	r->known_noise = r->base_count >= 0 && r->now_count >= 0 && base_worth > 0 && now_worth > 0;
	r->noise = r->known_noise &&
		   compare_probability((u64)r->base_count, (u64)r->now_count, q) >= COMPARE_ALPHA;
}

struct wanted_row {
	const struct compare *c;
	const struct compare_row *row;
};

static bool same_row(const void *arg, u32 id)
{
	const struct wanted_row *w = arg;
	const struct compare_row *r = &w->c->rows.data[id];

	return !strcmp(r->name, w->row->name) && !strcmp(r->module, w->row->module);
}

static int add_row(struct compare *c, struct id_table *index, const struct compare_row *row,
		   struct compare_row **out)
{
	struct wanted_row w = {c, row};
	u64 hash = hash_keyed(0, row->name, strlen(row->name));
	s64 id;

	hash = hash_keyed(hash, row->module, strlen(row->module));
	id = id_table_find(index, hash_fold(hash), same_row, &w);
	if (id < 0) {
		if (id_table_reserve(index) || vec_push(&c->rows, *row))
			return -ENOMEM;
		id = (s64)c->rows.len - 1;
		id_table_add(index, hash_fold(hash), (u32)id);
	}
	*out = &c->rows.data[id];
	return 0;
}

static int add_side(struct compare *c, struct id_table *index, const struct side *s, bool base,
		    bool by_cum)
{
	for (size_t i = 0; i < s->v->nodes.len; i++) {
		const struct view_node *n = &s->v->nodes.data[i];
		const char *module = path_name(profile_text(s->p, n->module));
		struct compare_row row = {.name = n->name, .module = module, .kind = n->kind}, *r;
		s64 value = by_cum ? n->cum : n->flat;

		if (!value && !n->cum)
			continue;
		if (add_row(c, index, &row, &r))
			return -ENOMEM;
		if (base) {
			r->base = scaled(value, c->scale);
			r->base_count = s->counts[i];
		} else {
			r->now = value;
			r->now_count = s->counts[i];
		}
	}
	return 0;
}

static u64 change(const struct compare_row *r)
{
	return r->now > r->base ? (u64)r->now - (u64)r->base : (u64)r->base - (u64)r->now;
}

static int row_compare(const void *left, const void *right)
{
	const struct compare_row *a = left, *b = right;
	u64 x = change(a), y = change(b);

	if (x != y)
		return x > y ? -1 : 1;
	x = view_magnitude(a->now);
	y = view_magnitude(b->now);
	return x != y ? (x > y ? -1 : 1) : strcmp(a->name, b->name);
}

static int fill_rows(struct compare *c, const struct side *base, const struct side *now,
		     const struct compare_options *o)
{
	double base_worth = base->counting.worth * c->scale;
	struct id_table index = {0};
	int ret = add_side(c, &index, base, true, o->by_cum);

	if (!ret)
		ret = add_side(c, &index, now, false, o->by_cum);
	id_table_release(&index);
	if (ret)
		return ret;
	vec_for_each(&c->rows, r)
		judge(r, base_worth, now->counting.worth);
	if (c->rows.len)
		qsort(c->rows.data, c->rows.len, sizeof(*c->rows.data), row_compare);
	return 0;
}

/* ---- the comparison -------------------------------------------------------------------------- */

/* Finds the same type in both profiles, by name and unit. */
static int pick_types(struct side *base, struct side *now, const struct compare_options *o,
		      int *base_type, int *now_type, struct error *err)
{
	const struct profile_value_type *a, *b;

	*now_type = profile_find_sample_type(now->p, o->sample_type);
	if (*now_type < 0)
		return error_set(err, -ENOENT, "the new profile has no sample type \"%s\"",
				 o->sample_type ? o->sample_type : "");
	a = &now->p->sample_types.data[*now_type];
	*base_type = profile_find_sample_type(base->p, profile_text(now->p, a->type));
	if (*base_type < 0)
		return error_set(err, -EINVAL,
				 "the profiles are of different kinds: the base has no \"%s\"",
				 profile_text(now->p, a->type));
	b = &base->p->sample_types.data[*base_type];
	if (strcmp(profile_text(now->p, a->unit), profile_text(base->p, b->unit)) != 0)
		return error_set(err, -EINVAL, "\"%s\" is in %s in the base, in %s in the other",
				 profile_text(now->p, a->type), profile_text(base->p, b->unit),
				 profile_text(now->p, a->unit));
	return 0;
}

bool compare_is_level(const char *type)
{
	static const char *const levels[] = {"objects", "space", "goroutine", "threadcreate",
					     "thread"};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (!strcmp(type, levels[i]))
			return true;
	}
	return !strncmp(type, "inuse_", 6) || !strncmp(type, "peak_", 5);
}

/* The totals are those of the profiles as they are. */
static void pick_scale(struct compare *c, enum compare_scale wanted)
{
	double was = (double)c->base_duration, is = (double)c->now_duration;
	bool differ = was > 0 && is > 0 && fabs(is - was) > was * COMPARE_SAME_DURATION;

	c->scale = 1;
	if (wanted == COMPARE_TOTALS && c->base_total > 0 && c->now_total > 0)
		c->scale = (double)c->now_total / (double)c->base_total;
	if (wanted == COMPARE_PER_SECOND && differ && !compare_is_level(c->type))
		c->scale = is / was;
	c->scaled_by = c->scale == 1 ? COMPARE_RAW : wanted;
}

static int compare_fill(struct compare *c, struct side *base, struct side *now,
			const struct compare_options *o, struct error *err)
{
	int base_type = 0, now_type = 0, ret = pick_types(base, now, o, &base_type, &now_type, err);

	if (!ret)
		ret = view_of(base->p, base_type, o, &c->base_view, err);
	if (!ret)
		ret = view_of(now->p, now_type, o, &c->now_view, err);
	if (ret)
		return ret;
	base->v = c->base_view;
	now->v = c->now_view;
	c->type = profile_text(now->p, now->p->sample_types.data[now_type].type);
	c->unit = profile_text(now->p, now->p->sample_types.data[now_type].unit);
	c->base_total = total_of(base->p, base_type);
	c->now_total = total_of(now->p, now_type);
	c->base_duration = base->p->duration_nanos;
	c->now_duration = now->p->duration_nanos;
	pick_scale(c, o->scale);
	counting_find(&base->counting, base->p, base_type, c->base_total);
	counting_find(&now->counting, now->p, now_type, c->now_total);
	c->base_total = scaled(c->base_total, c->scale);
	ret = counts_of(base->v, &base->counting, o->by_cum, &base->counts);
	if (!ret)
		ret = counts_of(now->v, &now->counting, o->by_cum, &now->counts);
	return ret ? ret : fill_rows(c, base, now, o);
}

int compare_new(const struct profile *base, const struct profile *now,
		const struct compare_options *o, struct compare **out, struct error *err)
{
	struct side a = {.p = base}, b = {.p = now};
	struct compare *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	ret = compare_fill(c, &a, &b, o, err);
	free(a.counts);
	free(b.counts);
	if (ret)
		compare_free(c);
	else
		*out = c;
	return ret;
}

void compare_free(struct compare *c)
{
	if (!c)
		return;
	view_free(c->base_view);
	view_free(c->now_view);
	vec_release(&c->rows);
	free(c);
}
