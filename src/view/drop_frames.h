/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the functions that a profile itself wants to be left out, by the expressions drop_frames
 * and keep_frames in its file. Whoever made the file can write an expression for which glibc takes
 * hours, in one call and for one name, so a forked process matches. An expression that takes more
 * than a few seconds drops nothing, as one that is not valid does.
 */
#ifndef CPROF_VIEW_DROP_FRAMES_H
#define CPROF_VIEW_DROP_FRAMES_H

#include "profile/profile.h"

/*
 * Finds which names to drop, by the string's number. `*out` is NULL if there are none. Free it with
 * drop_frames_release(). Returns 0 or a negative errno.
 */
int drop_frames_find(const struct profile *p, const u8 **out) MUST_CHECK;
void drop_frames_release(const struct profile *p, const u8 *dropped); /* NULL is allowed */

#endif
