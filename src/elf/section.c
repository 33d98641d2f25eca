/* SPDX-License-Identifier: Apache-2.0 */
/* Finds sections by name, checks them against the file's length before reading, and decompresses
 * them. */
#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf_file_private.h"
#include "elf/unpack.h"

/*
 * A sparse file costs its owner nothing, but costs us the memory that it claims. Compressing file
 * systems also store less than the size, but never by this factor.
 */
#define SPARSE_RATIO_MAX 64
#define SPARSE_ALWAYS (16u << 20)
static bool size_is_plausible(const struct elf_file *f, u64 size)
{
	return size <= SPARSE_ALWAYS ||
	       (size <= UNPACK_MAX && size / SPARSE_RATIO_MAX <= f->stored);
}

/* libelf keeps a section in memory, and many sections may claim the same bytes of the file. */
static int pay_for_section(struct elf_file *f, size_t index, u64 size)
{
	vec_for_each(&f->loaded, it) {
		if (*it == index)
			return 0;
	}
	if (!budget_reserve(f->budget, BUDGET_SECTIONS, size))
		return -E2BIG;
	return vec_push(&f->loaded, index);
}

static int section_raw(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *shdr, struct bytes *out)
{
	Elf_Data *data;
	int err;

	if (shdr->sh_offset > f->size || shdr->sh_size > f->size - shdr->sh_offset ||
	    !size_is_plausible(f, shdr->sh_size))
		return -EBADMSG;
	*out = (struct bytes){0};
	if (!shdr->sh_size)
		return 0;
	err = pay_for_section(f, elf_ndxscn(scn), shdr->sh_size);
	if (!err)
		err = input_file_fetch(&f->in, shdr->sh_offset, shdr->sh_size);
	if (err)
		return err;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf)
		return -EBADMSG;
	*out = (struct bytes){data->d_buf, data->d_size};
	return 0;
}

/*
 * Names are read by hand, because elf_strptr() would unpack a compressed string table of any
 * claimed size.
 */
static struct bytes section_names(struct elf_file *f)
{
	struct bytes names = {0};
	size_t index = 0;
	GElf_Shdr shdr;
	Elf_Scn *scn;

	if (elf_getshdrstrndx(f->elf, &index) || !(scn = elf_getscn(f->elf, index)) ||
	    !gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_STRTAB ||
	    (shdr.sh_flags & SHF_COMPRESSED) || section_raw(f, scn, &shdr, &names))
		return (struct bytes){0};
	return names;
}

int elf_file_visit_sections(struct elf_file *f,
			    int (*visit)(void *arg, const char *name, Elf_Scn *scn,
					 const GElf_Shdr *shdr),
			    void *arg)
{
	struct bytes names = section_names(f);
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	int err = 0;

	if (!names.len || names.data[names.len - 1])
		return -ENOENT;
	while (!err && (scn = elf_nextscn(f->elf, scn))) {
		if (!budget_take(f->budget, BUDGET_SECTIONS, 20))
			return -E2BIG;
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type != SHT_NOBITS &&
		    shdr.sh_type != SHT_NULL && shdr.sh_name < names.len)
			err = visit(arg, (const char *)names.data + shdr.sh_name, scn, &shdr);
	}
	return err;
}

static bool name_is(struct bytes names, u64 at, const char *want)
{
	size_t size = strlen(want) + 1;

	return at < names.len && size <= names.len - at && !memcmp(names.data + at, want, size);
}

static Elf_Scn *section_lookup(struct elf_file *f, const char *name, GElf_Shdr *shdr)
{
	struct bytes names = section_names(f);
	Elf_Scn *scn = NULL;

	while (budget_take(f->budget, BUDGET_SECTIONS, 10) && (scn = elf_nextscn(f->elf, scn)))
		if (gelf_getshdr(scn, shdr) && shdr->sh_type != SHT_NOBITS &&
		    shdr->sh_type != SHT_NULL && name_is(names, shdr->sh_name, name))
			return scn;
	return NULL;
}

static int section_inflate(struct elf_file *f, size_t index, bool gnu, struct bytes *data)
{
	struct inflated fresh = {.index = index};
	int err;

	vec_for_each(&f->inflated, it) {
		if (it->index == index) {
			*data = (struct bytes){it->data, it->len};
			return 0;
		}
	}
	err = unpack_section(f->budget, *data, gnu, &fresh.data, &fresh.len);
	if (err)
		return err;
	if (vec_push(&f->inflated, fresh)) {
		free(fresh.data);
		return -ENOMEM;
	}
	*data = (struct bytes){fresh.data, fresh.len};
	return 0;
}

static void section_describe(const GElf_Shdr *shdr, struct elf_section *out)
{
	*out = (struct elf_section){
		.vaddr = shdr->sh_addr,
		.offset = shdr->sh_offset,
		.flags = shdr->sh_flags,
		.type = shdr->sh_type,
		.link = shdr->sh_link,
		.entsize = shdr->sh_entsize,
	};
}

static int section_read(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *shdr, bool gnu,
			struct elf_section *out)
{
	int err = section_raw(f, scn, shdr, &out->data);

	if (!err && (gnu || (shdr->sh_flags & SHF_COMPRESSED)))
		err = section_inflate(f, elf_ndxscn(scn), gnu, &out->data);
	return err;
}

/* Without section headers, the section is taken from the PT_LOAD's bytes from `vaddr` on, as many
 * as the file holds. */
static int loaded_bytes(struct elf_file *f, u64 vaddr, u64 len, struct elf_section *out)
{
	vec_for_each(&f->segments, s) {
		u64 skip = vaddr - s->vaddr, left;

		if (vaddr < s->vaddr || skip >= s->filesz || s->offset > f->size - 1 ||
		    skip >= f->size - s->offset)
			continue;
		left = s->filesz - skip;
		if (left > f->size - s->offset - skip)
			left = f->size - s->offset - skip;
		if (len > left)
			len = left;
		if (!size_is_plausible(f, len))
			return -EBADMSG;
		*out = (struct elf_section){.data = elf_file_bytes(f, s->offset + skip, len),
					    .vaddr = vaddr,
					    .offset = s->offset + skip,
					    .flags = SHF_ALLOC,
					    .type = SHT_PROGBITS};
		return out->data.data ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

/* Finds the address of .eh_frame, which is the first pointer in .eh_frame_hdr (LSB 5.0 core,
 * 10.6.2). */
static int eh_frame_pointer(const struct elf_section *hdr, u64 *vaddr)
{
	struct cursor c = cursor_over(hdr->data);
	u8 version = cursor_u8(&c), encoding = cursor_u8(&c);

	cursor_u16(&c);
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata4:
		*vaddr = cursor_u32(&c);
		break;
	case DW_EH_PE_sdata4:
		*vaddr = (u64)(s64)cursor_s32(&c);
		break;
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		*vaddr = cursor_u64(&c);
		break;
	default:
		return -EBADMSG;
	}
	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		*vaddr += hdr->vaddr + 4;
	else if ((encoding & 0x70) == DW_EH_PE_datarel)
		*vaddr += hdr->vaddr;
	return c.bad || version != 1 ? -EBADMSG : 0;
}

static int sectionless(struct elf_file *f, const char *name, struct elf_section *out)
{
	bool hdr = !strcmp(name, ".eh_frame_hdr");
	struct elf_section at;
	u64 vaddr;
	int err;

	if ((!hdr && strcmp(name, ".eh_frame") != 0) || !f->eh_frame_hdr.p_filesz)
		return -ENOENT;
	err = loaded_bytes(f, f->eh_frame_hdr.p_vaddr, f->eh_frame_hdr.p_filesz, &at);
	if (err || hdr) {
		*out = at;
		return err;
	}
	err = eh_frame_pointer(&at, &vaddr);
	return err ? err : loaded_bytes(f, vaddr, UINT64_MAX, out);
}

/* Also finds .debug_x under the name .zdebug_x, which is GNU's older way of compressing it. */
static Elf_Scn *section_find(struct elf_file *f, const char *name, GElf_Shdr *shdr, bool *gnu)
{
	Elf_Scn *scn = section_lookup(f, name, shdr);
	char zname[64];

	*gnu = false;
	if (scn || strncmp(name, ".debug_", 7) != 0 || strlen(name) + 2 > sizeof(zname))
		return scn;
	snprintf(zname, sizeof(zname), ".z%s", name + 1);
	scn = section_lookup(f, zname, shdr);
	*gnu = scn != NULL;
	return scn;
}

int elf_file_section_header(struct elf_file *f, const char *name, struct elf_section *out)
{
	GElf_Shdr shdr;
	bool gnu;

	if (!section_find(f, name, &shdr, &gnu))
		return -ENOENT;
	section_describe(&shdr, out);
	return 0;
}

static bool begins_with(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static int fetch_section(void *arg, const char *name, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	struct elf_file *f = arg;
	int err;

	(void)scn;
	if (!begins_with(name, ".debug_") && !begins_with(name, ".zdebug_") &&
	    !begins_with(name, ".gnu.debuglto_") && !begins_with(name, ".gnu_debugaltlink"))
		return 0;
	err = input_file_fetch(&f->in, shdr->sh_offset, shdr->sh_size);
	return err == -EINVAL
		       ? 0
		       /* It lies past the end of the file, which libdw will notice as well. */
		       : err;
}

int elf_file_fetch_debug(struct elf_file *f)
{
	return f->in.served ? elf_file_visit_sections(f, fetch_section, f) : 0;
}

int elf_file_section_where(struct elf_file *f, const char *name, bool (*fits)(struct bytes data),
			   struct elf_section *out)
{
	struct bytes names = section_names(f);
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while (budget_take(f->budget, BUDGET_SECTIONS, 10) && (scn = elf_nextscn(f->elf, scn))) {
		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS ||
		    !name_is(names, shdr.sh_name, name))
			continue;
		section_describe(&shdr, out);
		if (!section_read(f, scn, &shdr, false, out) && fits(out->data))
			return 0;
	}
	*out = (struct elf_section){0};
	return -ENOENT;
}

int elf_file_section(struct elf_file *f, const char *name, struct elf_section *out)
{
	GElf_Shdr shdr;
	bool gnu;
	Elf_Scn *scn = section_find(f, name, &shdr, &gnu);

	if (scn) {
		section_describe(&shdr, out);
		return section_read(f, scn, &shdr, gnu, out);
	}
	*out = (struct elf_section){0};
	return section_names(f).len ? -ENOENT : sectionless(f, name, out);
}
