/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses any bytes as Go's function table: the first half KiB is the code of a program, and the rest
 * its .gopclntab. The table is read in full, and the program's unwind rows are made from it.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "elf/gopclntab.h"
#include "unwind/rows.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define CODE 512
#define TEXT 0x401000ull
#define TABLE 0x500000ull

static const char names[] = "\0.text\0.gopclntab\0.shstrtab";

struct image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	Elf64_Shdr shdr[4];
	char names[sizeof(names)];
	u8 input[];
};

static void describe(struct image *e, size_t size)
{
	const u64 at = offsetof(struct image, input);

	memcpy(e->ehdr.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	e->ehdr.e_type = ET_EXEC;
	e->ehdr.e_machine = EM_X86_64;
	e->ehdr.e_version = EV_CURRENT;
	e->ehdr.e_ehsize = sizeof(e->ehdr);
	e->ehdr.e_phoff = offsetof(struct image, phdr);
	e->ehdr.e_phentsize = sizeof(e->phdr);
	e->ehdr.e_phnum = 1;
	e->ehdr.e_shoff = offsetof(struct image, shdr);
	e->ehdr.e_shentsize = sizeof(*e->shdr);
	e->ehdr.e_shnum = ARRAY_LEN(e->shdr);
	e->ehdr.e_shstrndx = 3;
	e->phdr = (Elf64_Phdr){.p_type = PT_LOAD,
			       .p_flags = PF_R | PF_X,
			       .p_offset = at,
			       .p_vaddr = TEXT,
			       .p_filesz = CODE,
			       .p_memsz = CODE};
	e->shdr[1] = (Elf64_Shdr){1, SHT_PROGBITS, SHF_EXECINSTR, TEXT, at, CODE, 0, 0, 16, 0};
	e->shdr[2] = (Elf64_Shdr){7, SHT_PROGBITS, 0, TABLE, at + CODE, size - CODE, 0, 0, 1, 0};
	e->shdr[3] = (Elf64_Shdr){
		18, SHT_STRTAB, 0, 0, offsetof(struct image, names), sizeof(names), 0, 0, 1, 0};
	memcpy(e->names, names, sizeof(names));
}

static int check_step(void *arg, u64 pc, s64 distance)
{
	u64 *last = arg;

	(void)distance;
	if (pc < *last)
		abort();
	*last = pc;
	return 0;
}

static void read_table(const struct gopclntab *t)
{
	u64 n = gopclntab_count(t), bytes = 0;

	for (u64 i = 0; i < n && i < 100; i++) {
		struct go_function fn;
		struct go_line line;
		u64 last = 0;

		if (!gopclntab_function(t, i, &fn))
			continue;
		if (fn.start >= fn.end)
			abort();
		bytes += fn.name ? strlen(fn.name) : 0;
		last = fn.start;
		gopclntab_sp(t, i, check_step, &last);
		if (gopclntab_find(t, fn.start, &line))
			bytes += strlen(line.name) + (line.file ? strlen(line.file) : 0);
	}
	if (bytes == UINT64_MAX) /* This keeps the compiler from removing the reads. */
		abort();
}

static void read_rows(struct elf_file *f)
{
	static struct unwind_rule rules[UNWIND_MAX_RULES];
	struct rule_set *set;
	struct rows *rows;

	if (rule_set_new(rules, UNWIND_MAX_RULES, &set))
		return;
	if (!rows_build(f, NULL, set, &rows)) {
		for (u64 off = rows->base_off; off < rows->base_off + 4096; off++)
			if (rows_find(rows, off) >= rule_set_len(set))
				abort();
		rows_free(rows);
	}
	rule_set_free(set);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct image *image;
	struct gopclntab *t;
	struct elf_file *f;

	if (size < CODE)
		return 0;
	image = calloc(1, sizeof(*image) + size);
	if (!image)
		abort();
	describe(image, size);
	memcpy(image->input, data, size);
	if (!elf_file_open_memory((struct bytes){(u8 *)image, sizeof(*image) + size}, &f)) {
		if (!gopclntab_new(f, &t)) {
			read_table(t);
			gopclntab_free(t);
		}
		read_rows(f);
		elf_file_free(f);
	}
	free(image);
	return 0;
}
