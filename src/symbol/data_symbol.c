/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the names of variables: see data_symbol.h. */
#include "symbol/data_symbol.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool covers(const Elf64_Sym *sym, u64 vaddr)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_OBJECT && sym->st_shndx != SHN_UNDEF &&
	       vaddr >= sym->st_value && vaddr - sym->st_value < sym->st_size;
}

/* Returns the text at `at` of a string table if it ends inside the table, else NULL. */
static const char *text_at(struct bytes strings, u32 at)
{
	if (at >= strings.len || !memchr(strings.data + at, 0, strings.len - at))
		return NULL;
	return (const char *)strings.data + at;
}

/* Returns how far inside its variable an address is; for a small variable that does not matter. */
static u64 distance(const Elf64_Sym *sym, u64 vaddr)
{
	return sym->st_size <= DATA_SYMBOL_SMALL ? 0 : vaddr - sym->st_value;
}

static const char *find(struct elf_file *f, const char *table, const char *texts, u64 vaddr,
			u64 *inside)
{
	struct elf_section symbols, strings;

	if (elf_file_section(f, table, &symbols) || elf_file_section(f, texts, &strings))
		return NULL;
	if (!budget_take(elf_file_budget(f), BUDGET_SYMBOLS,
			 symbols.data.len / sizeof(Elf64_Sym) + 1))
		return NULL;
	for (size_t at = 0; at + sizeof(Elf64_Sym) <= symbols.data.len; at += sizeof(Elf64_Sym)) {
		Elf64_Sym sym;

		memcpy(&sym, symbols.data.data + at, sizeof(sym));
		if (covers(&sym, vaddr)) {
			*inside = distance(&sym, vaddr);
			return text_at(strings.data, sym.st_name);
		}
	}
	return NULL;
}

bool data_symbol_name(struct elf_file *f, u64 vaddr, struct demangler *demangler, char *out,
		      size_t size)
{
	u64 inside = 0;
	const char *name = find(f, ".symtab", ".strtab", vaddr, &inside);
	char *readable;
	bool gave_up;

	if (!name || !*name)
		name = find(f, ".dynsym", ".dynstr", vaddr, &inside);
	if (!name || !*name)
		return false;
	readable = demangler_name(demangler, name, &gave_up);
	if (inside)
		snprintf(out, size, "%s+0x%llx", readable ? readable : name,
			 (unsigned long long)inside);
	else
		snprintf(out, size, "%s", readable ? readable : name);
	free(readable);
	return true;
}
