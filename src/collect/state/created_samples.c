/* SPDX-License-Identifier: Apache-2.0 */
/* Converts created threads and processes to samples: see created_samples.h. */
#include "collect/state/created_samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/session/map_walk.h"

#define LABEL_NAME "name"
#define LABEL_PROGRAM "program"
#define LABEL_START "start"

/* Values of LABEL_START until functions have names. */
enum start_leaf {
	START_LEAF = 1, /* the leaf is the start routine */
	START_STAYS, /* it is also all that is known, and stays */
};

/* ---- names ---- */

int created_names_init(struct created_names *n, bool processes)
{
	n->processes = processes;
	n->texts = calloc(CREATED_MAX_NAMES + 1, sizeof(*n->texts));
	return n->texts ? 0 : -ENOMEM;
}

void created_names_release(struct created_names *n)
{
	free(n->texts);
}

static int take_name(void *arg, const void *key, const void *value)
{
	struct created_names *n = arg;
	u32 number;

	memcpy(&number, value, sizeof(number));
	if (number <= CREATED_MAX_NAMES)
		memcpy(n->texts[number], key, COMM_LEN - 1);
	return 0;
}

int created_names_read(struct created_names *n, int map_fd)
{
	return map_walk(&(struct map_walk){.fd = map_fd,
					   .key_size = COMM_LEN,
					   .value_size = sizeof(u32),
					   .entry = take_name,
					   .arg = n});
}

/* ---- samples ---- */

int created_describe(bool processes, struct profile *p)
{
	int err = profile_add_sample_type(p, processes ? "forks" : "threadcreate", "count");
	s64 chosen;

	if (!err && processes)
		err = profile_add_sample_type(p, "execs", "count");
	if (!err)
		err = profile_add_sample_type(p, processes ? "processes_live" : "threads_live",
					      "count");
	if (err)
		return err;
	chosen = profile_string(p, processes ? "forks" : "threadcreate");
	if (chosen < 0)
		return (int)chosen;
	p->default_sample_type = (string_id)chosen;
	return 0;
}

static void values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		   s64 out[SAMPLE_VALUES_MAX])
{
	const struct created_names *n = arg;
	u32 at = 0;

	out[at++] = (s64)tally->count.samples;
	if (n->processes)
		out[at++] = (s64)tally->count.weight;
	out[at] = (s64)tally->live.samples;
}

static u32 labels(void *arg, const struct sample_key *key, const struct thread_id *owner,
		  struct sample_label out[SAMPLE_LABELS_MAX])
{
	const struct created_names *n = arg;
	u32 count = 0;

	if (key->outcome && key->outcome <= CREATED_MAX_NAMES)
		out[count++] =
			(struct sample_label){.key = n->processes ? LABEL_PROGRAM : LABEL_NAME,
					      .text = n->texts[key->outcome]};
	if (n->processes || key->cause == CREATED_PLAIN)
		return count;
	out[count++] = (struct sample_label){.key = LABEL_START,
					     .number = key->cause == CREATED_STARTS ? START_LEAF
										    : START_STAYS};
	return count;
}

struct sample_mapping created_mapping(struct created_names *n)
{
	return (struct sample_mapping){
		.values = values, .labels = labels, .nflows = n->processes ? 2 : 1, .arg = n};
}

/* ---- names of start routines ---- */

/* Returns the function at the leaf, or 0 if there is none: its stack was merged with others. */
static string_id leaf_name(const struct profile *p, const struct profile_sample *s)
{
	const struct profile_location *l;

	if (!s->nlocations)
		return 0;
	l = &p->locations.data[p->stack_locations.data[s->first_location]];
	if (!l->nlines || p->mappings.data[l->mapping].kind == PROFILE_MAPPING_SYNTHETIC)
		return 0;
	return p->functions.data[p->lines.data[l->first_line + l->nlines - 1].function].name;
}

static const struct profile_label *start_of(const struct profile *p, const struct profile_sample *s)
{
	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *label = &p->labels.data[s->first_label + i];

		if (!label->str && !strcmp(profile_text(p, label->key), LABEL_START))
			return label;
	}
	return NULL;
}

/* Samples may share their labels, so this one gets a list of its own. */
static int set_start(struct profile *p, struct profile_sample *s, string_id key, string_id name)
{
	u32 first = (u32)p->labels.len;
	int err = 0;

	for (u32 i = 0; i < s->nlabels && !err; i++) {
		struct profile_label label = p->labels.data[s->first_label + i];

		if (label.key == key)
			label = (struct profile_label){.key = key, .str = name};
		if (label.key != key || name)
			err = vec_push(&p->labels, label);
	}
	s->first_label = first;
	s->nlabels = (u32)p->labels.len - first;
	return err;
}

static int refine_sample(struct profile *p, struct profile_sample *s)
{
	const struct profile_label *start = start_of(p, s);
	string_id key, name;

	if (!start)
		return 0;
	key = start->key;
	name = leaf_name(p, s);
	if (start->num == START_LEAF && name && s->nlocations > 1) {
		s->first_location++;
		s->nlocations--;
	}
	return set_start(p, s, key, name);
}

int created_refine(struct profile *p, const void *options)
{
	int err = 0;

	for (size_t i = 0; i < p->samples.len && !err; i++)
		err = refine_sample(p, &p->samples.data[i]);
	if (!err)
		profile_merge_samples(p);
	return err;
}
