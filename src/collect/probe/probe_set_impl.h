/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a probe set share: probe_set.c has its processes, probed_files.c its files, and
 * probe_candidate.c attaches. */
#ifndef CPROF_COLLECT_PROBE_SET_IMPL_H
#define CPROF_COLLECT_PROBE_SET_IMPL_H

#include <pthread.h>

#include "collect/probe/probe_set.h"

/* A file that was found in a process. */
struct seen_file {
	struct probed_file *file;
	uprobe_links links;
	u32 search; /* the last search that found it */
	bool expected; /* it has probes before it is mapped */
};

struct probed_process {
	pid_t tgid; /* 0 stands for every process */
	bool exclusive;
	bool missed; /* a file was unmapped before it had its probes */
	bool told; /* other recordings know that it has probes */
	bool moved; /* it was said that functions of it were moved away from their file */
	u32 moved_looks; /* how often code without a file was compared with files */
	u32 search; /* how often it was searched */
	u64 layout; /* a hash of where its code lay at the last search */
	VEC(struct seen_file) seen;
	UT_hash_handle hh;
};

struct probe_set {
	struct probe_set_options o;
	struct probed_file *files;
	VEC(struct probed_file *) unused; /* the one that has been unused for the longest first */
	struct probed_process *processes;
	struct probed_process *searched; /* the one whose search goes on, which must stay */
	u32 probes, nprocesses, nfiles, refused;
	u32 layouts; /* counts searches that found code at other addresses than the one before */
	u32 released; /* counts files with functions that were released */
	u32 waiting; /* files that were refused and are tried again */
	void (*found)(void *arg, pid_t tgid); /* of struct followed_processes */
	void *found_arg;
	pthread_mutex_t lock; /* guards `files`, which one thread changes */
};

/* ---- processes ---- */

/* Returns the process, which is new if it was not known; NULL without memory. */
struct probed_process *probed_process_of(struct probe_set *s, pid_t tgid);
/* Returns what is known of a file in it, or NULL. It moves when a file is added or removed. */
struct seen_file *probed_process_seen(const struct probed_process *p, const struct probed_file *f);
int probed_process_see(struct probe_set *s, struct probed_process *p,
		       struct probed_file *f) MUST_CHECK;
/* Detaches from it, and forgets it. */
void probed_process_unsee(struct probe_set *s, struct probed_process *p, struct seen_file *seen);
/* Puts the probes into a file that it sees. */
int probed_process_place(struct probe_set *s, struct probed_process *p,
			 struct probe_candidate *c) MUST_CHECK;

bool probe_set_wants(const struct probe_set *s, const struct map_entry *e);
/* As probe_set_ops.allowed. */
int probe_set_allows(struct probe_set *s, pid_t tgid, const map_vec *maps,
		     struct error *err) MUST_CHECK;
int probe_set_say_failed(struct error *err, pid_t tgid, int code);

/* ---- files ---- */

/* Returns whether every process that maps the file has its probes. */
bool probed_file_is_everywhere(const struct probe_set *s, const struct probed_file *f);
/* Returns the file of a mapping, and reads it if necessary; NULL if it cannot be read now. */
int probed_file_of(struct probe_set *s, pid_t tgid, const struct map_entry *e,
		   struct probed_file **out) MUST_CHECK;
/* Does the same for the file at a path, and sets the number of the file in `e`. Returns -EAGAIN if
 * it is on a file system that may not answer. */
int probed_file_at(struct probe_set *s, const char *path, struct map_entry *e,
		   struct probed_file **out) MUST_CHECK;
/* Reads a file again that was refused. If there is still no space, *f stays as it is; otherwise the
 * old one is released once no process has it. */
int probed_file_read_again(struct probe_set *s, pid_t tgid, const struct map_entry *e,
			   struct probed_file **f) MUST_CHECK;
/* Returns whether one of the mappings is of this file. */
bool probed_file_is_mapped(const struct probed_file *f, const map_vec *maps);
/* Call it when a process has the file. */
void probed_file_join(struct probe_set *s, struct probed_file *f);
/* Call it when a process does not have the file any more, which may release it. */
void probed_file_leave(struct probe_set *s, struct probed_file *f);
void probed_files_release_unused(struct probe_set *s);

/*
 * Opens the file again, as the process may unmap it or call exec before it has its probes. What was
 * open before serves where the mapping is gone already. Returns -1 if there is neither.
 */
int probe_candidate_open(struct probe_set *s, pid_t tgid, const struct map_entry *e);

/* Says so if the process has moved functions away from their file, where they cannot be probed
 * (moved_functions.c). */
void probe_set_say_moved(struct probe_set *s, struct probed_process *p, const map_vec *maps);

/* Releases whatever is not in use, for others; false if there was nothing. */
bool probe_set_make_space(struct probe_set *s);

#endif
