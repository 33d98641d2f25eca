/* SPDX-License-Identifier: Apache-2.0 */
/* Opens DWARF: see dwarf_file.h. */
#include "symbol/dwarf_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf/symbols.h"

/*
 * zlib reaches some 20:1 on debug sections. With a higher limit, a megabyte of file could cost
 * gigabytes of memory.
 */
#define INFLATE_RATIO_MAX 200ull

/* Describes the contents of a file, from its section headers alone. */
struct contents {
	struct elf_file *f;
	bool info, alt_link, bomb;
	u64 bytes; /* size of all debug sections, unpacked */
};

static bool is_debug(const char *name)
{
	return !strncmp(name, ".debug_", 7) || !strncmp(name, ".zdebug_", 8) ||
	       !strncmp(name, ".gnu.debuglto_", 14);
}

/*
 * A .zdebug section begins with "ZLIB" and its size in big-endian, unless it is not compressed at
 * all.
 */
static u64 gnu_size(struct elf_file *f, const GElf_Shdr *shdr)
{
	Elf_Data *head = elf_getdata_rawchunk(elf_file_handle(f), (s64)shdr->sh_offset,
					      4 + sizeof(u64), ELF_T_BYTE);
	struct cursor c;

	if (!head || !head->d_buf || memcmp(head->d_buf, "ZLIB", 4) != 0)
		return shdr->sh_size;
	c = cursor_over((struct bytes){(const u8 *)head->d_buf + 4, sizeof(u64)});
	return __builtin_bswap64(cursor_u64(&c));
}

/* Returns how many bytes a section will occupy. */
static u64 unpacked_size(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *shdr, const char *name)
{
	GElf_Chdr chdr;

	if (name[1] == 'z')
		return gnu_size(f, shdr);
	if (!(shdr->sh_flags & SHF_COMPRESSED))
		return shdr->sh_size;
	return gelf_getchdr(scn, &chdr) ? chdr.ch_size : UINT64_MAX;
}

static int add_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct contents *c = arg;
	u64 size;

	c->info |= !strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info");
	c->alt_link |= !strcmp(name, ".gnu_debugaltlink");
	if (!is_debug(name))
		return 0;
	c->bomb |= shdr->sh_size > elf_file_size(c->f);
	if (c->bomb)
		return 0;
	size = unpacked_size(c->f, scn, shdr, name);
	c->bomb |= size / INFLATE_RATIO_MAX > shdr->sh_size ||
		   __builtin_add_overflow(c->bytes, size, &c->bytes);
	return 0;
}

/* Otherwise libdw itself would open the path in the link, as root and whatever is there. */
static int check_contents(struct elf_file *f, bool has_alt)
{
	struct budget *budget = elf_file_budget(f);
	struct contents c = {.f = f};

	if (elf_file_fetch_debug(f) || elf_file_visit_sections(f, add_section, &c) || !c.info ||
	    c.bomb || (c.alt_link && !has_alt))
		return -ENOENT;
	if (!budget_reserve(budget, BUDGET_INFO, c.bytes) ||
	    !budget_look(budget, BUDGET_INFO, c.bytes / 4 + 1))
		return -E2BIG;
	return 0;
}

/* ---- the sections that libdw does not expose ------------------------------------------------- */

/* libdw has already unpacked it, so it need not be unpacked again. */
static struct bytes data_of(Elf_Scn *scn)
{
	Elf_Data *data = elf_getdata(scn, NULL);

	return data && data->d_buf ? (struct bytes){data->d_buf, data->d_size} : (struct bytes){0};
}

static int take_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct line_sections *s = arg;

	if (!strncmp(name, ".zdebug_", 8))
		name++;
	name += *name == '.';
	if (!strcmp(name, "debug_line") && !s->line.data)
		s->line = data_of(scn);
	else if (!strcmp(name, "debug_line_str") && !s->line_str.data)
		s->line_str = elf_terminated(data_of(scn));
	else if (!strcmp(name, "debug_str") && !s->str.data)
		s->str = elf_terminated(data_of(scn));
	return 0;
}

static void take_sections(struct elf_file *f, struct line_sections *s)
{
	if (elf_file_visit_sections(f, take_section, s))
		*s = (struct line_sections){0};
}

int dwarf_file_init(struct dwarf_file *d, struct elf_file *f, struct elf_file *alt)
{
	int err = check_contents(f, alt != NULL);

	if (!err && alt)
		err = check_contents(alt, true);
	if (err)
		return err;
	*d = (struct dwarf_file){.budget = elf_file_budget(f)};
	d->dwarf = dwarf_begin_elf(elf_file_handle(f), DWARF_C_READ, NULL);
	if (alt)
		d->alt = dwarf_begin_elf(elf_file_handle(alt), DWARF_C_READ, NULL);
	if (!d->dwarf || (alt && !d->alt)) {
		dwarf_file_release(d);
		return -ENOENT;
	}
	take_sections(f, &d->lines);
	if (d->alt) {
		dwarf_setalt(d->dwarf, d->alt);
		take_sections(alt, &d->alt_lines);
		d->lines.alt_str = d->alt_lines.str;
	}
	return 0;
}

void dwarf_file_release(struct dwarf_file *d)
{
	dwarf_end(d->dwarf);
	dwarf_end(d->alt);
}
