/* SPDX-License-Identifier: Apache-2.0 */
/* Goes through a symbol table. */
#include "elf/symbols.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

static bool symbol_parse(const u8 *entry, struct bytes strings, struct elf_symbol *out)
{
	Elf64_Sym sym;

	memcpy(&sym, entry, sizeof(sym));
	if (sym.st_shndx == SHN_UNDEF || !sym.st_name || sym.st_name >= strings.len ||
	    !memchr(strings.data + sym.st_name, 0, strings.len - sym.st_name))
		return false;
	*out = (struct elf_symbol){
		.name = (const char *)strings.data + sym.st_name,
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
	int err;

	err = elf_file_section(f, section, &symbols);
	if (!err)
		err = elf_file_section(f, strings_name, &strings);
	for (size_t at = 0; !err && symbols.data.len - at >= sizeof(Elf64_Sym);
	     at += sizeof(Elf64_Sym)) {
		if (symbol_parse(symbols.data.data + at, strings.data, &symbol))
			err = visit(arg, &symbol);
	}
	return err;
}
