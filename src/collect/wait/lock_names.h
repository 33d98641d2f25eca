/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the variable at the address of a lock, from the mappings of the process and the symbols of
 * its files. A process' mappings are noted while it runs, because it may be gone when names are
 * looked up.
 */
#ifndef CPROF_COLLECT_LOCK_NAMES_H
#define CPROF_COLLECT_LOCK_NAMES_H

#include <sys/types.h>

#include "collect/session/module_set.h"

struct lock_names;

/* `modules` is borrowed. */
int lock_names_new(struct module_set *modules, struct lock_names **out) MUST_CHECK;
void lock_names_free(struct lock_names *names); /* NULL is allowed */

/* Reads where a process has its files, again if it was done before. What cannot be read stays as it
 * was. */
void lock_names_note(struct lock_names *names, pid_t tgid);

/*
 * Returns "orders_lock", or "cache+0x48" in a larger object, valid until the next call. Returns
 * NULL when no variable is known there (for a lock on the heap or on a stack).
 */
const char *lock_names_find(struct lock_names *names, pid_t tgid, u64 address);

#define LOCK_NAMES_MAX 65536u /* names that are remembered; beyond these, they are looked up anew */
/* beyond these, processes that have ended are forgotten first */
#define LOCK_NAMES_PROCESSES_MAX 4096u
size_t lock_names_processes(const struct lock_names *names);

#endif
