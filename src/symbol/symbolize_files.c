/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the programs that a profile refers to: see symbolize_files.h. */
#include "symbol/symbolize_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "target/module.h"

#define FILES_MAX 4096u
/* A profile may name the largest files of the machine, so all of them together have the time that
 * one has while recording. */
#define NAMING_TIME_NS 120000000000ull

/* Another build of the file would give wrong names. */
static bool same_build(const struct profile *p, const struct profile_mapping *m,
		       const struct module *file)
{
	const char *wanted = profile_text(p, m->build_id);
	char have[2 * BUILD_ID_MAX + 1];

	build_id_format(&file->build_id, have, sizeof(have));
	return !*wanted || !strcmp(wanted, have);
}

/* Holds the files of a profile's mappings, each opened once, because a profile may refer to one of
 * them a million times. */
struct files {
	struct profile *p;
	struct readers *readers;
	VEC(struct module *) modules; /* distinct files */
	/* The modules are borrowed and indexed by string; NULL if a file is not open or could not
	 * be opened. */
	struct module **by_path;
	bool *tried, *wanted; /* indexed by string and by mapping */
	size_t ntried;
};

static bool is_same_file(const struct module *a, const struct module *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* Takes over the module, because a profile may write the path of one file in a million ways. */
static struct module *keep_file(struct files *f, struct module *m)
{
	vec_for_each(&f->modules, other) {
		if (is_same_file(*other, m)) {
			module_free(m);
			return *other;
		}
	}
	if (vec_push(&f->modules, m)) {
		module_free(m);
		return NULL;
	}
	return m;
}

static struct module *open_file(struct files *f, string_id path)
{
	const char *text = profile_text(f->p, path);
	struct module *m;

	if (f->tried[path] || *text != '/' || f->ntried == FILES_MAX)
		return f->by_path[path];
	f->tried[path] = true;
	f->ntried++;
	if (!module_open_file(f->readers, text, &m))
		f->by_path[path] = keep_file(f, m);
	return f->by_path[path];
}

static void find_files(struct files *f)
{
	struct profile *p = f->p;

	vec_for_each(&p->locations, l) {
		if (!l->nlines && l->mapping < p->mappings.len)
			f->wanted[l->mapping] = true;
	}
	vec_for_each(&p->mappings, m) {
		struct module *file = NULL;

		if (f->wanted[m - p->mappings.data] && m->kind == PROFILE_MAPPING_FILE &&
		    !m->has_functions)
			file = open_file(f, m->path);
		m->source = file && same_build(p, m, file) ? file : NULL;
	}
}

static int files_init(struct files *f, struct profile *p, struct readers *readers)
{
	*f = (struct files){.p = p, .readers = readers};
	f->by_path = calloc(p->strings.len + 1, sizeof(*f->by_path));
	f->tried = calloc(p->strings.len + 1, sizeof(*f->tried));
	f->wanted = calloc(p->mappings.len + 1, sizeof(*f->wanted));
	return f->by_path && f->tried && f->wanted ? 0 : -ENOMEM;
}

static void files_release(struct files *f)
{
	vec_for_each(&f->modules, m)
		module_free(*m);
	vec_release(&f->modules);
	vec_for_each(&f->p->mappings, m)
		m->source = NULL;
	free(f->by_path);
	free(f->tried);
	free(f->wanted);
}

static bool lacks_names(const struct profile *p)
{
	vec_for_each(&p->locations, l) {
		const struct profile_mapping *m = &p->mappings.data[l->mapping];

		if (!l->nlines && !m->has_functions && m->path)
			return true;
	}
	return false;
}

int symbolize_from_files(struct profile *p, struct readers *readers, struct left_out *lost)
{
	const struct symbolize_options options = {.time_ns = NAMING_TIME_NS};
	struct symbolize_stats stats = {0};
	struct files files;
	int ret;

	*lost = (struct left_out){0};
	if (!lacks_names(p))
		return 0;
	ret = files_init(&files, p, readers);
	if (!ret) {
		find_files(&files);
		ret = symbolize_profile(p, &options, &stats);
	}
	files_release(&files);
	*lost = stats.left_out;
	return ret;
}
