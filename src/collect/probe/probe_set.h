/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Knows which files have functions to probe and which processes have probes in them. A kind of
 * probes says what is special about it in struct probe_set_ops: how the functions of a file are
 * found, and how programs are attached to them.
 *
 * A file is read once, however many processes map it. When no process has it any more, it is kept
 * for the next one that maps it, together with a number of others, and then released, so that long
 * recordings of many programs stay small.
 *
 * One thread adds and forgets. Others may query at the same time.
 */
#ifndef CPROF_COLLECT_PROBE_SET_H
#define CPROF_COLLECT_PROBE_SET_H

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/readers.h"
#include "collect/probe/code_check.h"
#include "collect/probe/probe_attach.h"
#include "collect/session/module_set.h"
#include "target/maps.h"

struct probe_set;

/* How maps shows a file. */
struct probed_file_key {
	u64 inode;
	u32 dev_major, dev_minor;
};

/* Tells whether a file is still the one that was read. */
struct probed_file_version {
	s64 changed_s; /* the time of its last change, as statx(2) has it; 0 if it is not known */
	u64 changed_ns, size;
};

/* What is known of a file; the first member of the struct that probe_set_ops.read allocates. */
struct probed_file {
	struct probed_file_key key;
	u32 module; /* its number in the recording's frames; MODULE_NONE if it is not known */
	/* If the first search of a process finds such a file, no other file of it is probed. */
	bool exclusive;
	code_spans probed; /* the code in which probes are, or on which their places depend */
	/* Private. */
	bool program; /* it is not a library, so only processes that run it have it mapped */
	bool refused; /* there was no space for its functions, so the set itself made it */
	bool replaced; /* it is not in the set any more */
	u32 refused_at; /* how many files with functions had been released by then */
	u32 users; /* processes that have or had it mapped */
	struct probed_file_version version;
	UT_hash_handle hh;
};

/* A file that a process has and that is to be probed. */
struct probe_candidate {
	struct probe_set *set;
	pid_t tgid; /* 0 for every process */
	struct probed_file *file;
	const struct map_entry *entry; /* one of its mappings, or only its path */
	const map_vec *maps; /* of the process; NULL if the file is not mapped yet */
	int fd; /* the file, as O_PATH; negative: it is found through its mappings */
	uprobe_links *links; /* the links of this file in this process */
	u32 attached; /* places that probe_candidate_attach() has attached */
};

struct probe_set_ops {
	/* Returns whether probes are wanted in an executable mapping of a file. NULL for all. */
	bool (*wanted)(void *arg, const struct map_entry *e);
	/* Returns 0, or -EPERM with the message if a process must not be probed. NULL refuses
	 * those that a translator runs. */
	int (*allowed)(void *arg, pid_t tgid, const map_vec *maps, struct error *err);
	/*
	 * Finds the functions of a file, which messages call `path`. A file without any is not an
	 * error. Returns -ENOSPC if there is no space for more functions; it is called again when
	 * files have been released.
	 */
	int (*read)(void *arg, struct elf_file *elf, const char *path, struct probed_file **out);
	void (*release)(void *arg, struct probed_file *f);
	/* Attaches all probes of a file; errors are those of attach_places(). */
	int (*attach)(void *arg, const struct probed_file *f, struct attach_target *t);
	/* Does what is done for a new file of a process, in place of probe_candidate_place(), which
	 * it may call. NULL if nothing is special. */
	int (*place)(void *arg, struct probe_candidate *c);
};

struct probe_set_options {
	const struct probe_set_ops *ops; /* borrowed, like everything here */
	void *arg;
	struct uprobe_pins *pins;
	struct readers *readers;
	struct module_set *modules; /* the recording's modules, which open files */
	const struct log *log;
	u32 unused_max; /* files that are kept although no process has them; 0 for the default */
};

#define PROBE_SET_UNUSED_MAX 128u

int probe_set_new(const struct probe_set_options *opt, struct probe_set **out) MUST_CHECK;
void probe_set_free(struct probe_set *s); /* detaches; NULL is allowed */
void probe_set_detach(struct probe_set *s); /* and forgets all processes */

/* ---- processes ---- */

/* Attaches to what a process has mapped since it was last searched. Returns -ESRCH if it has ended,
 * or is about to. */
int probe_set_add_process(struct probe_set *s, pid_t tgid, struct error *err) MUST_CHECK;
/* Does the same for mappings that have been read. */
int probe_set_add_mapped(struct probe_set *s, pid_t tgid, const map_vec *maps,
			 struct error *err) MUST_CHECK;
/*
 * Attaches to a file that is not mapped yet: for every process that will map it (tgid 0), or for
 * one that is about to exec it.
 */
int probe_set_add_file(struct probe_set *s, const char *path, pid_t tgid,
		       struct error *err) MUST_CHECK;
/*
 * Attaches to a program's own functions, as the file at `path` has them: for every process, or if
 * another process than `runs` runs it already, for `only`, unless that is 0. Sets *had if the
 * probes of `runs` were there before.
 */
int probe_set_add_program(struct probe_set *s, const char *path, pid_t runs, pid_t only, bool *had,
			  struct error *err) MUST_CHECK;
/* Attaches to the files that a process has mapped, as the program that it runs next is likely to
 * map the same libraries. */
int probe_set_expect_mapped(struct probe_set *s, pid_t tgid, struct error *err) MUST_CHECK;
/* Releases what was attached to a process, because its number may now belong to another one. */
void probe_set_forget(struct probe_set *s, pid_t tgid);
/* Does the same for all that have ended. */
void probe_set_forget_ended(struct probe_set *s);

/* ---- for probe_set_ops.place ---- */

/* Attaches all probes, unless the code was changed; then it returns 0. */
int probe_candidate_place(struct probe_candidate *c) MUST_CHECK;
/* Returns whether these parts of the file are unchanged in the process. What is not mapped is. */
bool probe_candidate_is_unchanged(const struct probe_candidate *c, const code_spans *spans);
/* Attaches all probes of the file or, with an error, none or a part; -ENOENT if no mapping is left.
 */
int probe_candidate_attach(struct probe_candidate *c) MUST_CHECK;
/* Detaches what was attached, and waits until it is gone. */
void probe_candidate_detach(struct probe_candidate *c);
/* Calls `fn` with the ELF file. Returns its result, or an error if the file cannot be opened. */
int probe_candidate_read(const struct probe_candidate *c, int (*fn)(void *arg, struct elf_file *),
			 void *arg) MUST_CHECK;

/* ---- queries, at any time and from any thread ---- */

struct probe_set_stats {
	u32 probes; /* attached so far */
	u32 processes, files; /* that are known now */
	u32 refused; /* files whose functions found no space, so that their calls were not seen */
};

void probe_set_stats(const struct probe_set *s, struct probe_set_stats *out);

/* Files do not change and are not released between these two. */
void probe_set_lock(const struct probe_set *s);
void probe_set_unlock(const struct probe_set *s);
/* Calls `fn` for all files that have been read. Call it with the lock. */
void probe_set_visit(const struct probe_set *s, void (*fn)(void *arg, const struct probed_file *f),
		     void *arg);

#endif
