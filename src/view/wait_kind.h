/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only names tell about a wait: whether it is for a mutex, a condition variable, a semaphore. Works on
 * a profile of waits that has been symbolized.
 */
#ifndef CPROF_VIEW_WAIT_KIND_H
#define CPROF_VIEW_WAIT_KIND_H

#include "profile/profile.h"

/*
 * Cuts the scheduler's own frames off every stack's leaf side, so that it ends where the wait began; gives
 * samples of locks (those with a label "lock") a label "kind"; and turns the cause of waits on condition
 * variables from "lock" to "idle". Frames without names stay as they are.
 */
int wait_kinds_find(struct profile *p) MUST_CHECK;
/* Whether a sample has this label and text. */
bool wait_has_label(const struct profile *p, const struct profile_sample *s, const char *key,
		    const char *text);
/* The text of a sample's label; NULL: it has none. */
const char *wait_label_text(const struct profile *p, const struct profile_sample *s,
			    const char *key);
/* Takes the samples with this label and text out of the profile. */
void wait_drop(struct profile *p, const char *key, const char *text);

#endif
