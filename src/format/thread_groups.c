/* SPDX-License-Identifier: Apache-2.0 */
/* Groups threads: see thread_groups.h. */
#include "format/thread_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int thread_compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_stacks(const struct profile *p, u32 left, u32 right)
{
	const struct profile_sample *a = &p->samples.data[left], *b = &p->samples.data[right];

	if (a->nlocations != b->nlocations)
		return a->nlocations < b->nlocations ? -1 : 1;
	if (!a->nlocations)
		return 0;
	return memcmp(p->stack_locations.data + a->first_location,
		      p->stack_locations.data + b->first_location,
		      a->nlocations * sizeof(*p->stack_locations.data));
}

static int compare_groups(const struct profile *p, const struct listed_thread *a,
			  const struct listed_thread *b)
{
	int order = compare_stacks(p, a->sample, b->sample);

	if (!order)
		order = thread_compare_texts(a->state, b->state);
	if (!order)
		order = thread_compare_texts(a->reason, b->reason);
	if (!order && (thread_waits_for_owner(a) || thread_waits_for_owner(b)))
		order = thread_compare_texts(a->object, b->object);
	return order ? order : thread_compare_texts(a->owner, b->owner);
}

static int by_group(const void *left, const void *right, void *arg)
{
	const struct listed_thread *a = left, *b = right;
	int order = compare_groups(arg, a, b);

	return order ? order : (a->sample > b->sample) - (a->sample < b->sample);
}

static int largest_first(const void *left, const void *right)
{
	const struct thread_group *a = left, *b = right;

	if (a->threads != b->threads)
		return a->threads < b->threads ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

int thread_groups_find(struct thread_list *l, thread_group_vec *groups)
{
	int err = 0;

	if (l->threads.len)
		qsort_r(l->threads.data, l->threads.len, sizeof(*l->threads.data), by_group,
			(void *)l->p);
	for (size_t i = 0; i < l->threads.len && !err; i++) {
		const struct listed_thread *t = &l->threads.data[i];
		struct thread_group *g = groups->len ? &groups->data[groups->len - 1] : NULL;

		if (g && !compare_groups(l->p, &l->threads.data[g->first], t)) {
			g->n++;
			g->threads += t->count;
		} else {
			err = vec_push(groups, (struct thread_group){i, 1, t->count});
		}
	}
	if (!err && groups->len)
		qsort(groups->data, groups->len, sizeof(*groups->data), largest_first);
	return err;
}
