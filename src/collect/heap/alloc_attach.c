/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches the programs of a heap recording to one file: see alloc_attach.h. */
#include "collect/heap/alloc_attach.h"

#include <errno.h>
#include <string.h>

#include "base/path.h"
#include "collect/probe/probe_site.h"
#include "target/mapped_file.h"
#include "target/process.h"
#include "target/translator.h"

void alloc_attach_sweep(const struct heap_programs *p, pid_t tgid, const struct map_entry *e,
			const uprobe_places *places)
{
	char path[MAPPED_FILE_PATH_SIZE];

	mapped_file_path(tgid, e, path);
	uprobe_pins_sweep(p->pins, path, places->data, (u32)places->len);
}

bool alloc_attach_wanted(const struct heap_programs *p, const struct map_entry *e)
{
	if (!e->executable || !e->inode)
		return false;
	if (!p->library)
		return true;
	return !strcmp(e->path, p->library) || !strcmp(path_name(e->path), p->library);
}

/* Whether this kernel has the fix for filters cannot be tried without risking the target. */
int alloc_attach_allowed(const struct heap_programs *p, pid_t tgid, const map_vec *maps,
			 struct error *err)
{
	if ((p->kernel & PROBE_KERNEL_RETURNS_FILTERED) && !p->force &&
	    process_filters_syscalls(tgid))
		return error_set(
			err, -EPERM,
			"cannot put probes into PID %d: it has a seccomp filter, which may kill it "
			"for that on kernels 6.11 to 6.13 (if yours has the remedy: --force)",
			(int)tgid);
	if ((p->kernel & PROBE_KERNEL_RETURNS_SHADOWED) && process_has_shadow_stack(tgid))
		return error_set(err, -EPERM,
				 "cannot put probes into PID %d: it has a shadow stack, which "
				 "would kill it for that on kernels 6.6 to 6.10",
				 (int)tgid);
	return translator_refuse_process(tgid, maps, err);
}

static int attach_allocs(const struct heap_programs *p, const uprobe_places *places,
			 struct attach_target *target)
{
	int err;

	if (p->session >= 0)
		return attach_places(target, p->session, UPROBE_SESSION, true, places);
	err = attach_places(target, p->returns, UPROBE_RETURN, p->links, places);
	return err ? err : attach_places(target, p->entry, UPROBE_ENTRY, p->links, places);
}

int alloc_attach(const struct heap_programs *p, const struct probe_file *f,
		 struct attach_target *target)
{
	int err;

	/* Frees before allocations: a block must not end unseen. */
	err = attach_places(target, p->frees, UPROBE_ENTRY, p->links, &f->frees);
	if (!err)
		err = attach_places(target, p->weighed, UPROBE_ENTRY, p->links, &f->weighed);
	if (!err)
		err = attach_places(target, p->notices, UPROBE_ENTRY, p->links, &f->notices);
	/* Returns before calls, so that every call which is sampled is seen to return. */
	if (!err)
		err = attach_places(target, p->results, UPROBE_ENTRY, p->links, &f->results);
	if (!err)
		err = attach_places(target, p->entry, UPROBE_ENTRY, p->links, &f->entries);
	if (!err)
		err = f->apart ? alloc_attach(p, f->apart, target)
			       : attach_allocs(p, &f->allocs, target);
	return err;
}
