/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finishes stacks that the kernel could not finish because a file's table was not loaded yet, or
 * code without call frame information was not followed yet (struct pending_record). The same walker
 * continues here over the same tables. The process' mappings are read at once, because it may be
 * gone soon; the stack itself may have to wait until files are loaded.
 */
#ifndef CPROF_COLLECT_PENDING_H
#define CPROF_COLLECT_PENDING_H

#include "collect/session/stack_store.h"
#include "collect/session/module_set.h"
#include "target/maps.h"

struct pending;

struct pending_env { /* everything is borrowed, and must outlive it */
	struct module_set *modules; /* whose tables the walks use */
	struct stack_store *store;
	/*
	 * Returns the number of a file that the walk needs; -EAGAIN if it is being loaded; another
	 * negative errno if it cannot be loaded.
	 */
	int (*number)(void *arg, pid_t tgid, const struct map_entry *e);
	/* Finds what the code of a mapping without a file is, as module_set_moved() does; NULL if
	 * all of it is generated code. */
	int (*moved)(void *arg, pid_t tgid, const struct map_entry *e, struct moved_range *out);
	/* Returns -EAGAIN as long as the code of a frame is being followed, and then 0. */
	int (*follow)(void *arg, u64 frame);
	void *arg;
};

#define PENDING_BYTES_MAX (64u << 20) /* of stacks that wait; further ones are cut */

int pending_new(const struct pending_env *env, struct pending **out) MUST_CHECK;
void pending_free(struct pending *p);

/*
 * Walks and stores one, or keeps a copy until pending_retry(). `size` is that of the record in the
 * ring. Returns -EBADMSG for an invalid record.
 */
int pending_finish(struct pending *p, const struct pending_record *r, size_t size) MUST_CHECK;

/*
 * Says in which batch (record_queue_batch()) the records that follow have arrived. The mappings of
 * a process are read once for its consecutive records of a batch, because all of them were sent
 * before. Reading takes 1 ms where hundreds of libraries are mapped.
 */
void pending_batch(struct pending *p, u64 batch);

/* Call it after files have been loaded; it walks the stacks that waited for them. */
void pending_retry(struct pending *p);
/* Stores what is left, cut where it waits. */
void pending_give_up(struct pending *p);
/* Marks the modules of frames that are pending. */
void pending_mark(const struct pending *p, struct module_marks *m);
size_t pending_waiting(const struct pending *p); /* number of waiting stacks */
/* Adds how the stored stacks ended. */
void pending_ends(const struct pending *p, u64 ends[STACK_END_COUNT]);

/*
 * While it is on, the mappings of a process are read once for all its consecutive records. It is
 * for a process that already runs and has many threads.
 */
void pending_reuse_maps(struct pending *p, bool on);

#endif
