/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds the steps, bytes and time spent on one file: see budget.h. */
#include "base/budget.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory_used.h"

#define SLICE (1u << 16)
/* Reading the CPU time and memory use costs some microseconds, so it is done this often at most. */
#define LOOK_NS (10 * 1000000ull)

/*
 * The largest programs stay well below these limits: firefox's libxul.so takes 36 million steps for
 * its call frame information, and a gigabyte of DWARF takes some two billion.
 */
static const struct {
	const char *text;
	u64 steps;
} parts[BUDGET_PARTS] = {
	[BUDGET_SECTIONS] = {"sections", 2000000000},
	[BUDGET_SYMBOLS] = {"symbol table", 2000000000},
	[BUDGET_UNWIND] = {"unwind table", 2000000000},
	[BUDGET_GO] = {"Go function table", 2000000000},
	[BUDGET_INFO] = {"debug information", 4000000000},
	[BUDGET_LINES] = {"line table", 4000000000},
	[BUDGET_NAMES] = {"names", 2000000000},
	[BUDGET_CODE] = {"code", 1000000000},
};

/* These bytes cover unpacked sections and what is built from them. Even the smallest file may use
 * the first part. */
#define BYTES_ALWAYS (256ull << 20)
#define BYTES_PER_BYTE 8

static u64 page_size(void)
{
	return (u64)sysconf(_SC_PAGESIZE);
}

static u64 bytes_for(u64 size)
{
	u64 half = (u64)sysconf(_SC_PHYS_PAGES) / 2 * page_size();

	return size >= half / BYTES_PER_BYTE ? half : size * BYTES_PER_BYTE;
}

void budget_init(struct budget *b, u64 size)
{
	*b = (struct budget){.slice = SLICE, .bytes = BYTES_ALWAYS + bytes_for(size)};
	for (size_t i = 0; i < BUDGET_PARTS; i++)
		b->steps[i] = parts[i].steps;
	budget_watch(b, NULL);
}

void budget_extend(struct budget *b, u64 size)
{
	u64 more = bytes_for(size);

	b->bytes += more;
	if (b->memory_end < UINT64_MAX - more)
		b->memory_end += more;
}

void budget_limit(struct budget *b, u64 steps, u64 bytes)
{
	b->bytes = bytes;
	for (size_t i = 0; i < BUDGET_PARTS; i++)
		b->steps[i] = steps;
}

void budget_watch(struct budget *b, const struct budget_watch *watch)
{
	b->watch = watch ? *watch : (struct budget_watch){0};
	b->time_end = b->cpu_end = b->memory_end = UINT64_MAX;
	b->next_look = watch ? 0 : UINT64_MAX;
	if (b->watch.time_ns)
		b->time_end = clock_ns(CLOCK_MONOTONIC_COARSE) + b->watch.time_ns;
	if (b->watch.cpu_ns)
		b->cpu_end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + b->watch.cpu_ns;
	if (watch)
		b->memory_end = memory_used().resident + b->bytes;
}

/* ---- the watch ------------------------------------------------------------------------------- */

static enum budget_end watch_look(struct budget *b)
{
	u64 now;

	if (b->next_look == UINT64_MAX)
		return BUDGET_OPEN;
	/*
	 * The coarse clock is read from the vDSO and not by a system call, so it may be read often.
	 */
	now = clock_ns(CLOCK_MONOTONIC_COARSE);
	if (now < b->next_look)
		return BUDGET_OPEN;
	b->next_look = now + LOOK_NS;
	if (b->watch.stop && b->watch.stop(b->watch.arg))
		return BUDGET_STOPPED;
	if (now >= b->time_end)
		return BUDGET_TIME;
	if (b->watch.cpu_ns && clock_ns(CLOCK_THREAD_CPUTIME_ID) >= b->cpu_end)
		return BUDGET_TIME;
	if (memory_used().resident >= b->memory_end)
		return BUDGET_BYTES;
	return BUDGET_OPEN;
}

void budget_lose(struct budget *b, enum budget_part part, enum budget_end end)
{
	if (!b->lost[part])
		b->lost[part] = (u8)end;
}

bool budget_look(struct budget *b, enum budget_part part, u64 steps)
{
	if (!b->end)
		b->end = watch_look(b);
	b->slice = b->end ? 0 : SLICE;
	if (b->end) {
		budget_lose(b, part, b->end);
		return false;
	}
	if (steps <= b->steps[part]) {
		b->steps[part] -= steps;
		return true;
	}
	b->steps[part] = 0;
	budget_lose(b, part, BUDGET_STEPS);
	return false;
}

void budget_learn(struct budget *b, const struct budget *from)
{
	b->bytes = from->bytes < b->bytes ? from->bytes : b->bytes;
	for (int i = 0; i < BUDGET_PARTS; i++) {
		u8 lost = from->lost[i] < BUDGET_ENDS ? from->lost[i] : BUDGET_FAILED;

		if (from->steps[i] < b->steps[i])
			b->steps[i] = from->steps[i];
		if (lost)
			budget_lose(b, (enum budget_part)i, (enum budget_end)lost);
	}
}

bool budget_reserve(struct budget *b, enum budget_part part, u64 bytes)
{
	if (bytes <= b->bytes) {
		b->bytes -= bytes;
		return true;
	}
	budget_lose(b, part, BUDGET_BYTES);
	return false;
}

enum budget_end budget_lost(const struct budget *b, enum budget_part part)
{
	return (enum budget_end)b->lost[part];
}

const char *budget_part_text(enum budget_part part)
{
	return parts[part].text;
}

const char *budget_end_text(enum budget_end end)
{
	static const char *const texts[] = {
		[BUDGET_OPEN] = "read",
		[BUDGET_STEPS] = "too large",
		[BUDGET_BYTES] = "it needs too much memory",
		[BUDGET_TIME] = "it takes too long",
		[BUDGET_STOPPED] = "interrupted",
		[BUDGET_CLOSED] = "gone before it was named",
		[BUDGET_FAILED] = "reading it failed",
	};

	return texts[end];
}
