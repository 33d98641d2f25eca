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
 * "orders_lock", or "cache+0x48" inside something big; NULL when no variable is known there (a lock
 * on the heap or a stack). Valid until the next call.
 */
const char *lock_names_find(struct lock_names *names, pid_t tgid, u64 address);

#define LOCK_NAMES_MAX 65536u /* remembered; beyond, they are looked up anew */
#define LOCK_NAMES_PROCESSES_MAX 4096u /* beyond, those that have ended are forgotten first */
size_t lock_names_processes(const struct lock_names *names);

#endif
