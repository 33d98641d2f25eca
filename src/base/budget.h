/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds what it may cost to read one foreign file. The tables of such a file may hold counts,
 * sizes and references that make a reader's work quadratic or endless, so every reader of foreign
 * bytes charges its steps here and stops when none are left. The budget records which part of the
 * file was left out for that reason, so that the user can be told.
 *
 * Steps are counted rather than timed, so the same file gives the same names on every machine,
 * however busy it is. Each part of a file has its own steps, so an endless line table does not cost
 * the names that the symbol table would have given. Bytes of memory are counted for the file as a
 * whole.
 *
 * Libraries do not count for us. While one works on the file, a watch bounds the CPU time, the
 * wall-clock time and the growth of this process, and lets the caller stop the work.
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
	BUDGET_OPEN, /* The budget is not used up. */
	BUDGET_STEPS,
	BUDGET_BYTES,
	BUDGET_TIME,
	BUDGET_STOPPED, /* The caller stopped the work. */
	BUDGET_CLOSED, /* The file had been closed before it was to be read. */
	BUDGET_FAILED, /* A library crashed on the file, or gave up because memory ran out. */
	BUDGET_ENDS,
};

struct budget_watch {
	/* Returns true to stop now; NULL if the caller never stops the work. It is called often,
	 * from the thread that reads. */
	bool (*stop)(void *arg);
	void *arg;
	/* from now on: CPU time of this thread and wall-clock time; 0 for no limit */
	u64 cpu_ns, time_ns;
};

struct budget {
	/* private */
	u64 steps[BUDGET_PARTS];
	u64 bytes;
	u32 slice; /* steps until the watch is checked again; 0 once nothing more may be done */
	/* for the whole file: TIME, STOPPED, or BYTES because the process grew; else OPEN */
	enum budget_end end;
	u8 lost[BUDGET_PARTS]; /* enum budget_end */
	struct budget_watch watch;
	u64 next_look, time_end, cpu_end, memory_end;
};

/*
 * Sets up the budget for a file of `size` bytes on disk. Each part gets some seconds of steps. The
 * memory is several times the size of the file, but at most half of this machine's memory.
 */
void budget_init(struct budget *b, u64 size);
/*
 * Extends the budget for a second file of `size` bytes (separate debug information), which is read
 * on the same budget as the first one.
 */
void budget_extend(struct budget *b, u64 size);
/* Sets the steps of each part and the bytes of all of them, for tests and tools. */
void budget_limit(struct budget *b, u64 steps, u64 bytes);

/*
 * Makes `watch` bound the work as well from now on; the process may not grow by more bytes than are
 * left. NULL removes the watch. Steps and bytes keep their values.
 */
void budget_watch(struct budget *b, const struct budget_watch *watch);

/*
 * Charges steps as budget_take() does and checks the watch. Call it around library calls whose cost
 * is unknown.
 */
bool budget_look(struct budget *b, enum budget_part part, u64 steps);

/*
 * Charges `steps` (at least 1; a step takes about a nanosecond). Returns false once they are used
 * up or the watch has ended the work; the reader then returns -E2BIG, or what it has so far if that
 * is not misleading.
 */
static inline bool budget_take(struct budget *b, enum budget_part part, u64 steps)
{
	if (steps >= b->slice || steps > b->steps[part])
		return budget_look(b, part, steps);
	b->slice -= (u32)steps;
	b->steps[part] -= steps;
	return true;
}

/* Returns whether another `bytes` may be allocated. They are never given back, because a file is
 * read once. */
bool budget_reserve(struct budget *b, enum budget_part part, u64 bytes);

/* Adopts what a fork of this process has used up and left out. Values that make no sense count as
 * left out. */
void budget_learn(struct budget *b, const struct budget *from);

/* Records that a reader leaves out a part for its own reason. */
void budget_lose(struct budget *b, enum budget_part part, enum budget_end end);

/* Returns why a part was left out, or BUDGET_OPEN if it was not. */
enum budget_end budget_lost(const struct budget *b, enum budget_part part);
/* Returns the name of a part, such as "symbol table". */
const char *budget_part_text(enum budget_part part);
/* Returns the text of a reason, such as "too large". */
const char *budget_end_text(enum budget_end end);

#endif
