/* SPDX-License-Identifier: Apache-2.0 */
/* Queries the sources of one module for names. Each is used only for what better ones left
 * unnamed. */
#include "symbol/module_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "elf/debug_file.h"
#include "symbol/demangle.h"
#include "elf/gopclntab.h"
#include "symbol/plt.h"
#include "symbol/split_files.h"
#include "symbol/symtab.h"
#include "unwind/rows.h"

#define SYMTABS 4

struct sources {
	struct module *module;
	struct elf_file *debug, *alt, *mini;
	struct symtab *symtabs[SYMTABS]; /* the best one first */
	u32 nsymtabs;
	struct plt *plt;
	struct function_range *starts; /* functions of .eh_frame, sorted */
	size_t nstarts;
	bool searched_debug, opened_symtabs, read_starts;
};

struct request {
	struct sources *sources;
	const u64 *vaddrs;
	size_t n;
	bool *done;
	module_name_fn found;
	void *arg;
};

static void release_alt(struct sources *s)
{
	if (s->alt != s->module->debug_alt)
		elf_file_free(s->alt);
	s->alt = NULL;
}

static void sources_release(struct sources *s)
{
	for (u32 i = 0; i < s->nsymtabs; i++)
		symtab_free(s->symtabs[i]);
	plt_free(s->plt);
	free(s->starts);
	elf_file_free(s->mini);
	release_alt(s);
	if (s->debug != s->module->debug)
		elf_file_free(s->debug);
}

static struct elf_file *debug_of(struct sources *s)
{
	struct module *m = s->module;

	if (!s->searched_debug && m->kind == MODULE_KIND_FILE &&
	    debug_file_find(m->elf, m->path, &m->root, &s->debug)) {
		s->debug = m->debug; /* what was downloaded */
		if (s->debug)
			elf_file_share_budget(s->debug, m->elf);
	}
	s->searched_debug = true;
	return s->debug;
}

static void add_symtab(struct sources *s, struct elf_file *f, const char *section)
{
	if (f && !symtab_new(f, section, &s->symtabs[s->nsymtabs]))
		s->nsymtabs++;
}

/* A .symtab names all functions, so the exported ones of .dynsym add nothing to it. */
static void open_symtabs(struct sources *s)
{
	struct elf_file *elf = s->module->elf;

	if (s->opened_symtabs)
		return;
	s->opened_symtabs = true;
	if (plt_new(elf, &s->plt))
		s->plt = NULL;
	add_symtab(s, elf, ".symtab");
	if (!s->nsymtabs)
		add_symtab(s, debug_of(s), ".symtab");
	if (s->nsymtabs)
		return;
	if (debug_file_mini(elf, &s->mini))
		s->mini = NULL;
	add_symtab(s, s->mini, ".symtab");
	add_symtab(s, elf, ".dynsym");
}

/* Returns the last function of .eh_frame that begins at or before `vaddr`, or NULL. */
static const struct function_range *start_before(struct sources *s, u64 vaddr)
{
	size_t behind;

	if (!s->read_starts && rows_functions(s->module->elf, &s->starts, &s->nstarts)) {
		s->starts = NULL;
		s->nstarts = 0;
	}
	s->read_starts = true;
	behind = sorted_behind_by(s->starts, s->nstarts, start, vaddr);
	return behind ? &s->starts[behind - 1] : NULL;
}

/*
 * Looks up a symbol. One without a size extends to the next symbol, but there may be functions in
 * between whose symbols were stripped, and .eh_frame says where these begin. It also tells that a
 * symbol without type and size is a label inside a function.
 */
static const struct symbol *find_in(struct sources *s, const struct symtab *t, u64 vaddr)
{
	const struct symbol *found = symtab_find(t, vaddr), *function;
	const struct function_range *range;

	if (!found || found->sized)
		return found;
	range = start_before(s, vaddr);
	if (!range || range->start == found->start)
		return found;
	if (range->start > found->start)
		return NULL;
	function = !found->typed && vaddr < range->end ? symtab_find(t, range->start) : NULL;
	return function && function->start == range->start ? function : found;
}

static const struct symbol *find_symbol(struct sources *s, u64 vaddr)
{
	const struct symbol *found = NULL;

	open_symtabs(s);
	for (u32 i = 0; i < s->nsymtabs && !found; i++)
		found = find_in(s, s->symtabs[i], vaddr);
	return found || !s->plt ? found : plt_find(s->plt, vaddr);
}

/*
 * The physical function's symbol gives the name if DWARF has none (assembly), and the linkage name
 * if DWARF leaves it out (clang -g1).
 */
static void mend_physical(struct sources *s, u64 vaddr, struct dwarf_frame *f)
{
	const struct symbol *symbol;

	if (f->linkage_name)
		return;
	symbol = find_symbol(s, vaddr);
	if (!symbol)
		return;
	if (!f->name) {
		f->name = symbol->name;
		f->low_pc = symbol->start;
	} else if (demangle_is_mangled(symbol->name) &&
		   (!f->low_pc || f->low_pc == symbol->start)) {
		f->linkage_name = symbol->name;
	}
}

static int on_dwarf(void *arg, size_t which, const struct dwarf_frame *frames, u32 n)
{
	struct request *r = arg;
	struct dwarf_frame mended[DWARF_MAX_INLINES];

	memcpy(mended, frames, n * sizeof(*frames));
	mend_physical(r->sources, r->vaddrs[which], &mended[n - 1]);
	r->done[which] = true;
	return r->found(r->arg, which, mended[n - 1].name ? NAME_FROM_DWARF : NAME_FROM_NOTHING,
			mended, n);
}

/* A supplementary file that was downloaded is that of the debug file that was. */
static void find_alt(struct sources *s, struct elf_file *f)
{
	struct module *m = s->module;

	if (!debug_file_alt(f, m->path, &m->root, &s->alt))
		return;
	s->alt = f == m->debug ? m->debug_alt : NULL;
	if (s->alt)
		elf_file_share_budget(s->alt, m->elf);
}

/* Says why debug information that is there was not read. */
static void explain(struct elf_file *f, int err, struct module_names_info *info)
{
	char alt[256] = "";

	if (err == -ENOLINK) {
		debug_file_alt_name(f, alt, sizeof(alt));
		snprintf(info->unread, sizeof(info->unread),
			 "its supplementary file %.200s is missing or another one", alt);
	} else if (err == -EBADMSG) {
		snprintf(info->unread, sizeof(info->unread), "its sections are damaged");
	}
}

static int open_dwarf(struct sources *s, struct module_names_info *info, struct dwarf_index **out)
{
	struct module *m = s->module;
	struct elf_file *f = m->elf;

	for (u32 round = 0; round < 2 && f; round++) {
		int err;

		find_alt(s, f);
		err = dwarf_index_new(f, s->alt, out);
		if (err != -ENOENT && err != -ENOLINK && err != -EBADMSG) {
			info->unread[0] = '\0';
			return err;
		}
		explain(f, err, info);
		release_alt(s);
		f = round ? NULL : debug_of(s);
	}
	return -ENOENT;
}

static int resolve_dwarf(struct request *r, struct dwarf_index *index,
			 struct module_names_info *info)
{
	const struct module *m = r->sources->module;
	struct split_files *files = NULL;
	int err = split_files_new(m->elf, m->path, &m->root, &files);

	if (!err) {
		dwarf_index_split(index, split_files_source(files));
		err = dwarf_index_resolve(index, r->vaddrs, r->n, on_dwarf, r);
		dwarf_index_missing(index, info->unread, sizeof(info->unread));
	}
	dwarf_index_free(index);
	split_files_free(files);
	return err;
}

static int ask_dwarf(struct request *r, struct module_names_info *info)
{
	struct dwarf_index *index;
	int err = open_dwarf(r->sources, info, &index);

	info->has_dwarf = err != -ENOENT;
	if (!err)
		err = resolve_dwarf(r, index, info);
	/* What the budget did not allow is left to the other sources. */
	return err == -ENOENT || err == -E2BIG ? 0 : err;
}

static int ask_symtabs(struct request *r)
{
	int err = 0;

	for (size_t i = 0; i < r->n && !err; i++) {
		const struct symbol *symbol = r->done[i] ? NULL
							 : find_symbol(r->sources, r->vaddrs[i]);
		struct dwarf_frame frame = {0};

		if (!symbol)
			continue;
		frame.name = symbol->name;
		frame.low_pc = symbol->start;
		r->done[i] = true;
		err = r->found(r->arg, i, NAME_FROM_SYMBOL, &frame, 1);
	}
	return err;
}

static bool all_done(const struct request *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!r->done[i])
			return false;
	}
	return true;
}

/* This is for stripped Go code. */
static int ask_gopclntab(struct request *r)
{
	struct gopclntab *table;
	int err = 0;

	if (all_done(r))
		return 0;
	err = gopclntab_new(r->sources->module->elf, &table);
	if (err)
		return err == -ENOENT ? 0 : err;
	for (size_t i = 0; i < r->n && !err; i++) {
		struct dwarf_frame frame = {0};
		struct go_line found;

		if (r->done[i] || !gopclntab_find(table, r->vaddrs[i], &found))
			continue;
		frame.name = found.name;
		frame.file = found.file;
		frame.line = found.line;
		frame.low_pc = found.start;
		r->done[i] = true;
		err = r->found(r->arg, i, NAME_FROM_SYMBOL, &frame, 1);
	}
	gopclntab_free(table);
	return err;
}

/* This is the last source, which answers for everything that is left. */
static int ask_function_starts(struct request *r)
{
	int err = 0;

	for (size_t i = 0; i < r->n && !err; i++) {
		const struct function_range *range;
		struct dwarf_frame frame = {0};

		if (r->done[i])
			continue;
		range = start_before(r->sources, r->vaddrs[i]);
		if (range && r->vaddrs[i] >= range->end)
			range = NULL;
		if (range)
			frame.low_pc = range->start;
		err = r->found(r->arg, i, range ? NAME_FROM_START : NAME_FROM_NOTHING, &frame,
			       range ? 1 : 0);
	}
	return err;
}

static int resolve(struct request *r, bool dwarf, struct module_names_info *info)
{
	int err;

	*info = (struct module_names_info){0};
	r->done = calloc(r->n ? r->n : 1, sizeof(*r->done));
	if (!r->done)
		return -ENOMEM;
	err = dwarf ? ask_dwarf(r, info) : 0;
	if (!err)
		err = ask_symtabs(r);
	if (!err)
		err = ask_gopclntab(r);
	if (!err)
		err = ask_function_starts(r);
	sources_release(r->sources);
	free(r->done);
	return err;
}

int module_names_resolve(struct module *m, const u64 *vaddrs, size_t n, module_name_fn found,
			 void *arg, struct module_names_info *info)
{
	struct sources sources = {.module = m};
	struct request r = {
		.sources = &sources, .vaddrs = vaddrs, .n = n, .found = found, .arg = arg};

	return resolve(&r, true, info);
}

int module_names_from_symbols(struct module *m, const u64 *vaddrs, size_t n, module_name_fn found,
			      void *arg, struct module_names_info *info)
{
	struct sources sources = {.module = m};
	struct request r = {
		.sources = &sources, .vaddrs = vaddrs, .n = n, .found = found, .arg = arg};

	return resolve(&r, false, info);
}
