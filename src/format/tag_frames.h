/* SPDX-License-Identifier: Apache-2.0 */
/* Makes frames of labels, as -tagroot and -tagleaf of go tool pprof do. */
#ifndef CPROF_FORMAT_TAG_FRAMES_H
#define CPROF_FORMAT_TAG_FRAMES_H

#include "profile/profile.h"

/*
 * Adds one frame for each key to every stack: those of `root` above its root, the first one
 * outermost, and those of `leaf` below its leaf, the last one innermost. Keys are separated by
 * commas, and either list may be NULL. A frame is named after the label's value, or "[no KEY]".
 * Returns 0 or a negative errno.
 */
int tag_frames_add(struct profile *p, const char *root, const char *leaf) MUST_CHECK;

#endif
