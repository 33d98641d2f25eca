/* SPDX-License-Identifier: Apache-2.0 */
/* Opens DWARF: see dwarf_file.h. */
#include "symbol/dwarf_file.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "elf/elf_image.h"
#include "elf/symbols.h"
#include "elf/unpack.h"

/*
 * zlib reaches some 20:1 on debug sections. With a higher limit, a megabyte of file could cost
 * gigabytes of memory.
 */
#define INFLATE_RATIO_MAX 200ull

/* Describes the contents of a file, from its section headers alone. */
struct contents {
	struct elf_file *f;
	bool info, alt_link, bomb, zstd;
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
static u64 unpacked_size(struct contents *c, Elf_Scn *scn, const GElf_Shdr *shdr, const char *name)
{
	GElf_Chdr chdr;

	if (name[1] == 'z')
		return gnu_size(c->f, shdr);
	if (!(shdr->sh_flags & SHF_COMPRESSED))
		return shdr->sh_size;
	if (!gelf_getchdr(scn, &chdr))
		return UINT64_MAX;
	c->zstd |= chdr.ch_type == UNPACK_ZSTD;
	return chdr.ch_size;
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
	size = unpacked_size(c, scn, shdr, name);
	c->bomb |= size / INFLATE_RATIO_MAX > shdr->sh_size ||
		   __builtin_add_overflow(c->bytes, size, &c->bytes);
	return 0;
}

/* If `alt` is missing, libdw itself would open the path in the link, as root and whatever is
 * there. */
static int check_contents(struct elf_file *f, bool has_alt, bool *zstd)
{
	struct budget *budget = elf_file_budget(f);
	struct contents c = {.f = f};

	if (elf_file_fetch_debug(f) || elf_file_visit_sections(f, add_section, &c) || !c.info)
		return -ENOENT;
	if (c.bomb || (c.alt_link && !has_alt))
		return c.bomb ? -EBADMSG : -ENOLINK;
	if (!budget_reserve(budget, BUDGET_INFO, c.bytes) ||
	    !budget_look(budget, BUDGET_INFO, c.bytes / 4 + 1))
		return -E2BIG;
	*zstd = c.zstd;
	return 0;
}

/* ---- sections that libelf cannot unpack ------------------------------------------------------ */

struct unpacking {
	struct elf_file *f;
	struct elf_image image;
};

static int unpack_debug(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct unpacking *u = arg;
	struct elf_section s;
	char plain[64];
	int err;

	(void)scn;
	(void)shdr;
	if (!is_debug(name) && strcmp(name, ".gnu_debugaltlink") != 0)
		return 0;
	if (snprintf(plain, sizeof(plain), ".%s", name + 1 + (name[1] == 'z')) >=
	    (int)sizeof(plain))
		return 0;
	err = elf_file_section(u->f, plain, &s);
	if (!err && !budget_reserve(elf_file_budget(u->f), BUDGET_INFO, 2 * s.data.len))
		return -E2BIG;
	return err ? err : elf_image_add(&u->image, plain, s.data);
}

/*
 * Older versions of libelf do not know zstd. They are given a copy of the debug sections that is
 * not compressed.
 */
static int unpack_file(struct elf_file *f, struct elf_file **out)
{
	struct unpacking u = {.f = f};
	int err = elf_file_visit_sections(f, unpack_debug, &u);

	if (!err)
		err = elf_image_finish(&u.image, f, out);
	elf_image_release(&u.image);
	return err;
}

/* ---- the sections that libdw does not expose ------------------------------------------------- */

/* libdw has already unpacked it, so it need not be unpacked again. */
static struct bytes data_of(Elf_Scn *scn)
{
	Elf_Data *data = elf_getdata(scn, NULL);

	return data && data->d_buf ? (struct bytes){data->d_buf, data->d_size} : (struct bytes){0};
}

struct taken {
	struct line_sections lines;
	struct bytes addr, ranges;
};

static int take_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct taken *t = arg;
	const struct {
		const char *name;
		struct bytes *to;
		bool strings;
	} wanted[] = {
		{"debug_line", &t->lines.line, false}, {"debug_line_str", &t->lines.line_str, true},
		{"debug_str", &t->lines.str, true},    {"debug_addr", &t->addr, false},
		{"debug_ranges", &t->ranges, false},
	};

	(void)shdr;
	if (!strncmp(name, ".zdebug_", 8))
		name++;
	name += *name == '.';
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (strcmp(name, wanted[i].name) != 0 || wanted[i].to->data)
			continue;
		*wanted[i].to = data_of(scn);
		if (wanted[i].strings)
			*wanted[i].to = elf_terminated(*wanted[i].to);
	}
	return 0;
}

static struct taken take_sections(struct elf_file *f)
{
	struct taken t = {0};

	return elf_file_visit_sections(f, take_section, &t) ? (struct taken){0} : t;
}

/* Gives the file that libdw is to read for `f`, which is `f` itself unless it must be unpacked. */
static int prepare(struct elf_file *f, bool has_alt, struct elf_file **unpacked,
		   struct elf_file **out)
{
	bool zstd;
	int err = check_contents(f, has_alt, &zstd);

	if (!err && zstd)
		err = unpack_file(f, unpacked);
	*out = *unpacked ? *unpacked : f;
	return err;
}

static int begin(struct dwarf_file *d, struct elf_file *f, struct elf_file *alt)
{
	struct taken taken;

	d->dwarf = dwarf_begin_elf(elf_file_handle(f), DWARF_C_READ, NULL);
	if (alt)
		d->alt = dwarf_begin_elf(elf_file_handle(alt), DWARF_C_READ, NULL);
	if (!d->dwarf || (alt && !d->alt))
		return -EBADMSG;
	taken = take_sections(f);
	d->lines = taken.lines;
	d->addr = taken.addr;
	d->ranges = taken.ranges;
	if (d->alt) {
		dwarf_setalt(d->dwarf, d->alt);
		d->alt_lines = take_sections(alt).lines;
		d->lines.alt_str = d->alt_lines.str;
	}
	return 0;
}

int dwarf_file_init(struct dwarf_file *d, struct elf_file *f, struct elf_file *alt)
{
	int err;

	*d = (struct dwarf_file){.budget = elf_file_budget(f), .elf = f};
	err = prepare(f, alt != NULL, &d->unpacked, &f);
	if (!err && alt) {
		err = prepare(alt, true, &d->unpacked_alt, &alt);
		err = err == -ENOENT ? -ENOLINK : err;
	}
	if (!err)
		err = begin(d, f, alt);
	if (err)
		dwarf_file_release(d);
	return err;
}

void dwarf_file_release(struct dwarf_file *d)
{
	dwarf_end(d->dwarf);
	dwarf_end(d->alt);
	elf_file_free(d->unpacked);
	elf_file_free(d->unpacked_alt);
}
