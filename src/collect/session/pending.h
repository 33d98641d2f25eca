/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that the kernel could not finish because a file's table was not loaded yet (struct
 * pending_record): walked on here, with the same walker over the same tables. What the process has mapped is read at
 * once, since it may be gone soon; the stack itself may have to wait until files are loaded.
 */
#ifndef CPROF_COLLECT_PENDING_H
#define CPROF_COLLECT_PENDING_H

#include "collect/session/stack_store.h"
#include "collect/session/module_set.h"
#include "target/maps.h"

struct pending;

struct pending_env { /* all borrowed, and outlives it */
	struct module_set *modules; /* whose tables are walked by */
	struct stack_store *store;
	/*
	 * The number of a file that the walk comes upon; -EAGAIN: it is being loaded; another negative errno: it
	 * cannot be.
	 */
	int (*number)(void *arg, pid_t tgid, const struct map_entry *e);
	void *arg;
};

#define PENDING_BYTES_MAX (64u << 20) /* of stacks that wait; beyond, they are cut */

int pending_new(const struct pending_env *env, struct pending **out) MUST_CHECK;
void pending_free(struct pending *p);

/*
 * Walks and stores one, or keeps a copy until pending_retry(). `size` is what came through the ring. -EBADMSG
 * for a record that makes no sense.
 */
int pending_finish(struct pending *p, const struct pending_record *r, size_t size) MUST_CHECK;

/* Files have been loaded: walks the stacks that waited for them. */
void pending_retry(struct pending *p);
/* Stores what is left, cut where it waits. */
void pending_give_up(struct pending *p);
/* Marks the modules of frames that wait. */
void pending_mark(const struct pending *p, struct module_marks *m);
size_t pending_waiting(const struct pending *p); /* so many stacks */
/* Adds how the stacks that were stored ended. */
void pending_ends(const struct pending *p, u64 ends[STACK_END_COUNT]);

/*
 * While on, what a process maps is read once for all its records that come in a row: for a process that
 * runs already, and has many threads.
 */
void pending_reuse_maps(struct pending *p, bool on);

#endif
