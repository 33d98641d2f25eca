/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for the programs that a profile names: see symbolize_files.h. */
#include "symbol/symbolize_files.h"

#include <errno.h>
#include <string.h>

#include "symbol/symbolize.h"
#include "target/module.h"

/* Another build of the file would give wrong names. */
static bool same_build(const struct profile *p, const struct profile_mapping *m,
		       const struct module *file)
{
	const char *wanted = profile_text(p, m->build_id);
	char have[2 * BUILD_ID_MAX + 1];

	build_id_format(&file->build_id, have, sizeof(have));
	return !*wanted || !strcmp(wanted, have);
}

static void find_file(const struct profile *p, struct readers *readers, struct profile_mapping *m)
{
	const char *path = profile_text(p, m->path);
	struct module *file;

	if (m->kind != PROFILE_MAPPING_FILE || m->has_functions || *path != '/' ||
	    module_open_file(readers, path, &file))
		return;
	if (same_build(p, m, file))
		m->source = file;
	else
		module_free(file);
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

int symbolize_from_files(struct profile *p, struct readers *readers)
{
	const struct symbolize_options options = {0};
	struct symbolize_stats stats = {0};
	int ret = 0;

	if (!lacks_names(p))
		return 0;
	vec_for_each(&p->mappings, m)
		find_file(p, readers, m);
	ret = symbolize_profile(p, &options, &stats);
	vec_for_each(&p->mappings, m) {
		module_free(m->source);
		m->source = NULL;
	}
	return ret;
}
