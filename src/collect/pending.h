/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that the kernel could not finish because a file's table was not loaded yet (struct
 * pending_record): walked on here, with the same walker over the same tables, once they are.
 */
#ifndef CPROF_COLLECT_PENDING_H
#define CPROF_COLLECT_PENDING_H

#include "collect/module_set.h"
#include "collect/stack_store.h"
#include "collect/tables.h"

struct pending;

struct pending_env { /* all borrowed, and outlives it */
	struct tables *tables;
	struct module_set *modules;
	struct stack_store *store;
	/* Opens and loads a file that the walk comes upon; its number or a negative errno. */
	int (*load)(void *arg, pid_t tgid, const struct map_entry *e);
	void *arg;
};

int pending_new(const struct pending_env *env, struct pending **out) MUST_CHECK;
void pending_free(struct pending *p);

/*
 * Walks and stores one; its modules must have been loaded. `size` is what came through the ring.
 * *end tells how the stack ended. -EBADMSG for a record that makes no sense.
 */
int pending_finish(struct pending *p, const struct pending_record *r, size_t size,
		   enum stack_end *end) MUST_CHECK;

/*
 * While on, what a process maps is read once for all its records that come in a row: for a process that
 * runs already, and has many threads.
 */
void pending_reuse_maps(struct pending *p, bool on);

#endif
