/* SPDX-License-Identifier: Apache-2.0 */
/* Opens any bytes as an ELF file, reads its sections and compiles its call frame information. */
#include <stdint.h>
#include <stdlib.h>

#include "elf/debug_file.h"
#include "unwind/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_sections(struct elf_file *f)
{
	static const char *const names[] = {".eh_frame_hdr",     ".debug_info", ".debug_line",
					    ".symtab",           ".dynsym",     ".strtab",
					    ".note.gnu.build-id"};
	struct elf_section s;
	unsigned int sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!elf_file_section(f, names[i], &s))
			for (size_t at = 0; at < s.data.len; at++)
				sum += s.data.data[at];
	/* This keeps the compiler from removing the reads. */
	if (sum == 0xdeadbeef)
		abort();
}

static void read_rows(struct elf_file *f)
{
	static struct unwind_rule rules[UNWIND_MAX_RULES];
	struct rule_set *set;
	struct rows *rows;

	if (rule_set_new(rules, UNWIND_MAX_RULES, &set))
		return;
	if (!rows_build(f, f, set, &rows)) {
		u64 end = rows->base_off + ((u64)rows->nblocks << UNWIND_BLOCK_SHIFT);

		for (u64 off = rows->base_off; off < end; off += 61)
			if (rows_find(rows, off) >= rule_set_len(set))
				abort();
		rows_free(rows);
	}
	rule_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file *f, *other;
	struct function_range *fns;
	size_t n;

	if (elf_file_open_memory((struct bytes){data, size}, &f))
		return 0;
	read_sections(f);
	read_rows(f);
	if (!rows_functions(f, &fns, &n)) {
		for (size_t i = 1; i < n; i++)
			if (fns[i].start <= fns[i - 1].start)
				abort();
		free(fns);
	}
	if (!debug_file_mini(f, &other))
		elf_file_free(other);
	elf_file_free(f);
	return 0;
}
