/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what only names tell about a wait: whether it is for a mutex, a condition variable or a
 * semaphore. It works on a symbolized profile of waits.
 */
#ifndef CPROF_VIEW_WAIT_KIND_H
#define CPROF_VIEW_WAIT_KIND_H

#include "profile/profile.h"

/*
 * Cuts the scheduler's own frames off the leaf side of every stack, so that it ends where the wait
 * began. Samples of locks (those with a label "lock") get a label "kind", and the cause of waits on
 * condition variables changes from "lock" to "idle". Frames without names stay as they are.
 */
int wait_kinds_find(struct profile *p) MUST_CHECK;
/*
 * Cuts stacks in the same way. Where the label `key` has this text, which says that the sample
 * waits for a lock, it becomes the kind of the lock.
 */
int wait_kinds_name(struct profile *p, const char *key, const char *text) MUST_CHECK;
/* Returns whether a sample has this label and text. */
bool wait_has_label(const struct profile *p, const struct profile_sample *s, const char *key,
		    const char *text);
/* Returns the text of a sample's label, or NULL if it has none. */
const char *wait_label_text(const struct profile *p, const struct profile_sample *s,
			    const char *key);
/* Removes the samples with this label and text from the profile. */
void wait_drop(struct profile *p, const char *key, const char *text);

#endif
