/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of one recording, by the number that frames carry. Owns them. */
#ifndef CPROF_COLLECT_MODULE_SET_H
#define CPROF_COLLECT_MODULE_SET_H

#include "base/bpf_shared.h"
#include "target/module.h"

struct module_set;

/*
 * The kernel and the vdso are in already. `readers` (may be NULL) are those of its modules, and outlive it.
 */
int module_set_new(struct readers *readers, struct module_set **out) MUST_CHECK;
void module_set_free(struct module_set *set);

/* Takes `m` over and gives its number (from MODULE_FIRST_FILE on); -ENOSPC at MODULE_SLOTS. */
int module_set_add(struct module_set *set, struct module *m);
/* A number for a module that is still being opened; it has none until it is filled. */
int module_set_reserve(struct module_set *set);
void module_set_fill(struct module_set *set, u32 number, struct module *m); /* takes `m` over */
struct module *module_set_get(const struct module_set *set, u32 number); /* NULL: none */

/* The number of the file that a mapping shows; MODULE_NONE when it is not in the set. */
u32 module_set_find(const struct module_set *set, const struct map_entry *e);
u32 module_set_find_same(const struct module_set *set, const struct module *m);

/*
 * The stand-in for a process' JIT code: holds its root directory open, so that its perf map can be
 * read after it is gone. Made at the first call for a tgid. NULL when there is no memory.
 */
struct module *module_set_jit(struct module_set *set, struct proc_pid tgid);

#endif
