/* SPDX-License-Identifier: Apache-2.0 */
/* Converts sampled allocations to values: see heap_samples.h. */
#include "collect/heap/heap_samples.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "collect/heap/heap_amount.h"
#include "profile/labels.h"

struct heap_samples {
	u64 rate;
	u64 seed; /* for heap_amount_round() */
	const struct live_set *live;
	double allocated, alive; /* blocks, over all keys */
};

int heap_describe(const struct heap_options *opt, bool live, struct profile *p)
{
	s64 chosen;
	int err = profile_add_sample_type(p, "alloc_objects", "count");

	if (!err)
		err = profile_add_sample_type(p, "alloc_space", "bytes");
	if (!err)
		err = profile_add_sample_type(p, "inuse_objects", "count");
	if (!err)
		err = profile_add_sample_type(p, "inuse_space", "bytes");
	if (!err)
		err = profile_set_period(p, "space", "bytes", (s64)opt->rate);
	if (!err && opt->peak)
		err = profile_add_sample_type(p, "peak_objects", "count");
	if (!err && opt->peak)
		err = profile_add_sample_type(p, "peak_space", "bytes");
	if (err)
		return err;
	chosen = profile_string(p, live ? "inuse_space" : "alloc_space");
	if (chosen < 0)
		return (int)chosen;
	p->default_sample_type = (string_id)chosen;
	return 0;
}

static struct heap_amount value_pair(const struct heap_samples *r, const struct sample_key *key,
				     const struct sample_count *n, s64 out[2])
{
	struct heap_amount amount = heap_amount_of(r->rate, key, n);

	out[0] = heap_amount_round(r->seed, key, amount.blocks);
	out[1] = (s64)llround(amount.bytes);
	return amount;
}

static void values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		   s64 out[SAMPLE_VALUES_MAX])
{
	struct heap_samples *r = arg;

	r->allocated += value_pair(r, key, &tally->count, out).blocks;
	r->alive += value_pair(r, key, &tally->live, out + 2).blocks;
	value_pair(r, key, &tally->peak, out + 4);
}

static u32 labels(void *arg, const struct sample_key *key, const struct thread_id *owner,
		  struct sample_label out[SAMPLE_LABELS_MAX])
{
	const struct heap_samples *r = arg;
	struct heap_growth growth;
	u32 n = 0;

	if (key->cause != HEAP_MERGED)
		out[n++] = (struct sample_label){.key = "bytes", .number = (s64)key->object};
	if (!live_set_growth(r->live, key, &growth))
		return n;
	out[n++] = (struct sample_label){LABEL_OLDEST, NULL, (s64)(growth.oldest_ns / 1000000),
					 "milliseconds"};
	out[n++] = (struct sample_label){LABEL_YOUNGEST, NULL, (s64)(growth.youngest_ns / 1000000),
					 "milliseconds"};
	out[n++] = (struct sample_label){LABEL_GROWTH, NULL, (s64)llround(growth.grown), "bytes"};
	if (growth.only_grew)
		out[n++] = (struct sample_label){.key = LABEL_TREND, .text = LABEL_TREND_GROWING};
	return n;
}

int heap_samples_new(u64 rate, u64 seed, const struct live_set *live, struct heap_samples **out)
{
	struct heap_samples *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->rate = rate;
	r->seed = seed;
	r->live = live;
	*out = r;
	return 0;
}

double heap_samples_ended(const struct heap_samples *r)
{
	return r->allocated > r->alive ? r->allocated - r->alive : 0;
}

void heap_samples_free(struct heap_samples *r)
{
	free(r);
}

struct sample_mapping heap_mapping(struct heap_samples *r)
{
	return (struct sample_mapping){
		.values = values,
		.labels = labels,
		.nflows = 2, /* alloc_objects and alloc_space */
		.arg = r,
	};
}
