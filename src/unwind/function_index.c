/* SPDX-License-Identifier: Apache-2.0 */
/* Merges and sorts the FDE headers of all sources. Their instructions are run later, in order. */
#include "unwind/function_index.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/sorted.h"

static int add_section(struct function_index *index, struct elf_file *f, struct elf_file *from,
		       enum cfi_kind kind, enum function_source source)
{
	struct budget *budget = elf_file_budget(from);
	struct function_entry e = {.source = source};
	struct cfi_section section;
	int err;

	if (cfi_section_find(from, kind, &section))
		return 0;
	err = cfi_reader_new(&section, &index->readers[source]);
	if (err)
		return err;
	while (cfi_reader_next(index->readers[source], &e.fde)) {
		if (!elf_file_is_code(f, e.fde.start))
			continue;
		/* Up to half of the vector may be unused. */
		if (!budget_reserve(budget, BUDGET_UNWIND, 2 * sizeof(e)))
			return -E2BIG;
		err = vec_push(&index->entries, e);
		if (err)
			return err;
	}
	return budget_lost(budget, BUDGET_UNWIND) ? -E2BIG : 0;
}

bool function_index_is_sparse(const struct function_index *index, const struct elf_file *f)
{
	const struct elf_segment *s;
	size_t n = elf_file_segments(f, &s);
	u64 code = 0, covered = 0;

	for (size_t i = 0; i < n; i++)
		if (s[i].flags & PF_X)
			code += s[i].filesz;
	for (size_t i = 0; i < index->entries.len; i++)
		covered += index->entries.data[i].fde.end - index->entries.data[i].fde.start;
	return covered < code / 2;
}

/* Stripped Go has no CFI, but its runtime keeps its own table. */
static int add_go(struct function_index *index, struct elf_file *f)
{
	int err = gopclntab_new(f, &index->go);

	if (err)
		return err == -ENOENT ? 0 : err;
	for (u64 i = 0; !err && i < gopclntab_count(index->go); i++) {
		struct function_entry e = {.source = FUNCTION_GO, .fde.offset = i};
		struct go_function fn;

		if (!gopclntab_function(index->go, i, &fn) || !elf_file_is_code(f, fn.start))
			continue;
		e.fde.start = fn.start;
		e.fde.end = fn.end;
		err = vec_push(&index->entries, e);
	}
	return !err && budget_lost(elf_file_budget(f), BUDGET_GO) ? -E2BIG : err;
}

int function_index_init(struct function_index *index, struct elf_file *f, struct elf_file *debug)
{
	int err;

	*index = (struct function_index){0};
	err = add_section(index, f, f, CFI_EH_FRAME, FUNCTION_EH_FRAME);
	if (!err)
		err = add_section(index, f, f, CFI_DEBUG_FRAME, FUNCTION_DEBUG_FRAME);
	if (!err && debug && function_index_is_sparse(index, f))
		err = add_section(index, f, debug, CFI_DEBUG_FRAME, FUNCTION_DEBUG_FILE);
	if (!err && function_index_is_sparse(index, f))
		err = add_go(index, f);
	if (err) {
		function_index_release(index);
		return err;
	}
	index->fdes = index->entries.len;
	function_index_sort(index);
	return 0;
}

void function_index_release(struct function_index *index)
{
	for (size_t i = 0; i < FUNCTION_SOURCES; i++)
		cfi_reader_free(index->readers[i]);
	gopclntab_free(index->go);
	vec_release(&index->entries);
}

int function_index_fix(struct function_index *index, u64 start, u64 end, u32 rule)
{
	return vec_push(&index->entries,
			(struct function_entry){.fde = {.start = start, .end = end, .offset = rule},
						.source = FUNCTION_FIXED});
}

static int entry_compare(const void *a, const void *b)
{
	const struct function_entry *x = a, *y = b;

	if (x->fde.start != y->fde.start)
		return x->fde.start < y->fde.start ? -1 : 1;
	return (x->source > y->source) - (x->source < y->source);
}

/* Linkers mostly keep the order, so it is worth checking before sorting. */
static bool is_sorted(const struct function_index *index)
{
	for (size_t i = 1; i < index->entries.len; i++)
		if (entry_compare(&index->entries.data[i - 1], &index->entries.data[i]) > 0)
			return false;
	return true;
}

void function_index_sort(struct function_index *index)
{
	if (!is_sorted(index))
		qsort(index->entries.data, index->entries.len, sizeof(*index->entries.data),
		      entry_compare);
}

size_t function_index_lower_bound(const struct function_index *index, u64 vaddr)
{
	return sorted_from_by(index->entries.data, index->entries.len, fde.start, vaddr);
}

const struct function_entry *function_index_covering(const struct function_index *index, u64 vaddr)
{
	size_t i = function_index_lower_bound(index, vaddr + 1);
	const struct function_entry *e;

	if (!i || vaddr == UINT64_MAX)
		return NULL;
	e = &index->entries.data[i - 1];
	return vaddr < e->fde.end ? e : NULL;
}
