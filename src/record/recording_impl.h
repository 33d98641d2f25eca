/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the inside of a recording, for recording.c and recording_profile.c only. */
#ifndef CPROF_RECORD_RECORDING_IMPL_H
#define CPROF_RECORD_RECORDING_IMPL_H

#include "record/debug_downloads.h"
#include "record/preload.h"
#include "record/recording.h"

struct recording {
	struct recording_options o;
	const struct profile_kind *kind;
	struct target target;
	struct command command;
	struct preload preload;
	struct collect_options collect;
	struct collector *collector;
	struct debug_downloads *downloads; /* NULL if nothing is downloaded */
	bool stopped;
	struct collect_stats stats; /* set once there is no collector */
	struct symbolize_stats names;
	struct gaps gaps; /* in addition to those of the collector */
	struct lines summary; /* of the kind */
	u64 wall_start_ns, start_ns, elapsed_ns;
	u64 taken_ns; /* the part of `elapsed_ns` at which the last take ended */
	u64 progress_ns; /* the part of `elapsed_ns` at which progress was last reported */
	int events, timer; /* epoll and timerfd, once they are needed; else -1 */
};

/* Sets elapsed_ns, until recording_stop(). */
void recording_take_time(struct recording *r);
void recording_free_collector(struct recording *r);
/* Begins to download the debug files of what is hot so far. */
void recording_download(struct recording *r);

#endif
