/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads split DWARF: the input is the size of a program (four bytes), the program, and then a .dwo
 * file with its units. The same bytes are read as the index of a package as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/dwp_index.h"
#include "elf/symbols.h"
#include "symbol/dwarf_index.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

enum { ADDRESSES = 256 };

static struct bytes section_of(struct elf_file *f, const char *name)
{
	struct elf_section s;

	return elf_file_section(f, name, &s) ? (struct bytes){0} : s.data;
}

/* The source gives the same file for every unit. */
static int find(void *arg, const struct split_request *request, struct split_contents *out)
{
	struct elf_file *f = arg;

	*out = (struct split_contents){
		.info = section_of(f, ".debug_info.dwo"),
		.abbrev = section_of(f, ".debug_abbrev.dwo"),
		.str_offsets = section_of(f, ".debug_str_offsets.dwo"),
		.rnglists = section_of(f, ".debug_rnglists.dwo"),
		.str = elf_terminated(section_of(f, ".debug_str.dwo")),
		.file = request->id & 1 ? f : NULL,
	};
	return out->info.len ? 0 : -ENOENT;
}

static int check_frames(void *arg, size_t which, const struct dwarf_frame *frames, u32 n)
{
	size_t *length = arg;

	if (which >= ADDRESSES || !n || n > DWARF_MAX_INLINES)
		abort();
	for (u32 i = 0; i < n; i++) {
		*length += frames[i].name ? strlen(frames[i].name) : 0;
		*length += frames[i].linkage_name ? strlen(frames[i].linkage_name) : 0;
		*length += frames[i].file ? strlen(frames[i].file) : 0;
	}
	return 0;
}

static void name_code(struct elf_file *program, struct elf_file *dwo)
{
	const struct split_source source = {find, dwo};
	const struct elf_segment *seg;
	size_t n = elf_file_segments(program, &seg), length = 0;
	struct dwarf_index *index;
	u64 vaddrs[ADDRESSES], base = 0;
	char missing[400];
	int err;

	for (size_t i = 0; i < n; i++) {
		if (seg[i].flags & 1)
			base = seg[i].vaddr;
	}
	for (u32 i = 0; i < ADDRESSES; i++)
		vaddrs[i] = base < UINT64_MAX - ADDRESSES ? base + i : i;
	if (dwarf_index_new(program, NULL, &index))
		return;
	dwarf_index_split(index, &source);
	err = dwarf_index_resolve(index, vaddrs, ADDRESSES, check_frames, &length);
	if (err && err != -E2BIG)
		abort();
	dwarf_index_missing(index, missing, sizeof(missing));
	dwarf_index_free(index);
}

static void read_index(struct bytes section)
{
	struct dwp_index index;
	struct dwp_unit unit;

	if (dwp_index_init(&index, section))
		return;
	for (u64 id = 0; id < 64; id++) {
		if (dwp_index_find(&index, id << 32 | id, &unit))
			dwp_unit_part(&unit, DWP_INFO, section);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct elf_file *program, *dwo;
	u32 len;

	read_index((struct bytes){data, size});
	if (size < sizeof(len))
		return 0;
	memcpy(&len, data, sizeof(len));
	data += sizeof(len);
	size -= sizeof(len);
	if (len > size || elf_file_open_memory((struct bytes){data, len}, &program))
		return 0;
	if (!elf_file_open_memory((struct bytes){data + len, size - len}, &dwo)) {
		/* This is a quarter of a second for each part. */
		budget_limit(elf_file_budget(program), 250000000, 256u << 20);
		elf_file_share_budget(dwo, program);
		name_code(program, dwo);
		elf_file_free(dwo);
	}
	elf_file_free(program);
	return 0;
}
