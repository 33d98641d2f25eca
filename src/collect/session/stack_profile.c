/* SPDX-License-Identifier: Apache-2.0 */
/* Turns counted stacks into a profile: mappings, locations, labels (stack_store_to_profile). */
#include "collect/session/stack_store_impl.h"
#include "profile/labels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PAGE_MASK 4095ull
#define MAX_LABELS (7 + SAMPLE_LABELS_MAX)

/* Maps (module number, process) to a mapping; the process only matters for JIT code. */
struct mapping_key {
	u32 module;
	struct proc_pid tgid;
};

struct mapping_entry {
	struct mapping_key key;
	u32 mapping;
	UT_hash_handle hh;
};

struct conversion {
	struct stack_store *store;
	struct profile *p;
	struct module_set *modules;
	const struct collect_options *opt;
	const struct sample_mapping *mapping; /* may be NULL */
	struct mapping_entry *mappings;
	struct tree_path path;
	bool take; /* only what came since the last one */
	double scale; /* for weights under store->scale.cause */
	u64 scaled; /* the sum of those weights so far */
	double total, merged; /* sums of the values of the type that is shown first */
	u32 locations[2 * (STACK_MAX_FRAMES + 2)];
	u32 nlocations;
};

static enum profile_mapping_kind mapping_kind(const struct module *m)
{
	switch (m->kind) {
	case MODULE_KIND_KERNEL:
		return PROFILE_MAPPING_KERNEL;
	case MODULE_KIND_JIT:
		return PROFILE_MAPPING_JIT;
	default:
		return PROFILE_MAPPING_FILE;
	}
}

static int set_text(struct profile *p, string_id *id, const char *text)
{
	s64 number = profile_string(p, text);

	if (number < 0)
		return (int)number;
	*id = (string_id)number;
	return 0;
}

static const char *synthetic_path(u32 module)
{
	switch (module) {
	case MODULE_CUT:
		return "[stack cut]";
	case MODULE_WAKER:
		return "[waker]";
	case MODULE_OUTSIDE:
		return "[outside]";
	case MODULE_BEFORE:
		return "[before]";
	case MODULE_MERGED:
		return "[too many stacks]";
	default:
		return "[unknown]";
	}
}

static int describe_mapping(struct conversion *c, const struct mapping_key *key,
			    struct profile_mapping *m)
{
	char build_id[2 * BUILD_ID_MAX + 1] = "";
	struct module *module;
	int err;

	if (key->module == MODULE_ANON)
		module = module_set_jit(c->modules, key->tgid);
	else
		module = module_set_reopen(c->modules, key->module);
	if (!module) {
		m->kind = PROFILE_MAPPING_SYNTHETIC;
		return set_text(c->p, &m->path, synthetic_path(key->module));
	}
	m->source = module;
	m->kind = mapping_kind(module);
	m->start = module->start;
	m->limit = module->end;
	m->offset = module->offset;
	build_id_format(&module->build_id, build_id, sizeof(build_id));
	err = set_text(c->p, &m->path, module->path);
	return err ? err : set_text(c->p, &m->build_id, build_id);
}

static s64 mapping_of(struct conversion *c, u32 module, struct proc_pid tgid)
{
	struct mapping_key key = {.module = module};
	struct profile_mapping m = {0};
	struct mapping_entry *e;
	s64 number;
	int err;

	if (module == MODULE_ANON)
		key.tgid = tgid;
	HASH_FIND(hh, c->mappings, &key, sizeof(key), e);
	if (e)
		return e->mapping;
	err = describe_mapping(c, &key, &m);
	if (err)
		return err;
	number = profile_add_mapping(c->p, &m);
	if (number < 0)
		return number;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->key = key;
	e->mapping = (u32)number;
	HASH_ADD(hh, c->mappings, key, sizeof(e->key), e);
	if (HASH_ADDED(e))
		return number;
	free(e);
	return -ENOMEM;
}

/*
 * A module may be mapped in several pieces. The one piece that the mapping shows grows to cover all
 * its frames. Start and offset move together, so addresses that were already assigned stay right.
 */
static void widen(struct profile_mapping *m, u64 address)
{
	if (!m->limit)
		m->start = m->offset = address & ~PAGE_MASK;
	if (address < m->start) {
		u64 by = m->start - (address & ~PAGE_MASK);

		m->start -= by;
		m->offset -= by;
	}
	if (address >= m->limit)
		m->limit = address >= ~PAGE_MASK ? ~0ull : (address | PAGE_MASK) + 1;
}

static s64 named_location(struct conversion *c, u32 mapping, u64 address, const char *name)
{
	struct profile_line line = {0};
	s64 location = profile_location(c->p, mapping, address), function;
	int err;

	if (location < 0 || c->p->locations.data[location].nlines)
		return location;
	function = profile_function(c->p, name, name, "", 0);
	if (function < 0)
		return function;
	line.function = (u32)function;
	err = profile_location_set_lines(c->p, (u32)location, &line, 1);
	return err ? err : location;
}

static s64 cut_location(struct conversion *c, u32 mapping, u64 end)
{
	char name[128];

	snprintf(name, sizeof(name), "[stack cut: %s]", stack_end_text((u32)end));
	return named_location(c, mapping, end, name);
}

/* Kernel frames carry 48 bits of an address whose upper bits are all ones. */
static u64 kernel_address(u64 off)
{
	return off | ~FRAME_OFF_MASK;
}

static s64 location_of(struct conversion *c, u64 frame, struct proc_pid tgid)
{
	u32 module = FRAME_MODULE(frame);
	u64 address = FRAME_OFF(frame);
	s64 number = mapping_of(c, module, tgid);
	struct profile_mapping *m;

	if (number < 0)
		return number;
	m = &c->p->mappings.data[number];
	if (module == MODULE_KERNEL)
		address = kernel_address(address);
	else if (m->kind == PROFILE_MAPPING_FILE)
		address = m->start + (address - m->offset);
	if (module == MODULE_CUT)
		return cut_location(c, (u32)number, address);
	if (module == MODULE_WAKER)
		return named_location(c, (u32)number, address, "--");
	if (module == MODULE_MERGED)
		return named_location(c, (u32)number, address, "[too many stacks]");
	if (module == MODULE_BEFORE)
		return named_location(c, (u32)number, address,
				      address == BEFORE_RECORDING
					      ? "[existed before the recording]"
					      : "[opened by a call without a probe]");
	widen(m, address);
	if (m->kind == PROFILE_MAPPING_SYNTHETIC)
		return named_location(c, (u32)number, address, "[unknown]");
	return profile_location(c->p, (u32)number, address);
}

struct label_list {
	struct profile_label item[MAX_LABELS];
	u32 len;
	int err;
};

static void add_label(struct conversion *c, struct label_list *l, struct sample_label from)
{
	struct profile_label *label = &l->item[l->len];

	if (l->err || l->len == MAX_LABELS || (from.text && !*from.text))
		return;
	*label = (struct profile_label){.num = from.number};
	l->err = set_text(c->p, &label->key, from.key);
	if (!l->err && from.text)
		l->err = set_text(c->p, &label->str, from.text);
	if (!l->err && from.unit)
		l->err = set_text(c->p, &label->num_unit, from.unit);
	l->len++;
}

static void add_text(struct conversion *c, struct label_list *l, const char *key, const char *text)
{
	add_label(c, l, (struct sample_label){.key = key, .text = text});
}

static void add_number(struct conversion *c, struct label_list *l, const char *key, s64 number)
{
	add_label(c, l, (struct sample_label){.key = key, .number = number});
}

/* A process outside of cprof's PID namespace has no number that has a meaning for the user. */
static void add_pid(struct conversion *c, struct label_list *l, const char *key,
		    struct proc_pid pid)
{
	if (pid.nr)
		add_number(c, l, key, pid.nr);
}

static void add_labels_of_kind(struct conversion *c, const struct stack_entry *e,
			       const struct thread_id *owner, struct label_list *l)
{
	struct sample_label own[SAMPLE_LABELS_MAX];
	u32 n = 0;

	if (c->mapping && c->mapping->labels)
		n = c->mapping->labels(c->mapping->arg, &e->key, owner, own);
	for (u32 i = 0; i < n; i++)
		add_label(c, l, own[i]);
}

static void add_place(struct conversion *c, const struct stack_entry *e, struct label_list *l)
{
	const struct owner_item *o = &c->store->owners.items.data[e->owner];
	const struct place *place = place_table_get(&c->store->places, o->place, o->group);

	if (!place)
		return;
	add_text(c, l, LABEL_CONTAINER, place->container);
	add_text(c, l, LABEL_UNIT, place->unit);
}

/* Merged entries may have lost the thread or the process that they belong to. */
static int labels_of(struct conversion *c, const struct stack_entry *e, struct label_list *l)
{
	const struct thread_id *o = owner_table_get(&c->store->owners, e->owner);

	if (c->opt->by_process && (o->tgid.nr || !e->merged)) {
		add_text(c, l, LABEL_PROCESS, o->leader_comm);
		add_pid(c, l, LABEL_PID, o->tgid);
		add_place(c, e, l);
	}
	if (c->opt->by_thread && (o->tid.nr || !e->merged)) {
		add_text(c, l, "thread", o->comm);
		add_pid(c, l, "tid", o->tid);
	}
	if (c->opt->by_cpu && e->key.cpu)
		add_number(c, l, "cpu", e->key.cpu - 1);
	add_labels_of_kind(c, e, o, l);
	return l->err;
}

/* Returns the count until now, or that of the last take. */
static struct sample_count count_of(const struct conversion *c, const struct stack_entry *e,
				    bool taken)
{
	const u32 number = (u32)(e - c->store->entries.data);

	if (!c->take)
		return taken ? (struct sample_count){0} : stack_entry_total(c->store, number);
	return taken ? c->store->reads.data[number].taken : c->store->reads.data[number].next;
}

static struct sample_count count_since(const struct conversion *c, const struct stack_entry *e)
{
	const struct sample_count now = count_of(c, e, false), then = count_of(c, e, true);

	return (struct sample_count){now.samples - then.samples, now.weight - then.weight};
}

static bool is_scaled(const struct conversion *c, const struct stack_entry *e)
{
	return c->store->scale.on && e->key.cause == c->store->scale.cause;
}

/* Converts a count to as many values as the profile has sample types. */
static void values_of_count(const struct conversion *c, const struct stack_entry *e,
			    struct sample_count count, s64 values[SAMPLE_VALUES_MAX])
{
	struct sample_tally tally = {.count = count};

	if (c->store->kind.live) {
		const struct stack_live *l = &c->store->live.data[e - c->store->entries.data];

		tally.live = l->live;
		tally.peak = l->peak;
	}
	if (c->mapping) {
		c->mapping->values(c->mapping->arg, &e->key, &tally, values);
		return;
	}
	values[0] = (s64)tally.count.samples;
	values[1] = (s64)tally.count.weight;
	if (c->p->sample_types.len == 1)
		values[0] = values[1];
}

/* Computes differences of rounded totals, so all takes together are equal to the whole, however it
 * is rounded. */
static void values_of(struct conversion *c, const struct stack_entry *e,
		      s64 values[SAMPLE_VALUES_MAX])
{
	u32 nflows = c->mapping && c->mapping->nflows ? c->mapping->nflows : SAMPLE_VALUES_MAX;
	s64 before[SAMPLE_VALUES_MAX] = {0};

	memset(values, 0, SAMPLE_VALUES_MAX * sizeof(*values));
	if (is_scaled(c, e)) {
		struct sample_count n = count_since(c, e);

		n.weight = (u64)((double)n.weight * c->scale);
		c->scaled += n.weight;
		values_of_count(c, e, n, values);
		return;
	}
	values_of_count(c, e, count_of(c, e, false), values);
	if (!c->take)
		return;
	values_of_count(c, e, count_of(c, e, true), before);
	for (u32 i = 0; i < nflows && i < SAMPLE_VALUES_MAX; i++)
		values[i] -= before[i];
}

static int add_location(struct conversion *c, u64 frame, struct proc_pid tgid)
{
	s64 location = location_of(c, frame, tgid);

	if (location < 0)
		return (int)location;
	c->locations[c->nlocations++] = (u32)location;
	return 0;
}

/* It starts at the root, so the sample's leaf is that root. */
static int add_waker(struct conversion *c, const struct stack_entry *e)
{
	const struct tree_path *path = &c->path;
	int err = 0;

	if (e->waker == TREE_ROOT)
		return 0;
	stack_tree_path(&c->store->tree, e->waker, &c->path);
	for (u32 i = path->nframes; i > 0 && !err; i--)
		err = add_location(c, path->frames[i - 1], path->tgid);
	return err ? err : add_location(c, FRAME(MODULE_WAKER, 1), path->tgid);
}

static bool is_merged(const struct tree_path *path)
{
	return path->nframes && FRAME_MODULE(path->frames[0]) == MODULE_MERGED;
}

static void sum_up(struct conversion *c, const s64 *values, bool merged)
{
	int shown = profile_find_sample_type(c->p, NULL);
	double value = shown < 0 ? 0 : (double)values[shown];

	c->total += value;
	c->merged += merged ? value : 0;
}

static int convert_entry(struct conversion *c, const struct stack_entry *e)
{
	const struct stack_kind *kind = &c->store->kind;
	struct label_list labels = {.len = 0};
	s64 values[SAMPLE_VALUES_MAX];
	u32 skip = 0;
	int err;

	c->nlocations = 0;
	err = add_waker(c, e);
	stack_tree_path(&c->store->tree, e->node, &c->path);
	if (kind->skip)
		skip = kind->skip(kind->arg, c->path.frames, c->path.nframes);
	if (skip >= c->path.nframes)
		return 0;
	for (u32 i = skip; i < c->path.nframes && !err; i++)
		err = add_location(c, c->path.frames[i], c->path.tgid);
	if (!err)
		err = labels_of(c, e, &labels);
	if (err)
		return err;
	values_of(c, e, values);
	sum_up(c, values, is_merged(&c->path));
	return profile_add_sample(c->p, c->locations, c->nlocations, values, labels.item,
				  labels.len);
}

/* What is alive is a state, which every profile shows. */
static bool is_alive(const struct stack_store *s, const struct stack_entry *e)
{
	const struct stack_live *l = s->kind.live ? &s->live.data[e - s->entries.data] : NULL;

	return l && (l->live.samples || l->peak.samples);
}

static bool is_wanted(const struct conversion *c, const struct stack_entry *e)
{
	const struct sample_count n = count_since(c, e);

	if (e->node == c->store->nowhere || (!n.samples && !n.weight && !is_alive(c->store, e)))
		return false;
	return !c->mapping || !c->mapping->wanted || c->mapping->wanted(c->mapping->arg, &e->key);
}

/* pprof takes mapping 0 for the main binary, which is the first target's executable. */
static int main_mapping_first(struct conversion *c)
{
	const struct target *t = c->opt->target;

	if (t->processes.len == 0)
		return 0;
	for (u32 number = MODULE_FIRST_FILE; number < MODULE_MAX; number++) {
		struct module *m = module_set_get(c->modules, number);
		s64 mapping;

		if (!m || strcmp(m->path, t->processes.data[0].exe) != 0)
			continue;
		mapping = mapping_of(c, number, (struct proc_pid){0});
		return mapping < 0 ? (int)mapping : 0;
	}
	return 0;
}

static int compare_entries(const void *left, const void *right, void *arg)
{
	const struct stack_store *s = arg;
	const struct stack_entry *a = &s->entries.data[*(const u32 *)left];
	const struct stack_entry *b = &s->entries.data[*(const u32 *)right];

	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->waker != b->waker)
		return a->waker < b->waker ? -1 : 1;
	return (a > b) - (a < b);
}

/* Equal stacks are placed next to each other, because consecutive samples can share theirs. The
 * order is in `moved`. */
static void sort_entries(struct stack_store *s)
{
	for (size_t i = 0; i < s->entries.len; i++)
		s->moved.data[i] = (u32)i;
	if (s->entries.len)
		qsort_r(s->moved.data, s->entries.len, sizeof(u32), compare_entries, s);
}

static void find_scale(struct conversion *c)
{
	const struct stack_scale *scale = &c->store->scale;
	u64 total = scale->total, sum = 0;

	c->scale = 1;
	if (!scale->on)
		return;
	vec_for_each(&c->store->entries, e)
		sum += is_scaled(c, e) ? count_since(c, e).weight : 0;
	/* Without a tick in this profile, the next one gets the rest. */
	if (c->take)
		total = total > scale->taken ? total - scale->taken : 0;
	c->scale = sum ? (double)total / (double)sum : 0;
}

static int convert_entries(struct conversion *c)
{
	struct stack_store *s = c->store;
	int err = main_mapping_first(c);

	find_scale(c);
	for (size_t i = 0; i < s->entries.len && !err; i++) {
		const struct stack_entry *e = &s->entries.data[s->moved.data[i]];

		if (is_wanted(c, e))
			err = convert_entry(c, e);
	}
	return err;
}

static int convert(struct stack_store *s, struct module_set *modules,
		   const struct collect_options *opt, const struct sample_mapping *mapping,
		   struct profile *p, bool take)
{
	struct conversion *c = calloc(1, sizeof(*c));
	struct mapping_entry *m, *next;
	int err;

	if (!c)
		return -ENOMEM;
	c->store = s;
	c->p = p;
	c->modules = modules;
	c->opt = opt;
	c->mapping = mapping;
	c->take = take;
	module_set_reading(modules, true);
	sort_entries(s);
	if (take)
		stack_take_prepare(s);
	err = convert_entries(c);
	HASH_ITER(hh, c->mappings, m, next) {
		HASH_DEL(c->mappings, m);
		free(m);
	}
	s->merged.share = c->total > 0 ? c->merged / c->total : 0;
	if (take && !err) {
		s->scale.taken += c->scaled;
		stack_take_commit(s);
	}
	free(c);
	return err;
}

int stack_store_to_profile(struct stack_store *s, struct module_set *modules,
			   const struct collect_options *opt, const struct sample_mapping *mapping,
			   struct profile *p)
{
	return convert(s, modules, opt, mapping, p, false);
}

int stack_store_take(struct stack_store *s, struct module_set *modules,
		     const struct collect_options *opt, const struct sample_mapping *mapping,
		     struct profile *p)
{
	return convert(s, modules, opt, mapping, p, true);
}
