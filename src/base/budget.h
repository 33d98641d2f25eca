/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading one foreign file may cost. Its tables may hold counts, sizes and references that
 * make a reader's work quadratic or endless, so every reader of foreign bytes pays for its steps
 * here and stops when there are none left. Which part of the file was left out for it is kept, for
 * the user to be told.
 *
 * Steps are counted rather than timed: the same file gives the same names on every machine, however
 * busy it is. Each part of a file has steps of its own, so that an endless line table does not cost
 * the names that the symbol table would have given. Bytes of memory are counted for the file as a
 * whole.
 *
 * Libraries cannot count for us. While one works on the file, a watch bounds what it takes: CPU
 * time, time, the growth of this process, and a caller who wants to stop.
 */
#ifndef CPROF_BASE_BUDGET_H
#define CPROF_BASE_BUDGET_H

#include "base/types.h"

enum budget_part {
	BUDGET_SECTIONS, /* headers, notes, unpacking, checksums */
	BUDGET_SYMBOLS, /* symbol tables, PLT */
	BUDGET_UNWIND, /* call frame information */
	BUDGET_GO, /* Go's function table */
	BUDGET_INFO, /* DWARF's tree of functions */
	BUDGET_LINES, /* DWARF's line tables */
	BUDGET_NAMES, /* the text of names */
	BUDGET_CODE, /* instructions, where probes are placed */
	BUDGET_PARTS,
};

enum budget_end {
	BUDGET_OPEN, /* there is something left */
	BUDGET_STEPS,
	BUDGET_BYTES,
	BUDGET_TIME,
	BUDGET_STOPPED, /* the caller's wish */
	BUDGET_FAILED, /* a library crashed on it, or gave up for want of memory */
	BUDGET_ENDS,
};

struct budget_watch {
	/* True: end now. NULL: nobody asks. It is called often, from the thread that reads. */
	bool (*stop)(void *arg);
	void *arg;
	u64 cpu_ns, time_ns; /* of this thread from now on; 0: as long as it takes */
};

struct budget {
	/* private */
	u64 steps[BUDGET_PARTS];
	u64 bytes;
	u32 slice; /* steps until the watch is looked at; 0: nothing may be done any more */
	enum budget_end end; /* of the whole file: TIME, STOPPED or BYTES by growth; else OPEN */
	u8 lost[BUDGET_PARTS]; /* enum budget_end */
	struct budget_watch watch;
	u64 next_look, time_end, cpu_end, memory_end;
};

/*
 * For a file of `size` bytes on disk: some seconds of steps for each part, and memory for several
 * times the file, but for no more than half of this machine's memory.
 */
void budget_init(struct budget *b, u64 size);
/*
 * A second file of `size` bytes (separate debug information) is read on the account of the first.
 */
void budget_extend(struct budget *b, u64 size);
/* For tests and tools: so many steps for each part and bytes for all of them. */
void budget_limit(struct budget *b, u64 steps, u64 bytes);

/*
 * From now on `watch` bounds the work as well, and the process may not grow by more bytes than are
 * left. NULL ends that. Steps and bytes go on as they are.
 */
void budget_watch(struct budget *b, const struct budget_watch *watch);

/*
 * Pays as budget_take() does, and looks at the watch: beside library calls whose cost is unknown.
 */
bool budget_look(struct budget *b, enum budget_part part, u64 steps);

/*
 * Pays `steps` (1 or more, of about a nanosecond). False: they are used up, or the watch has ended;
 * then the reader returns -E2BIG, or what it has where that is not misleading.
 */
static inline bool budget_take(struct budget *b, enum budget_part part, u64 steps)
{
	if (steps >= b->slice || steps > b->steps[part])
		return budget_look(b, part, steps);
	b->slice -= (u32)steps;
	b->steps[part] -= steps;
	return true;
}

/* May `bytes` more be allocated? They are not given back: a file is read once. */
bool budget_reserve(struct budget *b, enum budget_part part, u64 bytes);

/* Takes over what a fork of this process has used up and lost. What makes no sense counts as lost. */
void budget_learn(struct budget *b, const struct budget *from);

/* For a reader that leaves out a part for a reason of its own. */
void budget_lose(struct budget *b, enum budget_part part, enum budget_end end);

/* Whether a part has been left out, and for what; BUDGET_OPEN: it was not. */
enum budget_end budget_lost(const struct budget *b, enum budget_part part);
const char *budget_part_text(enum budget_part part); /* "symbol table" */
const char *budget_end_text(enum budget_end end); /* "too large" */

#endif
