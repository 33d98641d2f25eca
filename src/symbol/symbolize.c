/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a profile its names: sorts locations by module, asks each module once, writes the lines back. */
#include "symbol/symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "symbol/demangle.h"
#include "symbol/jit.h"
#include "symbol/kernel.h"
#include "symbol/module_names.h"
#include "symbol/source_path.h"
#include "target/module.h"

#define NOTE_PERCENT \
	5 /* below this share of the samples a missing debug file is not worth a note */

/* One location that wants a name. */
struct place {
	struct module *module;
	u64 vaddr; /* in the module's ELF file; else the address itself */
	u32 location;
};

/* What linkage names are shown as: a name is demangled once, however often it is inlined. */
struct shown_name {
	char *raw, *shown;
	UT_hash_handle hh;
};

struct namer {
	struct profile *profile;
	const struct symbolize_options *opt;
	struct symbolize_stats *stats;
	VEC(struct place) places; /* sorted by module, then address */
	struct shown_name *names;
	struct kernel_symbols *kernel;
	int kernel_err;
	u64 *weight; /* samples by their leaf location */
	bool *real; /* locations that have a name of their own, not just their module's */
	u64 total_weight, worst_weight; /* for the note */
};

/* The places of one module while it is asked. */
struct module_batch {
	struct namer *namer;
	struct module *module;
	struct place *places;
	size_t nplaces;
	u64 *vaddrs; /* distinct, ascending */
	size_t *first; /* first[i]: the first place of vaddrs[i]; one more at the end */
	size_t n;
	u64 without_dwarf; /* samples */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

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

/* The name to show for a linkage name; `raw` itself when nothing better is known. */
static const char *shown_name(struct namer *nm, const char *raw)
{
	struct shown_name *e;

	HASH_FIND_STR(nm->names, raw, e);
	if (e)
		return e->shown ? e->shown : raw;
	e = calloc(1, sizeof(*e));
	if (!e)
		return raw;
	e->raw = strdup(raw);
	if (!e->raw) {
		free(e);
		return raw;
	}
	HASH_ADD_KEYPTR(hh, nm->names, e->raw, strlen(e->raw), e);
	if (!HASH_ADDED(e)) {
		free(e->raw);
		free(e);
		return raw;
	}
	e->shown = demangle_name(raw);
	return e->shown ? e->shown : raw;
}

static void release_names(struct namer *nm)
{
	struct shown_name *e, *next;

	HASH_ITER(hh, nm->names, e, next) {
		HASH_DEL(nm->names, e);
		free(e->raw);
		free(e->shown);
		free(e);
	}
}

/* Adds the function of one frame; its number or a negative errno. */
static s64 add_function(struct namer *nm, const struct dwarf_frame *f, const char *fallback)
{
	const char *raw = f->linkage_name ? f->linkage_name : f->name;
	const char *name = f->name;
	char file[4096] = "", joined[8192];

	if (f->file && f->directory) {
		snprintf(joined, sizeof(joined), "%s/%s", f->directory, f->file);
		source_path_tidy(joined, file, sizeof(file));
	} else if (f->file) {
		source_path_tidy(f->file, file, sizeof(file));
	}
	if (!raw)
		return profile_function(nm->profile, fallback, fallback, file, f->start_line);
	/* A linkage name that is not mangled (a Fortran or an asm name) is worth less than the source's. */
	if (!name || !f->linkage_name || demangle_is_mangled(raw))
		name = shown_name(nm, raw);
	return profile_function(nm->profile, name, raw, file, f->start_line);
}

/* "libfoo.so+0x1a40" where the function's start is known, else "[libfoo.so]". */
static void unnamed(const struct module *m, enum name_source source,
		    const struct dwarf_frame *frames, char *out, size_t size)
{
	const char *name = base_name(m->path);

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
		s64 function = add_function(nm, &frames[i], fallback);

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
		char full[512];

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

static int name_jit(struct module_batch *b)
{
	struct module *m = b->module;
	struct jit_names *names = NULL;
	int err = jit_names_read(&m->root, m->inner, b->vaddrs, b->n, &names);

	if (err && err != -ENOENT)
		log_warn(b->namer->opt->log,
			 "JIT names of process %d are not used: perf-%u.map: %s", (int)m->tgid,
			 m->inner.nr,
			 err == -EPERM    ? "not a plain file of the process' user"
			 : err == -EACCES ? "the process' user may not read it"
					  : error_reason(err));
	if (names && jit_names_are_cut(names))
		log_warn(b->namer->opt->log,
			 "perf-%u.map is longer than %u MiB: the rest is not read", m->inner.nr,
			 JIT_MAP_MAX >> 20);
	err = 0;
	for (size_t i = 0; i < b->n && !err; i++)
		err = name_plain(b, i, names ? jit_names_at(names, i) : NULL);
	jit_names_free(names);
	return err;
}

/* Keeps the module whose missing debug information hides most samples. */
static void note_missing_debug(struct module_batch *b)
{
	struct namer *nm = b->namer;
	u64 percent;

	if (b->module->kind != MODULE_KIND_FILE || b->without_dwarf <= nm->worst_weight)
		return;
	percent = nm->total_weight ? (u64)(100.0 * b->without_dwarf / nm->total_weight) : 0;
	if (percent < NOTE_PERCENT)
		return;
	nm->worst_weight = b->without_dwarf;
	snprintf(nm->stats->note, sizeof(nm->stats->note),
		 "no debug information for %.120s (%u%% of samples): no source lines or inlined "
		 "functions there",
		 base_name(b->module->path), (unsigned)percent);
}

static int name_file(struct module_batch *b)
{
	struct module_names_info info;
	int err = module_names_resolve(b->module, b->vaddrs, b->n, set_frames, b, &info);

	if (!err && !info.has_dwarf)
		note_missing_debug(b);
	return err;
}

static int list_distinct(struct module_batch *b)
{
	b->vaddrs = malloc(b->nplaces * sizeof(*b->vaddrs));
	b->first = malloc((b->nplaces + 1) * sizeof(*b->first));
	if (!b->vaddrs || !b->first)
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

static int name_module(struct namer *nm, struct place *places, size_t n)
{
	struct module_batch b = {
		.namer = nm, .module = places[0].module, .places = places, .nplaces = n};
	int err = list_distinct(&b);

	if (!err && b.module->kind == MODULE_KIND_KERNEL)
		err = name_kernel(&b);
	else if (!err && b.module->elf)
		err = name_file(&b);
	else if (!err)
		err = name_jit(&b);
	free(b.vaddrs);
	free(b.first);
	return err;
}

/* What pprof may rely on, per mapping (profile.proto, Mapping.has_functions and following). */
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

int symbolize_profile(struct profile *p, const struct symbolize_options *opt,
		      struct symbolize_stats *stats)
{
	struct namer nm = {.profile = p, .opt = opt, .stats = stats};
	int err;

	*stats = (struct symbolize_stats){0};
	err = weigh_leaves(&nm);
	if (!err)
		err = collect_places(&nm);
	if (!err)
		err = name_places(&nm);
	if (!err)
		set_flags(&nm);
	vec_release(&nm.places);
	release_names(&nm);
	kernel_symbols_free(nm.kernel);
	free(nm.weight);
	free(nm.real);
	return err;
}
