/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records what could not be taken in, read or determined, so that a profile is incomplete. The
 * recording continues and its profile is still written; the user is told what is missing.
 */
#ifndef CPROF_COLLECT_GAPS_H
#define CPROF_COLLECT_GAPS_H

#include "base/types.h"

#define GAPS(X)                                                                        \
	X(GAP_COUNTS, "counts in the kernel could not be read")                        \
	X(GAP_RECORDS, "records of the kernel made no sense")                          \
	X(GAP_MAPPINGS, "mappings of processes could not be followed")                 \
	X(GAP_LOOKS, "looks at live blocks failed, so peak and growth leave them out") \
	X(GAP_LIVE, "live blocks at the end could not be read")                        \
	X(GAP_RANGES, "calls within allocation functions could not be told apart")     \
	X(GAP_WAITS, "waits that went on at the end could not be read")                \
	X(GAP_STACKS, "stacks were merged, because the profile found no memory")       \
	X(GAP_NAMES, "functions could not be named")                                   \
	X(GAP_DETAILS, "kinds of waits could not be told")

#define GAP_ENUM_(name, text) name,
enum gap { GAPS(GAP_ENUM_) GAP_COUNT };
#undef GAP_ENUM_

struct gaps {
	struct {
		u64 times;
		int code; /* of the first one: a negative errno */
	} of[GAP_COUNT];
};

/* Records a failure; a code of 0 is not one. */
void gaps_note(struct gaps *g, enum gap which, int code);
void gaps_add(struct gaps *g, const struct gaps *more);
const char *gap_text(enum gap which);

#endif
