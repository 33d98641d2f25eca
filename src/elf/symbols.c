/* SPDX-License-Identifier: Apache-2.0 */
/* Visits the symbols of a table: see symbols.h. */
#include "elf/symbols.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define SYMBOL_STEPS 10

static bool symbol_parse(const u8 *entry, struct bytes names, struct elf_symbol *out)
{
	const char *name;
	Elf64_Sym sym;

	memcpy(&sym, entry, sizeof(sym));
	name = elf_name_at(names, sym.st_name);
	if (sym.st_shndx == SHN_UNDEF || !sym.st_name || !name)
		return false;
	*out = (struct elf_symbol){
		.name = name,
		.vaddr = sym.st_value,
		.size = sym.st_size,
		.type = ELF64_ST_TYPE(sym.st_info),
		.bind = ELF64_ST_BIND(sym.st_info),
	};
	return true;
}

int elf_symbols_visit(struct elf_file *f, const char *section,
		      int (*visit)(void *arg, const struct elf_symbol *symbol), void *arg)
{
	const char *strings_name = !strcmp(section, ".dynsym") ? ".dynstr" : ".strtab";
	struct elf_section symbols, strings;
	struct elf_symbol symbol;
	struct bytes names;
	int err;

	err = elf_file_section(f, section, &symbols);
	if (!err)
		err = elf_file_section(f, strings_name, &strings);
	if (err)
		return err;
	names = elf_terminated(strings.data);
	for (size_t at = 0; !err && symbols.data.len - at >= sizeof(Elf64_Sym);
	     at += sizeof(Elf64_Sym)) {
		if (!budget_take(elf_file_budget(f), BUDGET_SYMBOLS, SYMBOL_STEPS))
			return -E2BIG;
		if (symbol_parse(symbols.data.data + at, names, &symbol))
			err = visit(arg, &symbol);
	}
	return err;
}

struct bytes elf_terminated(struct bytes strings)
{
	const u8 *last = strings.len ? memrchr(strings.data, 0, strings.len) : NULL;

	return (struct bytes){strings.data, last ? (size_t)(last + 1 - strings.data) : 0};
}

size_t elf_name_length(const char *name, size_t max)
{
	size_t len = strnlen(name, max);
	const char *version = memchr(name, '@', len);

	return version ? (size_t)(version - name) : len;
}
