/* SPDX-License-Identifier: Apache-2.0 */
/* Symbolizes a profile: it sorts locations by module, queries each module once, and writes the
 * lines back. */
#include "symbol/symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/path.h"
#include "elf/symbols.h"
#include "symbol/demangle.h"
#include "symbol/jit.h"
#include "symbol/jit_sources.h"
#include "symbol/kernel.h"
#include "symbol/names_process.h"
#include "symbol/shown_names.h"
#include "symbol/source_path.h"
#include "target/module.h"

/* A missing debug file below this share of the samples is not worth a note. */
#define NOTE_PERCENT 5
/*
 * The CPU time for the names of one file and for those of all files. A gigabyte of DWARF takes some
 * three seconds, and on a slow disk a minute.
 */
#define FILE_CPU_NS (10 * NSEC_PER_SEC)
#define FILE_TIME_NS (120 * NSEC_PER_SEC)
#define ALL_TIME_NS (600 * NSEC_PER_SEC)

/* One location that needs a name. */
struct place {
	struct module *module;
	u64 vaddr; /* in the module's ELF file, or else the address itself */
	u32 location;
};

struct namer {
	struct profile *profile;
	const struct symbolize_options *opt;
	struct symbolize_stats *stats;
	VEC(struct place) places; /* sorted by module, then address */
	struct shown_names *names;
	struct names_process *process;
	struct kernel_symbols *kernel;
	int kernel_err;
	u64 *weight; /* samples for each leaf location */
	bool *real; /* locations that have their own name, and not just that of their module */
	u64 total_weight, worst_weight; /* for the note about missing debug information */
	u64 unread_weight; /* for the note about debug information that cannot be read */
	u64 jit_weight; /* for the note about generated code without names */
	u64 end_ns; /* in CLOCK_MONOTONIC */
	struct budget own_budget; /* for a module without an ELF file */
};

/* The places of one module while it is being queried. */
struct module_batch {
	struct namer *namer;
	struct module *module;
	struct place *places;
	size_t nplaces;
	u64 *vaddrs; /* distinct, ascending */
	size_t *first; /* first[i] is the first place of vaddrs[i]; there is one more at the end */
	size_t n;
	bool *answered; /* which of them have their lines */
	struct budget *budget; /* of the module's file */
	u64 without_dwarf; /* number of samples */
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	return x->location < y->location ? -1 : x->location > y->location;
}

static int collect_places(struct namer *nm)
{
	struct profile *p = nm->profile;

	for (u32 i = 0; i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];
		struct place place = {.vaddr = l->address, .location = i};
		const struct profile_mapping *map;

		nm->real[i] = l->nlines != 0;
		if (l->nlines || l->mapping >= p->mappings.len)
			continue;
		map = &p->mappings.data[l->mapping];
		place.module = map->source;
		if (!place.module || place.module->kind == MODULE_KIND_NONE)
			continue;
		/* An offset outside all segments keeps its address, which no source will know. */
		if (place.module->elf)
			elf_file_offset_to_vaddr(place.module->elf,
						 l->address - map->start + map->offset,
						 &place.vaddr);
		if (vec_push(&nm->places, place))
			return -ENOMEM;
	}
	if (nm->places.len)
		qsort(nm->places.data, nm->places.len, sizeof(*nm->places.data), compare_places);
	return 0;
}

static int weigh_leaves(struct namer *nm)
{
	struct profile *p = nm->profile;

	nm->weight = calloc(p->locations.len + 1, sizeof(*nm->weight));
	nm->real = calloc(p->locations.len + 1, sizeof(*nm->real));
	if (!nm->weight || !nm->real)
		return -ENOMEM;
	vec_for_each(&p->samples, s) {
		s64 value = p->values.len > s->first_value ? p->values.data[s->first_value] : 0;
		u32 leaf;

		if (!s->nlocations || value <= 0)
			continue;
		leaf = p->stack_locations.data[s->first_location];
		nm->weight[leaf] += (u64)value;
		nm->total_weight += (u64)value;
	}
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/*
 * Returns a name that may be used. A name that is too long to read, or that the file's budget does
 * not allow, counts as none, because names are hashed and compared as a whole and the file decides
 * their lengths.
 */
static const char *affordable(struct module_batch *b, const char *name)
{
	size_t len = name ? strnlen(name, ELF_NAME_MAX + 1) : 0;

	if (!name)
		return NULL;
	if (len > ELF_NAME_MAX) {
		budget_lose(b->budget, BUDGET_NAMES, BUDGET_STEPS);
		return NULL;
	}
	return budget_take(b->budget, BUDGET_NAMES, len / 2 + 1) ? name : NULL;
}

/* Writes the path of a frame's file, or "" if there is none. */
static void file_of(struct module_batch *b, const struct dwarf_frame *f, char *out, size_t size)
{
	char joined[8192];

	out[0] = '\0';
	if (!f->file || !budget_take(b->budget, BUDGET_NAMES, strnlen(f->file, size) + 1))
		return;
	snprintf(joined, sizeof(joined), "%.*s%s%.*s", (int)size, f->directory ? f->directory : "",
		 f->directory ? "/" : "", (int)size, f->file);
	source_path_tidy(joined, out, size);
}

/* Adds the function of one frame. Returns its number or a negative errno. */
static s64 add_function(struct module_batch *b, const struct dwarf_frame *f, const char *fallback)
{
	const char *linkage = affordable(b, f->linkage_name), *name = affordable(b, f->name);
	const char *raw = linkage ? linkage : name;
	struct profile *p = b->namer->profile;
	char file[4096];

	file_of(b, f, file, sizeof(file));
	/* A linkage name that is not mangled (of Fortran or asm) is less useful than the source's
	 * name. */
	if (raw && (!name || !linkage || demangle_is_mangled(raw)))
		name = shown_names_get(b->namer->names, b->budget, raw);
	else if (raw && !budget_reserve(b->budget, BUDGET_NAMES, strlen(raw) + strlen(name)))
		name = NULL;
	if (!raw || !name)
		return profile_function(p, fallback, fallback, file, f->start_line);
	return profile_function(p, name, raw, file, f->start_line);
}

/* Writes "libfoo.so+0x1a40" if the function's start is known, else "[libfoo.so]". */
static void unnamed(const struct module *m, enum name_source source,
		    const struct dwarf_frame *frames, char *out, size_t size)
{
	const char *name = path_name(m->path);

	if (source == NAME_FROM_START)
		snprintf(out, size, "%s+0x%" PRIx64, name, frames[0].low_pc);
	else if (m->kind == MODULE_KIND_JIT)
		snprintf(out, size, "[jit]");
	else if (name[0] == '[')
		snprintf(out, size, "%s", name);
	else
		snprintf(out, size, "[%s]", name);
}

static void count_address(struct module_batch *b, size_t which, enum name_source source,
			  const struct dwarf_frame *frames, u32 n)
{
	struct namer *nm = b->namer;
	bool real = source == NAME_FROM_DWARF || source == NAME_FROM_SYMBOL;

	nm->stats->addresses++;
	nm->stats->named += real;
	nm->stats->with_lines += n && frames[0].line;
	for (size_t i = b->first[which]; i < b->first[which + 1]; i++) {
		u32 location = b->places[i].location;

		nm->real[location] = real;
		if (source != NAME_FROM_DWARF)
			b->without_dwarf += nm->weight[location];
	}
}

/* Writes the frames of one address to all locations that have it. */
static int set_frames(void *arg, size_t which, enum name_source source,
		      const struct dwarf_frame *frames, u32 n)
{
	static const struct dwarf_frame nothing;
	struct profile_line lines[DWARF_MAX_INLINES];
	struct module_batch *b = arg;
	struct namer *nm = b->namer;
	char fallback[300];
	int err = 0;

	b->answered[which] = true;
	if (!n) {
		frames = &nothing;
		n = 1;
	}
	count_address(b, which, source, frames, n);
	if (nm->opt->no_inlines) {
		frames += n - 1;
		n = 1;
	}
	unnamed(b->module, source, frames, fallback, sizeof(fallback));
	for (u32 i = 0; i < n; i++) {
		s64 function = add_function(b, &frames[i], fallback);

		if (function < 0)
			return (int)function;
		lines[i] = (struct profile_line){(u32)function, frames[i].line};
	}
	for (size_t i = b->first[which]; i < b->first[which + 1] && !err; i++)
		err = profile_location_set_lines(nm->profile, b->places[i].location, lines, n);
	return err;
}

static int name_plain(struct module_batch *b, size_t which, const char *name)
{
	struct dwarf_frame frame = {.name = name};

	return set_frames(b, which, name ? NAME_FROM_SYMBOL : NAME_FROM_NOTHING, &frame,
			  name ? 1 : 0);
}

static const struct kernel_symbols *kernel_of(struct namer *nm)
{
	if (!nm->kernel && !nm->kernel_err)
		nm->kernel_err = kernel_symbols_read(&nm->kernel);
	return nm->kernel;
}

static int name_kernel(struct module_batch *b)
{
	const struct kernel_symbols *k = kernel_of(b->namer);
	int err = 0;

	for (size_t i = 0; i < b->n && !err; i++) {
		const char *module = "", *name;
		char full[1024]; /* KSYM_NAME_LEN is 512 */

		name = k ? kernel_symbols_find(k, b->vaddrs[i], &module) : NULL;
		if (name && module[0]) {
			snprintf(full, sizeof(full), "%s %s", name, module);
			name = full;
		}
		if (!name)
			b->namer->stats->kernel_hidden += b->namer->kernel_err == -EPERM;
		err = name_plain(b, i, name);
	}
	return err;
}

static unsigned percent_of(const struct namer *nm, u64 weight)
{
	return nm->total_weight ? (unsigned)(100.0 * (double)weight / (double)nm->total_weight) : 0;
}

/* Says how the code of a process could get names, if enough of it has none. */
static void note_jit(struct module_batch *b)
{
	struct namer *nm = b->namer;
	const struct module *m = b->module;
	char advice[160];
	u64 weight = 0;

	for (size_t i = 0; i < b->nplaces; i++)
		weight += nm->real[b->places[i].location] ? 0 : nm->weight[b->places[i].location];
	if (weight <= nm->jit_weight || percent_of(nm, weight) < NOTE_PERCENT)
		return;
	nm->jit_weight = weight;
	runtime_advice(m->runtime.kind, m->tgid, advice, sizeof(advice));
	snprintf(nm->stats->unnamed_jit, sizeof(nm->stats->unnamed_jit),
		 "generated code of %.63s (PID %d, %u%% of samples) has no names: %s",
		 m->runtime.program, (int)m->tgid, percent_of(nm, weight), advice);
}

static void warn_jit(struct module_batch *b, const char *file, int err)
{
	if (err && err != -ENOENT && err != -E2BIG)
		log_warn(b->namer->opt->log, "JIT names of process %d are not used: %s: %s",
			 (int)b->module->tgid, file,
			 err == -EPERM     ? "not a plain file of the process' user"
			 : err == -EACCES  ? "the process' user may not read it"
			 : err == -EBADMSG ? "not in the format of perf"
					   : error_reason(err));
}

static int name_jit(struct module_batch *b)
{
	struct module *m = b->module;
	struct jit_sources *sources = NULL;
	struct jit_results results;
	struct dwarf_frame frame;
	char map[40], dump[40];
	int err = jit_sources_read(m, b->budget, b->vaddrs, b->n, &results, &sources);

	if (err)
		return err;
	snprintf(map, sizeof(map), "perf-%u.map", m->inner.nr);
	snprintf(dump, sizeof(dump), "jit-%u.dump", m->inner.nr);
	warn_jit(b, map, results.map);
	warn_jit(b, dump, results.dump);
	if (results.map_cut)
		log_warn(b->namer->opt->log, "%s is longer than %u MiB: the rest is not read", map,
			 JIT_MAP_MAX >> 20);
	for (size_t i = 0; i < b->n && !err; i++) {
		bool named = jit_sources_at(sources, i, &frame);

		err = set_frames(b, i, named ? NAME_FROM_SYMBOL : NAME_FROM_NOTHING, &frame,
				 named ? 1 : 0);
	}
	left_out_note(&b->namer->stats->left_out, results.dump == -ENOENT ? map : dump, b->budget);
	jit_sources_free(sources);
	if (!err)
		note_jit(b);
	return err;
}

/* Keeps the module with the most samples of those whose debug information could not be read. */
static void note_unread_debug(struct module_batch *b, const char *reason)
{
	struct namer *nm = b->namer;
	u64 weight = 0;

	for (size_t i = 0; i < b->nplaces; i++)
		weight += nm->weight[b->places[i].location];
	if (weight <= nm->unread_weight || percent_of(nm, weight) < NOTE_PERCENT)
		return;
	nm->unread_weight = weight;
	snprintf(nm->stats->unread_debug, sizeof(nm->stats->unread_debug),
		 "debug information of %.120s (%u%% of samples) cannot be read: %s",
		 path_name(b->module->path), percent_of(nm, weight), reason);
}

/* Keeps the module whose missing debug information hides the most samples. */
static void note_missing_debug(struct module_batch *b)
{
	struct namer *nm = b->namer;
	unsigned percent = percent_of(nm, b->without_dwarf);

	if (b->module->kind != MODULE_KIND_FILE || b->without_dwarf <= nm->worst_weight ||
	    percent < NOTE_PERCENT)
		return;
	nm->worst_weight = b->without_dwarf;
	snprintf(nm->stats->note, sizeof(nm->stats->note),
		 "no debug information for %.120s (%u%% of samples): no source lines or inlined "
		 "functions there",
		 path_name(b->module->path), percent);
}

/* Returns how much time this module may take. */
static struct budget_watch watch_of(const struct namer *nm)
{
	u64 now = monotonic_ns(), left = nm->end_ns > now ? nm->end_ns - now : 1;

	return (struct budget_watch){
		.stop = nm->opt->stop,
		.arg = nm->opt->stop_arg,
		.cpu_ns = FILE_CPU_NS,
		.time_ns = left < FILE_TIME_NS ? left : FILE_TIME_NS,
	};
}

static bool stopped(const struct namer *nm)
{
	return nm->opt->stop && nm->opt->stop(nm->opt->stop_arg);
}

/* The remaining addresses get the name of their module. */
static int answer_rest(struct module_batch *b)
{
	u64 *unread = stopped(b->namer) ? &b->namer->stats->unread : &(u64){0};
	int err = 0;

	for (size_t i = 0; i < b->n && !err; i++) {
		if (b->answered[i])
			continue;
		err = set_frames(b, i, NAME_FROM_NOTHING, NULL, 0);
		++*unread;
	}
	return err;
}

static int name_file(struct module_batch *b)
{
	const char *file = path_name(b->module->path);
	struct left_out *lost = &b->namer->stats->left_out;
	const struct budget_watch watch = watch_of(b->namer);
	struct module_names_info info;
	int err = name_cache_resolve(b->namer->opt->cache, b->namer->process, b->module, b->vaddrs,
				     b->n, &watch, set_frames, b, &info);

	if (err == -ETIMEDOUT || err == -EIO) {
		if (!stopped(b->namer))
			left_out_add(lost, file, BUDGET_INFO,
				     err == -EIO ? BUDGET_FAILED : BUDGET_TIME);
		return 0;
	}
	/*
	 * One large file must not cost the profile. If memory is short everywhere, the next step
	 * fails anyway.
	 */
	if (err == -ENOMEM) {
		left_out_add(lost, file, BUDGET_NAMES, BUDGET_BYTES);
		return 0;
	}
	left_out_note(lost, file, b->budget);
	if (!err && info.unread[0])
		note_unread_debug(b, info.unread);
	else if (!err && !info.has_dwarf)
		note_missing_debug(b);
	return err;
}

static int list_distinct(struct module_batch *b)
{
	b->vaddrs = malloc(b->nplaces * sizeof(*b->vaddrs));
	b->first = malloc((b->nplaces + 1) * sizeof(*b->first));
	b->answered = calloc(b->nplaces, sizeof(*b->answered));
	if (!b->vaddrs || !b->first || !b->answered)
		return -ENOMEM;
	for (size_t i = 0; i < b->nplaces; i++) {
		if (i && b->places[i].vaddr == b->places[i - 1].vaddr)
			continue;
		b->vaddrs[b->n] = b->places[i].vaddr;
		b->first[b->n++] = i;
	}
	b->first[b->n] = b->nplaces;
	return 0;
}

static int name_batch(struct module_batch *b)
{
	if (stopped(b->namer))
		return 0;
	if (b->module->kind == MODULE_KIND_KERNEL)
		return name_kernel(b);
	if (b->module->closed) {
		left_out_add(&b->namer->stats->left_out, path_name(b->module->path), BUDGET_NAMES,
			     BUDGET_CLOSED);
		return 0;
	}
	return b->module->elf ? name_file(b) : name_jit(b);
}

static int name_module(struct namer *nm, struct place *places, size_t n)
{
	struct module_batch b = {
		.namer = nm, .module = places[0].module, .places = places, .nplaces = n};
	const struct budget_watch watch = watch_of(nm);
	int err = list_distinct(&b);

	budget_init(&nm->own_budget, 0);
	budget_watch(&nm->own_budget, &watch);
	/* Other recordings may have read names from this file before. */
	if (b.module->elf)
		elf_file_renew_budget(b.module->elf);
	b.budget = b.module->elf ? elf_file_budget(b.module->elf) : &nm->own_budget;
	if (!err)
		err = name_batch(&b);
	if (!err)
		err = answer_rest(&b);
	free(b.vaddrs);
	free(b.first);
	free(b.answered);
	return err;
}

/* These flags say what pprof may rely on in each mapping (profile.proto, Mapping.has_functions and
 * following). */
static void set_flags(struct namer *nm)
{
	struct profile *p = nm->profile;

	vec_for_each(&p->mappings, m)
		m->has_functions |= m->source != NULL;
	for (u32 i = 0; i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];
		struct profile_mapping *m;

		if (l->mapping >= p->mappings.len || !p->mappings.data[l->mapping].source)
			continue;
		m = &p->mappings.data[l->mapping];
		m->has_functions &= nm->real[i];
		m->has_inline_frames |= l->nlines > 1;
		for (u32 k = 0; k < l->nlines; k++) {
			const struct profile_line *line = &p->lines.data[l->first_line + k];

			m->has_line_numbers |= line->line != 0;
			m->has_filenames |= p->functions.data[line->function].filename != 0;
		}
	}
}

static int name_places(struct namer *nm)
{
	int err = 0;

	for (size_t i = 0, end; i < nm->places.len && !err; i = end) {
		end = i + 1;
		while (end < nm->places.len &&
		       nm->places.data[end].module == nm->places.data[i].module)
			end++;
		err = name_module(nm, nm->places.data + i, end - i);
	}
	return err;
}

static void add_cost_of_names(struct namer *nm)
{
	struct helper_cost cost;

	if (!nm->names)
		return;
	cost = shown_names_cost(nm->names);
	helper_cost_add(&nm->stats->cost, &cost);
}

int symbolize_profile(struct profile *p, const struct symbolize_options *opt,
		      struct symbolize_stats *stats)
{
	struct namer nm = {.profile = p, .opt = opt, .stats = stats};
	int err;

	*stats = (struct symbolize_stats){0};
	nm.end_ns = monotonic_ns() + (opt->time_ns ? opt->time_ns : ALL_TIME_NS);
	err = shown_names_new(&nm.names);
	if (!err)
		err = names_process_new(&nm.process);
	if (!err)
		err = weigh_leaves(&nm);
	if (!err)
		err = collect_places(&nm);
	if (!err)
		err = name_places(&nm);
	if (!err)
		set_flags(&nm);
	vec_release(&nm.places);
	if (nm.process)
		stats->cost = names_process_end(nm.process);
	add_cost_of_names(&nm);
	names_process_free(nm.process);
	shown_names_free(nm.names);
	kernel_symbols_free(nm.kernel);
	free(nm.weight);
	free(nm.real);
	return err;
}
