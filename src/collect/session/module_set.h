/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds one recording's share of the module store (module_store.h): what it requested, and which
 * numbers its samples may contain. A module that it received stays until the recording says that
 * none of its samples needs it.
 *
 * One thread polls. Others may call module_set_borrow() and module_set_give_back().
 */
#ifndef CPROF_COLLECT_MODULE_SET_H
#define CPROF_COLLECT_MODULE_SET_H

#include "base/bpf_shared.h"
#include "base/log.h"
#include "collect/session/module_store.h"
#include "target/module.h"

struct module_set;
struct rows; /* unwind/rows.h */

/*
 * Creates a share that already has the kernel and the vdso. `store` is shared; if NULL, the share
 * has its own. `log` is borrowed and may be NULL. Returns -EMFILE if too many recordings share the
 * store.
 */
int module_set_new(struct module_store *store, const struct log *log,
		   struct module_set **out) MUST_CHECK;
void module_set_free(struct module_set *set);
struct readers *module_set_readers(struct module_set *set); /* borrowed; may be NULL */

/* ---- requests ---- */

/* Takes what the kernel saw or lists of a mapping: where it begins and ends. */
void module_set_record(struct module_set *set, const struct module_record *r);
/*
 * Returns the number of the file behind a mapping of `tgid`, and requests the file if necessary. It
 * is -EAGAIN until it is there. Another negative errno means that it cannot be opened, and is not
 * tried again for some time.
 */
int module_set_number(struct module_set *set, pid_t tgid, const struct map_entry *e);
/*
 * Finds out what the code of a mapping without a file of its own is. Returns 0 and the part of the
 * mapping that is text of a file (.module), or MODULE_ANON for generated code. It is -EAGAIN until
 * that is known.
 */
int module_set_moved(struct module_set *set, pid_t tgid, const struct map_entry *e,
		     struct moved_range *out) MUST_CHECK;
/*
 * Does the same as module_set_number(), but returns the number at once, before the file is loaded
 * or if it cannot be. The number is in tables of the recording, so module_set_sweep() has to mark
 * it as long as it is there. Returns MODULE_UNNUMBERED if no number is left.
 */
u32 module_set_place(struct module_set *set, pid_t tgid, const struct map_entry *e);
bool module_set_is_loading(struct module_set *set, u32 number);
/*
 * Requests that the code of a frame is followed, for which rows were left for later. Returns 0 if
 * what is known of it is final, and -EAGAIN until then.
 */
int module_set_follow(struct module_set *set, u64 frame);

int module_set_fd(const struct module_set *set); /* readable when module_set_take() has work */
bool module_set_ready(const struct module_set *set); /* the same, cheap enough to be called often */
/* Takes in what has been loaded, and frees what nobody needs. Returns true if something
 * changed. */
bool module_set_take(struct module_set *set);
/*
 * Takes in everything that this recording requested. Returns false if there was nothing, or if the
 * rest takes longer than any file should.
 */
bool module_set_wait(struct module_set *set);
/* Does the same, but limits the time that each file may take. */
bool module_set_wait_for(struct module_set *set, u32 timeout_ms);

/* ---- modules ---- */

struct module *module_set_get(struct module_set *set, u32 number); /* NULL if there is none */
/* Does the same for a profile that will be named, so it opens a closed file again if it can. */
struct module *module_set_reopen(struct module_set *set, u32 number);
/* Returns the number of the file that a mapping shows, or MODULE_NONE if no recording has seen
 * it. */
u32 module_set_find(struct module_set *set, const struct map_entry *e);
struct borrowed_module {
	struct module *module;
	struct store_file *file; /* private */
};

/*
 * Borrows the file behind a mapping, for a thread that reads its ELF file and can wait until it has
 * been loaded. Nobody else reads it until module_set_give_back(). Returns false if it cannot be
 * opened.
 */
bool module_set_borrow(struct module_set *set, pid_t tgid, const struct map_entry *e,
		       struct borrowed_module *out) MUST_CHECK;
bool module_set_borrow_number(struct module_set *set, u32 number,
			      struct borrowed_module *out) MUST_CHECK;
void module_set_give_back(struct module_set *set, struct borrowed_module *m);

/* Takes over a module that was opened elsewhere, for tests. Returns its number or -ENOSPC. */
int module_set_add(struct module_set *set, struct module *m);

/* These are jit_modules_get() and jit_modules_note() for the recording. */
struct module *module_set_jit(struct module_set *set, struct proc_pid tgid);
void module_set_note_jit(struct module_set *set, struct proc_pid tgid);

/* ---- tables ---- */

/* Call these before and after walks that use views of tables. */
void module_set_walk_begin(struct module_set *set);
void module_set_walk_end(struct module_set *set);
/* Returns a module's table, which is borrowed until the walk ends, or false if it has none. */
bool module_set_rows(struct module_set *set, u32 number, struct rows *view);
const struct unwind_rule *module_set_rules(const struct module_set *set); /* UNWIND_MAX_RULES */

/* ---- what is still needed ---- */

struct module_marks {
	u64 bits[MODULE_MAX / 64];
};

static inline void module_mark(struct module_marks *m, u32 number)
{
	if (number < MODULE_MAX)
		m->bits[number / 64] |= 1ull << number % 64;
}

/*
 * Gives up numbers when files have been evicted and it is time to. `mark` marks all numbers that
 * the recording's samples and tables contain, and the recording gives up the others.
 */
void module_set_sweep(struct module_set *set, void (*mark)(void *arg, struct module_marks *m),
		      void *arg);
/* Keeps modules as they are while it is on, because a profile that uses them is being named. */
void module_set_reading(struct module_set *set, bool on);

struct module_set_stats {
	u64 modules, late; /* that came since the recording joined, and while it recorded */
	u64 rows;
	u32 jit; /* processes with JIT code whose roots are open */
};

void module_set_begin(struct module_set *set); /* files that are requested from now on are late */
void module_set_stats(const struct module_set *set, struct module_set_stats *out);

#endif
