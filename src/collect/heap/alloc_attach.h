/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches the programs of a heap recording to the places of one file. */
#ifndef CPROF_COLLECT_ALLOC_ATTACH_H
#define CPROF_COLLECT_ALLOC_ATTACH_H

#include "base/error.h"
#include "base/log.h"
#include "collect/probe/probe_attach.h"
#include "collect/probe/probe_file.h"
#include "collect/session/module_set.h"
#include "target/maps.h"

/* What the probes need from the collector; everything is borrowed. */
struct heap_programs {
	int sites_fd; /* the map of struct heap_site, by cookie */
	u32 sites; /* how many it may have */
	/* Descriptors of programs. If session < 0, the kernel has no sessions, and entry and
	 * returns are used. */
	int session, entry, returns, results, frees, weighed, notices;
	int list_returns; /* the iterator of return probes, with sessions; else negative */
	bool links; /* all were loaded for uprobe_multi links */
	struct uprobe_pins *pins;
	bool live; /* frees are wanted */
	bool force; /* whatever it does to the target */
	u32 kernel; /* enum probe_kernel */
	const struct alloc_names *names; /* of --alloc */
	const char *library; /* from --lib: no other file is examined; NULL for all files */
	struct readers *readers;
	struct module_set *modules; /* the recording's modules, which open files */
	const struct log *log;
	/* Called when the allocator of a file has its probes, for one process. */
	void (*placed)(void *arg, pid_t tgid);
	void *placed_arg;
};

/* Removes breakpoints that nobody holds. A child has those of its parent, and runs into them while
 * their link lives. */
void alloc_attach_sweep(const struct heap_programs *p, pid_t tgid, const struct map_entry *e,
			const uprobe_places *places);

/* Returns whether the user wants probes in this mapping. */
bool alloc_attach_wanted(const struct heap_programs *p, const struct map_entry *e);
/* Returns -EPERM if the kernel would kill the process for its probes. */
int alloc_attach_allowed(const struct heap_programs *p, pid_t tgid, const map_vec *maps,
			 struct error *err) MUST_CHECK;
/* Returns -ENOENT if what the path leads to is no longer mapped. After an error, `links` has what
 * was attached before it. */
int alloc_attach(const struct heap_programs *p, const struct probe_file *f,
		 struct attach_target *target) MUST_CHECK;

#endif
