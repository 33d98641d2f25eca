/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One recording's share in the store of modules (module_store.h): what it has asked for, and which
 * numbers its samples may carry. A module that it is given stays until the recording says that none
 * of its samples needs it.
 *
 * One thread polls; module_set_borrow() and module_set_give_back() may be called from others.
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
 * The kernel and the vdso are in already. `store` is shared; NULL: one of its own. `log` is
 * borrowed and may be NULL. -EMFILE: too many recordings share the store.
 */
int module_set_new(struct module_store *store, const struct log *log,
		   struct module_set **out) MUST_CHECK;
void module_set_free(struct module_set *set);

/* ---- asking ---- */

/* What the kernel has met, or lists: of a mapping, where it begins and ends. */
void module_set_record(struct module_set *set, const struct module_record *r);
/*
 * Returns the number of the file behind a mapping of `tgid`, and requests the file if necessary. It
 * is -EAGAIN until it is there. Another negative errno means that it cannot be opened, and is not
 * tried again for some time.
 */
int module_set_number(struct module_set *set, pid_t tgid, const struct map_entry *e);
/*
 * The same, but the number comes at once, before the file is loaded or if it cannot be. It stands
 * in tables of the recording's own, so module_set_judge() has to mark it for as long as it does.
 * MODULE_NO_ROOM: there is none.
 */
u32 module_set_place(struct module_set *set, pid_t tgid, const struct map_entry *e);
bool module_set_is_loading(struct module_set *set, u32 number);

int module_set_fd(
	const struct module_set *set); /* readable: module_set_take() has something to do */
bool module_set_ready(const struct module_set *set); /* the same, cheap enough to be called often */
/* Takes in what has been loaded; true when there is something new. Also lets go of what nobody
 * needs. */
bool module_set_take(struct module_set *set);
/*
 * Takes in everything that this recording has asked for. False: there was nothing, or what there is
 * takes longer than any file should.
 */
bool module_set_wait(struct module_set *set);
/* The same, but each file may take this long only. */
bool module_set_wait_for(struct module_set *set, u32 timeout_ms);

/* ---- modules ---- */

struct module *module_set_get(struct module_set *set, u32 number); /* NULL if there is none */
/* The same for a profile that will be named: a file that was closed is opened again if it can
 * be. */
struct module *module_set_reopen(struct module_set *set, u32 number);
/* The number of the file that a mapping shows; MODULE_NONE when no recording has met it. */
u32 module_set_find(struct module_set *set, const struct map_entry *e);
struct borrowed_module {
	struct module *module;
	struct store_file *file; /* private */
};

/*
 * The file behind a mapping, for a thread that reads its ELF file and can wait until it has been
 * loaded: nobody else reads it until it is given back. False: it cannot be opened.
 */
bool module_set_borrow(struct module_set *set, pid_t tgid, const struct map_entry *e,
		       struct borrowed_module *out) MUST_CHECK;
bool module_set_borrow_number(struct module_set *set, u32 number,
			      struct borrowed_module *out) MUST_CHECK;
void module_set_give_back(struct module_set *set, struct borrowed_module *m);

/* For tests: a module that was opened elsewhere, which is taken over; its number, or -ENOSPC. */
int module_set_add(struct module_set *set, struct module *m);

/*
 * Returns the module for a process' JIT code. It keeps its root directory open, so that its perf
 * map can be read after the process is gone. It is created at the first call for a tgid, and NULL
 * if memory ran out.
 */
struct module *module_set_jit(struct module_set *set, struct proc_pid tgid);
/* The same while recording: beyond MODULE_SET_JIT_MAX, the oldest of an ended process is given
 * up. */
void module_set_note_jit(struct module_set *set, struct proc_pid tgid);
#define MODULE_SET_JIT_MAX 1024u

/* ---- tables ---- */

/* Around walks by views of tables. */
void module_set_walk_begin(struct module_set *set);
void module_set_walk_end(struct module_set *set);
/* A module's table; borrowed until the walk ends. False: there is none. */
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
 * When files have been let go and it is time for it: `mark` marks all numbers that samples and
 * tables of the recording have; it gives up the others.
 */
void module_set_judge(struct module_set *set, void (*mark)(void *arg, struct module_marks *m),
		      void *arg);
/* While on, modules that were given for a profile stay as they are: it is being named. */
void module_set_reading(struct module_set *set, bool on);

struct module_set_stats {
	u64 modules, late; /* that came since the recording joined; while recording */
	u64 rows;
	u32 jit; /* processes with JIT code, whose roots are open */
};

void module_set_begin(struct module_set *set); /* files that are requested from now on are late */
void module_set_stats(const struct module_set *set, struct module_set_stats *out);

#endif
