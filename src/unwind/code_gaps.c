/* SPDX-License-Identifier: Apache-2.0 */
/* Finds code that no function with call frame information covers: see code_gaps.h. */
#include "unwind/code_gaps.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#define PADDING_MAX 15 /* Compilers pad functions to 16 bytes. */

static int add_range(code_range_vec *ranges, u64 start, u64 end)
{
	if (end <= start || end - start <= PADDING_MAX)
		return 0;
	return vec_push(ranges, (struct code_range){start, end});
}

/* Fixed ranges are parts of functions that nothing else describes. */
static int add_gaps(code_range_vec *ranges, const struct function_index *index, u64 start, u64 end)
{
	size_t i = function_index_lower_bound(index, start);
	int err = 0;

	for (i -= i > 0; !err && i < index->entries.len; i++) {
		const struct function_entry *e = &index->entries.data[i];

		if (e->fde.start >= end)
			break;
		if (e->source == FUNCTION_FIXED || e->fde.end <= start)
			continue;
		err = add_range(ranges, start, e->fde.start);
		start = e->fde.end;
	}
	return err ? err : add_range(ranges, start, end);
}

static int range_compare(const void *a, const void *b)
{
	const struct code_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Segments of a hostile file may overlap. */
static void order(code_range_vec *ranges)
{
	u64 floor = 0;
	size_t kept = 0;

	if (ranges->len)
		qsort(ranges->data, ranges->len, sizeof(*ranges->data), range_compare);
	for (size_t i = 0; i < ranges->len; i++) {
		struct code_range r = ranges->data[i];

		r.start = r.start < floor ? floor : r.start;
		if (r.start >= r.end)
			continue;
		floor = r.end;
		ranges->data[kept++] = r;
	}
	ranges->len = kept;
}

struct gaps {
	struct elf_file *f;
	const struct function_index *index;
	code_range_vec *ranges;
	bool has_sections;
};

/* Returns how many of `size` bytes at `vaddr` are executable and in the file, whatever its headers
 * say. */
static u64 code_size(const struct elf_file *f, u64 vaddr, u64 size)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(f, &segments);
	u64 offset, left;

	for (size_t i = 0; i < n; i++) {
		const struct elf_segment *s = &segments[i];

		if (!(s->flags & PF_X) || vaddr < s->vaddr || vaddr - s->vaddr >= s->filesz ||
		    __builtin_add_overflow(s->offset, vaddr - s->vaddr, &offset) ||
		    offset >= elf_file_size(f))
			continue;
		left = s->filesz - (vaddr - s->vaddr);
		left = left < elf_file_size(f) - offset ? left : elf_file_size(f) - offset;
		return size < left ? size : left;
	}
	return 0;
}

static int add_code(struct gaps *g, u64 vaddr, u64 size)
{
	size = code_size(g->f, vaddr, size);
	return size && vaddr <= UINT64_MAX - size
		       ? add_gaps(g->ranges, g->index, vaddr, vaddr + size)
		       : 0;
}

static int add_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct gaps *g = arg;

	if (!(shdr->sh_flags & SHF_EXECINSTR))
		return 0;
	g->has_sections = true;
	return add_code(g, shdr->sh_addr, shdr->sh_size);
}

/* Linkers may put data and code into one segment. */
static int find(struct gaps *g)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(g->f, &segments);
	int err = elf_file_visit_sections(g->f, add_section, g);

	if (err == -ENOMEM || g->has_sections)
		return err == -ENOMEM ? err : 0;
	for (size_t i = 0; i < n; i++) {
		err = segments[i].flags & PF_X ? add_code(g, segments[i].vaddr, segments[i].filesz)
					       : 0;
		if (err)
			return err;
	}
	return 0;
}

int code_gaps_find(struct elf_file *f, const struct function_index *index, code_range_vec *out)
{
	struct gaps g = {.f = f, .index = index, .ranges = out};
	int err;

	*out = (code_range_vec){0};
	err = find(&g);
	if (err)
		vec_release(out);
	else
		order(out);
	return err;
}
