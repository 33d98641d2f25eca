/* SPDX-License-Identifier: Apache-2.0 */
/* Loads mapped files and their rows in perf mode: see perf_modules.h. */
#include "collect/perf/perf_modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/readers.h"
#include "target/moved_text.h"
#include "unwind/rows.h"

struct perf_modules {
	struct module_set *set;
	struct rows view; /* of the module that was looked up last */
};

struct space_map perf_modules_map(struct perf_modules *m, pid_t tgid, const struct map_entry *e)
{
	struct space_map map = {.start = e->start, .end = e->end, .module = MODULE_ANON};

	if (!strcmp(e->path, "[vdso]")) {
		map.module = MODULE_VDSO;
		map.shift = -e->start;
	} else if (e->inode && e->path[0] == '/' && !module_entry_is_generated(tgid, e)) {
		map.module = module_set_place(m->set, tgid, e);
		map.shift = e->offset - e->start;
	}
	return map;
}

/* It is opened at once, because the mapping may soon change; so not where that may take long. */
static bool is_text_of(struct perf_modules *m, pid_t tgid, const struct map_entry *e,
		       const struct map_entry *around, struct moved_text *text)
{
	struct readers *readers = module_set_readers(m->set);
	struct module *file;
	bool same;

	if (readers &&
	    !readers_device_is_local(readers, tgid, around->dev_major, around->dev_minor))
		return false;
	if (module_open_entry(readers, tgid, around, &file))
		return false;
	same = file->elf && moved_text_is_of(tgid, e, around, file->elf, text);
	module_free(file);
	return same;
}

bool perf_modules_moved(struct perf_modules *m, pid_t tgid, const map_vec *maps,
			const struct map_entry *e, struct space_map *out)
{
	const struct map_entry *around[MOVED_TEXT_AROUND];
	struct moved_text text;
	u32 n = moved_text_is_likely(maps, e) ? moved_text_around(maps, e, around) : 0;

	for (u32 i = 0; i < n; i++) {
		if (!is_text_of(m, tgid, e, around[i], &text))
			continue;
		*out = (struct space_map){.start = text.start,
					  .end = text.end,
					  .shift = text.shift,
					  .module = module_set_place(m->set, tgid, around[i])};
		return true;
	}
	return false;
}

const struct rows *perf_modules_rows(struct perf_modules *m, u32 number)
{
	return module_set_rows(m->set, number, &m->view) ? &m->view : NULL;
}

struct module_set *perf_modules_set(struct perf_modules *m)
{
	return m->set;
}

int perf_modules_new(const struct log *log, struct module_store *store, struct perf_modules **out)
{
	struct perf_modules *m = calloc(1, sizeof(*m));
	int err = m ? module_set_new(store, log, &m->set) : -ENOMEM;

	if (err) {
		free(m);
		return err;
	}
	*out = m;
	return 0;
}

void perf_modules_free(struct perf_modules *m)
{
	if (!m)
		return;
	module_set_free(m->set);
	free(m);
}
