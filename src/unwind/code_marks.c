/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps marks in pages, of which most code needs few: see code_marks.h. */
#include "unwind/code_marks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/sorted.h"

#define PAGE_SHIFT 10
#define PAGE_BYTES (1u << PAGE_SHIFT)

static size_t page_count(const struct code_range *r)
{
	return (r->end - r->start + PAGE_BYTES - 1) >> PAGE_SHIFT;
}

int code_marks_init(struct code_marks *m, struct budget *budget, const struct code_range *ranges,
		    size_t n)
{
	*m = (struct code_marks){.budget = budget};
	m->ranges = calloc(n + 1, sizeof(*m->ranges));
	if (!m->ranges)
		return -ENOMEM;
	for (; m->n < n; m->n++) {
		struct marked_range *r = &m->ranges[m->n];

		r->in = ranges[m->n];
		if (!budget_reserve(budget, BUDGET_CODE, page_count(&r->in) * sizeof(u32 *)))
			return -E2BIG;
		r->pages = calloc(page_count(&r->in) + 1, sizeof(*r->pages));
		if (!r->pages)
			return -ENOMEM;
	}
	return 0;
}

void code_marks_release(struct code_marks *m)
{
	for (size_t i = 0; i < m->n; i++) {
		for (size_t page = 0; page < page_count(&m->ranges[i].in); page++)
			free(m->ranges[i].pages[page]);
		free(m->ranges[i].pages);
	}
	free(m->ranges);
	vec_release(&m->changes);
}

/* Returns the number of the first range that ends after `vaddr`. */
static size_t range_after(const struct code_marks *m, u64 vaddr)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->ranges[mid].in.end <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct marked_range *range_of(struct code_marks *m, u64 vaddr)
{
	struct marked_range *r = &m->ranges[m->last];

	if (m->n && r->in.start <= vaddr && vaddr < r->in.end)
		return r;
	r = &m->ranges[range_after(m, vaddr)];
	if (r == m->ranges + m->n || r->in.start > vaddr)
		return NULL;
	m->last = (size_t)(r - m->ranges);
	return r;
}

const struct code_range *code_marks_range(struct code_marks *m, u64 vaddr)
{
	const struct marked_range *r = range_of(m, vaddr);

	return r ? &r->in : NULL;
}

static u32 *find(struct code_marks *m, u64 vaddr)
{
	struct marked_range *r = range_of(m, vaddr);
	u64 at = r ? vaddr - r->in.start : 0;

	if (!r || !r->pages[at >> PAGE_SHIFT])
		return NULL;
	return &r->pages[at >> PAGE_SHIFT][at % PAGE_BYTES];
}

void code_marks_starts(struct code_marks *m, const struct code_start_at *starts, size_t n)
{
	m->starts = starts;
	m->nstarts = n;
}

static u32 flag_of(enum code_start how)
{
	static const u32 flags[] = {
		[CODE_START_SURE] = MARK_EXPECTED,
		[CODE_START_LIKELY] = MARK_LIKELY,
		[CODE_START_GUESS] = 0,
	};

	return flags[how];
}

void code_marks_start(struct code_marks *m, u64 vaddr, enum code_start how)
{
	u32 *mark = code_marks_take(m, vaddr);

	if (mark)
		*mark |= flag_of(how);
}

static u32 *new_page(const struct code_marks *m, u64 start, u64 end)
{
	size_t i = sorted_from_by(m->starts, m->nstarts, vaddr, start);
	u32 *page = NULL;

	if (budget_reserve(m->budget, BUDGET_CODE, PAGE_BYTES * sizeof(u32)))
		page = calloc(PAGE_BYTES, sizeof(u32));
	for (; page && i < m->nstarts && m->starts[i].vaddr < end; i++)
		page[m->starts[i].vaddr - start] = flag_of(m->starts[i].how);
	return page;
}

u32 *code_marks_take(struct code_marks *m, u64 vaddr)
{
	struct marked_range *r = range_of(m, vaddr);
	u64 page = r ? (vaddr - r->in.start) >> PAGE_SHIFT : 0;
	u64 start = r ? r->in.start + (page << PAGE_SHIFT) : 0;

	if (r && !r->pages[page])
		r->pages[page] = new_page(m, start, start + PAGE_BYTES);
	return find(m, vaddr);
}

u32 code_marks_at(struct code_marks *m, u64 vaddr)
{
	const u32 *mark = m->nstarts ? code_marks_take(m, vaddr) : find(m, vaddr);

	return mark ? *mark : 0;
}

bool code_marks_set(struct code_marks *m, u32 *mark, u32 value)
{
	if (vec_push(&m->changes, (struct mark_change){mark, *mark}))
		return false;
	*mark = value;
	return true;
}

void code_marks_undo(struct code_marks *m, size_t changes)
{
	while (m->changes.len > changes) {
		const struct mark_change *change = &m->changes.data[--m->changes.len];

		*change->at = change->before;
	}
}

void code_marks_flag(struct code_marks *m, size_t changes, u32 flag)
{
	for (size_t i = changes; i < m->changes.len; i++)
		*m->changes.data[i].at |= flag;
}

bool code_marks_overlap(struct code_marks *m, u64 vaddr, u32 length)
{
	const struct marked_range *r = range_of(m, vaddr);
	const u32 *mark = find(m, vaddr);
	u64 at = r && mark ? (vaddr - r->in.start) % PAGE_BYTES : 0;
	bool one_page = at >= INSN_MAX && at + INSN_MAX < PAGE_BYTES;

	for (u32 i = 1; i < length; i++)
		if (MARK_STATE(one_page ? mark[i] : code_marks_at(m, vaddr + i)))
			return true;
	for (u32 i = 1; i < INSN_MAX && i <= vaddr; i++) {
		u32 before = one_page ? *(mark - i) : code_marks_at(m, vaddr - i);

		if (MARK_STATE(before))
			return MARK_LENGTH(before) > i;
	}
	return false;
}

u64 code_marks_next(struct code_marks *m, u64 vaddr, u64 end)
{
	while (vaddr < end) {
		const struct marked_range *r = &m->ranges[range_after(m, vaddr)];
		u64 at, stop;

		if (r == m->ranges + m->n)
			return end;
		vaddr = vaddr < r->in.start ? r->in.start : vaddr;
		stop = r->in.end < end ? r->in.end : end;
		while (vaddr < stop) {
			const u32 *page = r->pages[(vaddr - r->in.start) >> PAGE_SHIFT];

			at = (vaddr - r->in.start) % PAGE_BYTES;
			if (page && MARK_STATE(page[at]))
				return vaddr;
			vaddr += page ? 1 : PAGE_BYTES - at;
		}
		vaddr = vaddr > r->in.end ? r->in.end : vaddr;
	}
	return end;
}

u64 code_marks_hole(struct code_marks *m, u64 vaddr, u64 end)
{
	u64 at = vaddr > INSN_MAX ? vaddr - INSN_MAX : 0;

	for (; at <= vaddr && vaddr < end; at++) {
		u32 mark = code_marks_at(m, at);

		if (MARK_STATE(mark) && at + MARK_LENGTH(mark) > vaddr)
			vaddr = at + MARK_LENGTH(mark);
	}
	return vaddr < end ? vaddr : end;
}
