/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds functions that a process has moved away from their file, to have them on huge pages. The
 * kernel places probes in files only, so calls of such functions are not seen.
 */
#include "collect/probe/probe_set_impl.h"
#include "target/moved_text.h"

#define LOOKS_MAX 16u /* at one process; generated code may lie where a file has been */

static bool has_functions_in(const struct probed_file *f, const struct moved_text *text)
{
	u64 start = text->start + text->shift, end = text->end + text->shift;

	vec_for_each(&f->probed, span) {
		if (span->start < end && span->end > start)
			return true;
	}
	return false;
}

/* Returns whether functions of the file at `around` that would have probes are at `e`. */
static bool has_moved(struct probe_set *s, pid_t tgid, const struct map_entry *e,
		      const struct map_entry *around)
{
	struct borrowed_module m;
	struct probed_file *f;
	struct moved_text text;
	bool moved;

	if (probed_file_of(s, tgid, around, &f) || !f || !f->probed.len ||
	    !module_set_borrow(s->o.modules, tgid, around, &m))
		return false;
	moved = m.module->elf && moved_text_is_of(tgid, e, around, m.module->elf, &text) &&
		has_functions_in(f, &text);
	module_set_give_back(s->o.modules, &m);
	return moved;
}

void probe_set_say_moved(struct probe_set *s, struct probed_process *p, const map_vec *maps)
{
	const struct map_entry *around[MOVED_TEXT_AROUND];

	vec_for_each(maps, e) {
		u32 n = 0;

		if (p->moved || p->moved_looks >= LOOKS_MAX)
			return;
		if (moved_text_is_likely(maps, e))
			n = moved_text_around(maps, e, around);
		for (u32 i = 0; i < n && !p->moved; i++) {
			p->moved_looks++;
			p->moved = has_moved(s, p->tgid, e, around[i]);
			if (p->moved)
				log_warn(s->o.log,
					 "PID %d has moved functions of %s away from the file (to "
					 "huge pages), where no probes can be placed: their calls "
					 "are not seen",
					 (int)p->tgid, around[i]->path);
		}
	}
}
