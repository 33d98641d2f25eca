/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of one recording: see module_set.h. */
#include "collect/session/module_set.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "target/pid_space.h"

struct jit_entry {
	struct proc_pid tgid;
	struct module *module;
	UT_hash_handle hh;
};

struct module_set {
	struct module *by_number[MODULE_SLOTS];
	u32 next;
	struct readers *readers;
	struct jit_entry *jit;
};

int module_set_new(struct readers *readers, struct module_set **out)
{
	struct module_set *set = calloc(1, sizeof(*set));
	int err;

	if (!set)
		return -ENOMEM;
	set->next = MODULE_FIRST_FILE;
	set->readers = readers;
	err = module_new_special(MODULE_KIND_KERNEL, NULL, 0, &set->by_number[MODULE_KERNEL]);
	if (!err)
		err = module_new_special(MODULE_KIND_VDSO, NULL, 0, &set->by_number[MODULE_VDSO]);
	if (err) {
		module_set_free(set);
		return err;
	}
	*out = set;
	return 0;
}

void module_set_free(struct module_set *set)
{
	struct jit_entry *e, *tmp;

	if (!set)
		return;
	HASH_ITER(hh, set->jit, e, tmp) {
		HASH_DEL(set->jit, e);
		module_free(e->module);
		free(e);
	}
	for (u32 i = 0; i < MODULE_SLOTS; i++)
		module_free(set->by_number[i]);
	free(set);
}

int module_set_add(struct module_set *set, struct module *m)
{
	if (set->next >= MODULE_SLOTS)
		return -ENOSPC;
	set->by_number[set->next] = m;
	return (int)set->next++;
}

int module_set_reserve(struct module_set *set)
{
	return module_set_add(set, NULL);
}

void module_set_fill(struct module_set *set, u32 number, struct module *m)
{
	set->by_number[number] = m;
}

struct module *module_set_get(const struct module_set *set, u32 number)
{
	return number < MODULE_SLOTS ? set->by_number[number] : NULL;
}

static u32 find_file(const struct module_set *set, u64 inode, u32 dev_major, u32 dev_minor)
{
	for (u32 i = MODULE_FIRST_FILE; i < set->next; i++) {
		const struct module *m = set->by_number[i];

		if (m && m->inode == inode && m->dev_major == dev_major &&
		    m->dev_minor == dev_minor)
			return i;
	}
	return MODULE_NONE;
}

u32 module_set_find(const struct module_set *set, const struct map_entry *e)
{
	return find_file(set, e->inode, e->dev_major, e->dev_minor);
}

u32 module_set_find_same(const struct module_set *set, const struct module *m)
{
	return find_file(set, m->inode, m->dev_major, m->dev_minor);
}

struct module *module_set_jit(struct module_set *set, struct proc_pid tgid)
{
	struct jit_entry *e;
	pid_t pid = 0;

	HASH_FIND(hh, set->jit, &tgid, sizeof(tgid), e);
	if (e)
		return e->module;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->tgid = tgid;
	/* Of a process that cprof's /proc does not show nothing is known. */
	if (pid_from_proc(tgid, &pid))
		pid = 0;
	if (module_new_special(MODULE_KIND_JIT, set->readers, pid, &e->module)) {
		free(e);
		return NULL;
	}
	HASH_ADD(hh, set->jit, tgid, sizeof(e->tgid), e);
	if (HASH_ADDED(e))
		return e->module;
	module_free(e->module);
	free(e);
	return NULL;
}
