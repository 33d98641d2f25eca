/* SPDX-License-Identifier: Apache-2.0 */
/* Holds modules of JIT code: see jit_modules.h. */
#include "collect/session/jit_modules.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/hash.h"

struct jit_module {
	struct proc_pid tgid;
	struct module *module;
	UT_hash_handle hh;
};

static void forget(struct jit_modules *j, struct jit_module *m)
{
	HASH_DEL(j->first, m);
	module_free(m->module);
	free(m);
}

void jit_modules_release(struct jit_modules *j)
{
	struct jit_module *m, *next;

	HASH_ITER(hh, j->first, m, next) {
		forget(j, m);
	}
}

static struct jit_module *find(const struct jit_modules *j, struct proc_pid tgid)
{
	struct jit_module *m;

	HASH_FIND(hh, j->first, &tgid, sizeof(tgid), m);
	return m;
}

static struct jit_module *add(struct jit_modules *j, struct proc_pid tgid)
{
	struct jit_module *m = calloc(1, sizeof(*m));
	pid_t pid = 0;

	if (!m)
		return NULL;
	m->tgid = tgid;
	/* If cprof's /proc does not show a process, nothing is known about it. */
	if (pid_from_proc(tgid, &pid))
		pid = 0;
	if (module_new_special(MODULE_KIND_JIT, j->readers, pid, &m->module)) {
		free(m);
		return NULL;
	}
	HASH_ADD(hh, j->first, tgid, sizeof(m->tgid), m);
	if (HASH_ADDED(m))
		return m;
	module_free(m->module);
	free(m);
	return NULL;
}

struct module *jit_modules_get(struct jit_modules *j, struct proc_pid tgid)
{
	struct jit_module *m = find(j, tgid);

	if (!m)
		m = add(j, tgid);
	return m ? m->module : NULL;
}

/* Returns the oldest one whose process has ended, or else the oldest one. */
static struct jit_module *least_useful(const struct jit_modules *j)
{
	struct jit_module *m, *next;

	HASH_ITER(hh, j->first, m, next) {
		if (m->module->tgid <= 0 || (kill(m->module->tgid, 0) && errno == ESRCH))
			return m;
	}
	return j->first;
}

void jit_modules_note(struct jit_modules *j, struct proc_pid tgid)
{
	if (find(j, tgid))
		return;
	if (jit_modules_count(j) >= JIT_MODULES_MAX)
		forget(j, least_useful(j));
	(void)add(j, tgid);
}

u32 jit_modules_count(const struct jit_modules *j)
{
	return HASH_COUNT(j->first);
}
