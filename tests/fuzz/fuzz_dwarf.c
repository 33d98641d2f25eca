/* SPDX-License-Identifier: Apache-2.0 */
/* Opens any bytes as an ELF file with symbols and DWARF, and looks up names all over its code. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/dwarf_index.h"
#include "symbol/symtab.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

enum { ADDRESSES = 256 };

static int check_frames(void *arg, size_t which, const struct dwarf_frame *frames, u32 n)
{
	size_t *length = arg;

	if (which >= ADDRESSES || !n || n > DWARF_MAX_INLINES)
		abort();
	for (u32 i = 0; i < n; i++) {
		*length += frames[i].name ? strlen(frames[i].name) : 0;
		*length += frames[i].linkage_name ? strlen(frames[i].linkage_name) : 0;
		*length += frames[i].file ? strlen(frames[i].file) : 0;
		*length += frames[i].directory ? strlen(frames[i].directory) : 0;
	}
	return 0;
}

static void read_dwarf(struct elf_file *f, const u64 *vaddrs)
{
	struct dwarf_index *index;
	size_t length = 0;

	int err;

	if (dwarf_index_new(f, NULL, &index))
		return;
	err = dwarf_index_resolve(index, vaddrs, ADDRESSES, check_frames, &length);
	if (err && err != -E2BIG)
		abort();
	dwarf_index_free(index);
}

static void read_symbols(struct elf_file *f, const char *section, const u64 *vaddrs)
{
	struct symtab *t;

	if (symtab_new(f, section, &t))
		return;
	for (u32 i = 0; i < ADDRESSES; i++) {
		const struct symbol *s = symtab_find(t, vaddrs[i]);

		if (s && (vaddrs[i] < s->start || vaddrs[i] >= s->end || !s->name[0]))
			abort();
	}
	symtab_free(t);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct elf_segment *seg;
	u64 vaddrs[ADDRESSES], base = 0;
	struct elf_file *f;
	size_t n;

	if (elf_file_open_memory((struct bytes){data, size}, &f))
		return 0;
	/* This is a quarter of a second for each part, so an input cannot take longer. */
	budget_limit(elf_file_budget(f), 250000000, 256u << 20);
	n = elf_file_segments(f, &seg);
	for (size_t i = 0; i < n; i++) {
		if (seg[i].flags & 1)
			base = seg[i].vaddr;
	}
	for (u32 i = 0; i < ADDRESSES; i++)
		vaddrs[i] = base < UINT64_MAX - ADDRESSES ? base + i : i;
	read_symbols(f, ".symtab", vaddrs);
	read_symbols(f, ".dynsym", vaddrs);
	read_dwarf(f, vaddrs);
	elf_file_free(f);
	return 0;
}
