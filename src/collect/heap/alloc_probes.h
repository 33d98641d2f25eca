/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of the allocators that targets have mapped, with probes on them: found by symbol, placed
 * where a probe costs least, attached for one process at a time. Where a file brings otel_memory
 * probes of a sampler of its own, those are used in place of the allocators of its processes.
 */
#ifndef CPROF_COLLECT_HEAP_DOORS_H
#define CPROF_COLLECT_HEAP_DOORS_H

#include "base/error.h"
#include "base/log.h"
#include "collect/probe/probe_file.h"
#include "collect/probe/uprobe_pins.h"

struct heap_doors;

/* What the doors need of the collector; all borrowed. */
struct heap_programs {
	int sites_fd; /* the map of struct heap_site, by cookie */
	/* Program fds; session < 0: the kernel has none, and entry and returns are used. */
	int session, entry, returns, results, frees, weighed;
	bool links; /* all were loaded for uprobe_multi links */
	struct uprobe_pins *pins;
	bool live; /* frees are wanted */
	bool force; /* whatever it does to the target */
	u32 kernel; /* enum probe_kernel */
	const struct alloc_names *names; /* of --alloc */
	const char *library; /* of --lib: no other file is looked at; NULL: all are */
	struct readers *readers;
	const struct log *log;
};

int heap_doors_new(const struct heap_programs *programs, struct heap_doors **out) MUST_CHECK;
void heap_doors_free(struct heap_doors *d); /* detaches */
void heap_doors_detach(struct heap_doors *d);

/*
 * Looks through what a process has mapped and attaches to what is new there. -ESRCH: it has ended, or is about
 * to. One thread may do this while others ask what was found.
 */
int heap_doors_add_process(struct heap_doors *d, pid_t tgid, struct error *err) MUST_CHECK;
/*
 * Attaches to a file that is not mapped yet: for every process that will map it (tgid 0: a sampler's
 * library), or for one that is about to exec it.
 */
int heap_doors_add_file(struct heap_doors *d, const char *path, pid_t tgid,
			struct error *err) MUST_CHECK;
/* Lets go of what was attached to a process: its number may be that of another one now. */
void heap_doors_forget(struct heap_doors *d, pid_t tgid);
/* The same for all that have ended. */
void heap_doors_forget_ended(struct heap_doors *d);

/* "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2), 14 probes"; what was searched where nothing was found. */
const char *heap_doors_text(const struct heap_doors *d);
u32 heap_doors_count(const struct heap_doors *d); /* probes attached */
/* Nanoseconds that a call of an allocating and of a freeing function pay, by where the probes sit. */
void heap_doors_cost(const struct heap_doors *d, u32 *alloc_ns, u32 *free_ns);

/* Every file with doors that was met; index from 0, NULL behind the last. */
const struct door_file *heap_doors_file(const struct heap_doors *d, size_t index);

#endif
