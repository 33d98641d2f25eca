/* SPDX-License-Identifier: Apache-2.0 */
/* Provides what the naming tests share: see name_fixture.h. */
#include "elf_fixture.h"
#include "name_fixture.h"

#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "unit.h"

void name_addresses(struct named *out, const char *name, const u64 *vaddrs, size_t n,
		    bool no_inlines)
{
	struct symbolize_options opt = {.no_inlines = no_inlines};
	struct profile_mapping mapping = {.limit = 1ull << 40, .source = &out->module};

	*out = (struct named){.module = {.kind = MODULE_KIND_FILE}};
	CHECK_INT(target_root_ours(&out->module.root), 0);
	out->module.path = strdup(name[0] == '/' ? name : fixture_path(name));
	out->module.elf = elf_fixture_open(out->module.path);
	CHECK_INT(profile_new(&out->profile), 0);
	CHECK_INT(profile_add_sample_type(out->profile, "samples", "count"), 0);
	CHECK_INT(profile_add_mapping(out->profile, &mapping), 0);
	for (size_t i = 0; i < n; i++) {
		u64 offset;

		CHECK(elf_file_vaddr_to_offset(out->module.elf, vaddrs[i], &offset));
		CHECK_INT(profile_location(out->profile, 0, offset), i);
		CHECK_INT(profile_add_sample(out->profile, &(u32){(u32)i}, 1, &(s64){1}, NULL, 0),
			  0);
	}
	CHECK_INT(symbolize_profile(out->profile, &opt, &out->stats), 0);
}

void named_release(struct named *named)
{
	profile_free(named->profile);
	elf_file_free(named->module.elf);
	target_root_release(&named->module.root);
	free(named->module.path);
}

u32 named_depth(const struct named *named, u32 address)
{
	return named->profile->locations.data[address].nlines;
}

const char *named_frame(const struct named *named, u32 address, u32 frame)
{
	static char text[1024];
	const struct profile *p = named->profile;
	const struct profile_location *l = &p->locations.data[address];
	const struct profile_line *line;
	const struct profile_function *f;
	const char *file, *slash;

	if (frame >= l->nlines)
		return "(none)";
	line = &p->lines.data[l->first_line + frame];
	f = &p->functions.data[line->function];
	file = profile_text(p, f->filename);
	slash = strrchr(file, '/');
	snprintf(text, sizeof(text), "%s %s:%lld", profile_text(p, f->name),
		 slash ? slash + 1 : file, (long long)line->line);
	return text;
}

static bool find_symbol(struct elf_file *elf, const char *table, const char *strings,
			const char *symbol, u64 *value)
{
	struct elf_section syms, names;
	Elf64_Sym sym;

	if (elf_file_section(elf, table, &syms) || elf_file_section(elf, strings, &names))
		return false;
	for (size_t at = 0; at + sizeof(sym) <= syms.data.len; at += sizeof(sym)) {
		memcpy(&sym, syms.data.data + at, sizeof(sym));
		if (strcmp((const char *)names.data.data + sym.st_name, symbol) != 0)
			continue;
		*value = sym.st_value;
		return true;
	}
	return false;
}

u64 vaddr_of(const char *name, const char *symbol)
{
	struct elf_file *elf = elf_fixture_open(name[0] == '/' ? name : fixture_path(name));
	u64 value = 0;

	if (!find_symbol(elf, ".symtab", ".strtab", symbol, &value) &&
	    !find_symbol(elf, ".dynsym", ".dynstr", symbol, &value))
		unit_fail(__FILE__, __LINE__, "no symbol %s in %s", symbol, name);
	elf_file_free(elf);
	return value;
}
