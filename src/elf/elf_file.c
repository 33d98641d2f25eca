/* SPDX-License-Identifier: Apache-2.0 */
/* One ELF file with its headers, segments and build id. Sections are in section.c. */
#include "elf/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/elf_file_private.h"

#define NOTE_MAX (1u << 20)
#define NOTES_MAX 64 /* how many sections or segments of notes are searched for a build id */
#define SEGMENTS_MAX 1024
/* libelf allocates 200 bytes for each before it reads any. Programs have some 40. */
#define SECTIONS_MAX (1u << 18)
#define SECTIONLESS_MAX (64u << 20) /* how much of a file with a broken section table is copied */

struct bytes elf_file_bytes(struct elf_file *f, u64 offset, u64 len)
{
	Elf_Data *data;

	if (!len || offset > f->size || len > f->size - offset ||
	    input_file_fetch(&f->in, offset, len))
		return (struct bytes){0};
	/* libelf keeps each part until the end, in a list that it searches, so the cost grows with
	 * their number. */
	if (!budget_take(f->budget, BUDGET_SECTIONS, 4 * ++f->nchunks) ||
	    !budget_reserve(f->budget, BUDGET_SECTIONS, len))
		return (struct bytes){0};
	data = elf_getdata_rawchunk(f->elf, (s64)offset, len, ELF_T_BYTE);
	if (!data || !data->d_buf)
		return (struct bytes){0};
	return (struct bytes){data->d_buf, data->d_size};
}

static void skip_padding(struct cursor *c, size_t len, size_t align)
{
	size_t pad = (align - len % align) % align;

	cursor_take(c, pad < cursor_left(c) ? pad : cursor_left(c));
}

/* Finds the first GNU build id in the notes (System V gABI, "Note Section"). */
static bool build_id_parse(struct bytes notes, size_t align, struct build_id *id)
{
	struct cursor c = cursor_over(notes);

	while (!c.bad && cursor_left(&c) >= sizeof(Elf64_Nhdr)) {
		u32 namesz = cursor_u32(&c), descsz = cursor_u32(&c), type = cursor_u32(&c);
		const u8 *name = cursor_take(&c, namesz), *desc;

		skip_padding(&c, sizeof(Elf64_Nhdr) + (size_t)namesz, align);
		desc = cursor_take(&c, descsz);
		skip_padding(&c, descsz, align);
		if (!desc || type != NT_GNU_BUILD_ID || namesz != 4 || memcmp(name, "GNU", 4) != 0)
			continue;
		if (!descsz || descsz > BUILD_ID_MAX)
			continue;
		memcpy(id->data, desc, descsz);
		id->len = (u8)descsz;
		return true;
	}
	return false;
}

static void build_id_from_note(struct elf_file *f, u64 offset, u64 size, u64 align)
{
	struct bytes notes = elf_file_bytes(f, offset, size < NOTE_MAX ? size : NOTE_MAX);

	build_id_parse(notes, align == 8 ? 8 : 4, &f->id);
}

/* Sections come first, because the program headers of a separate debug file still describe the
 * stripped file. */
static void read_build_id(struct elf_file *f)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	GElf_Phdr phdr;
	size_t phnum = 0, left = NOTES_MAX;

	while (!f->id.len && left && (scn = elf_nextscn(f->elf, scn))) {
		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_NOTE)
			continue;
		build_id_from_note(f, shdr.sh_offset, shdr.sh_size, shdr.sh_addralign);
		left--;
	}
	if (elf_getphdrnum(f->elf, &phnum))
		return;
	for (size_t i = 0; i < phnum && !f->id.len && left; i++) {
		if (!gelf_getphdr(f->elf, (int)i, &phdr) || phdr.p_type != PT_NOTE)
			continue;
		build_id_from_note(f, phdr.p_offset, phdr.p_filesz, phdr.p_align);
		left--;
	}
}

static int read_segments(struct elf_file *f)
{
	size_t phnum = 0;
	GElf_Phdr p;

	if (elf_getphdrnum(f->elf, &phnum))
		return -ENOEXEC;
	for (size_t i = 0; i < phnum; i++) {
		if (!gelf_getphdr(f->elf, (int)i, &p))
			return -ENOEXEC;
		if (p.p_type == PT_GNU_EH_FRAME)
			f->eh_frame_hdr = p;
		if (p.p_type != PT_LOAD)
			continue;
		if (f->segments.len == SEGMENTS_MAX)
			return -ENOEXEC;
		if (vec_push(&f->segments, (struct elf_segment){.offset = p.p_offset,
								.vaddr = p.p_vaddr,
								.filesz = p.p_filesz,
								.memsz = p.p_memsz,
								.flags = p.p_flags}))
			return -ENOMEM;
	}
	return 0;
}

static int read_headers(struct elf_file *f)
{
	const char *ident;
	int err;

	if (!f->elf || elf_kind(f->elf) != ELF_K_ELF)
		return -ENOEXEC;
	ident = elf_getident(f->elf, NULL);
	if (!ident || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return -ENOTSUP;
	if (!gelf_getehdr(f->elf, &f->ehdr))
		return -ENOEXEC;
	err = read_segments(f);
	if (err)
		return err;
	read_build_id(f);
	return 0;
}

/* ---- files with an invalid section table ----------------------------------------------------- */

/*
 * libelf refuses such a file altogether, but the kernel runs it, because exec needs only the
 * program headers. So libelf is given a copy whose header says that there are no sections.
 */
static int retry_without_sections(struct elf_file *f)
{
	Elf64_Ehdr ehdr;

	if (f->elf || f->size < sizeof(ehdr) || f->size > SECTIONLESS_MAX || f->size > f->stored)
		return 0;
	if (!f->image) {
		f->image = malloc(f->size);
		if (!f->image)
			return -ENOMEM;
		if (input_file_read(&f->in, f->image, f->size, 0) != (ssize_t)f->size)
			return 0;
	}
	memcpy(&ehdr, f->image, sizeof(ehdr));
	ehdr.e_shoff = 0;
	ehdr.e_shnum = ehdr.e_shstrndx = 0;
	if (ehdr.e_phnum == PN_XNUM)
		return 0;
	memcpy(f->image, &ehdr, sizeof(ehdr));
	f->elf = elf_memory((char *)f->image, f->size);
	return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool read_at(struct elf_file *f, u64 offset, void *out, size_t len)
{
	if (offset > f->size || len > f->size - offset)
		return false;
	if (!f->image)
		return input_file_read(&f->in, out, len, offset) == (ssize_t)len;
	memcpy(out, f->image + offset, len);
	return true;
}

/*
 * A file with more than 65,279 sections keeps their number in the first section header (gABI, "ELF
 * Header", e_shnum), where a sparse file that costs its owner nothing may claim a billion. The same
 * holds for program headers, of which the kernel accepts no more than 1,170.
 */
static bool counts_are_sane(struct elf_file *f)
{
	Elf64_Ehdr ehdr;
	Elf64_Shdr first;

	if (!read_at(f, 0, &ehdr, sizeof(ehdr)) || ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return true; /* Such a file is refused later. */
	if (ehdr.e_phnum == PN_XNUM)
		return false;
	if (ehdr.e_shnum || !ehdr.e_shoff || !read_at(f, ehdr.e_shoff, &first, sizeof(first)))
		return true;
	return first.sh_size <= SECTIONS_MAX;
}

static struct elf_file *elf_file_alloc(void)
{
	struct elf_file *f = calloc(1, sizeof(*f));

	if (f) {
		f->in = INPUT_FILE_NONE;
		f->budget = &f->own_budget;
	}
	elf_version(EV_CURRENT);
	return f;
}

/* This is for a file that a reader copies. counts_are_sane() has checked the number of sections. */
static int fetch_section_headers(struct elf_file *f, const Elf64_Ehdr *ehdr)
{
	u64 count = ehdr->e_shnum;
	Elf64_Shdr first;

	if (!ehdr->e_shoff)
		return 0;
	if (!count && read_at(f, ehdr->e_shoff, &first, sizeof(first)))
		count = first.sh_size;
	if (ehdr->e_shoff > f->size || count > (f->size - ehdr->e_shoff) / sizeof(first))
		return 0; /* libelf will notice it as well. */
	return input_file_fetch(&f->in, ehdr->e_shoff, count * sizeof(first));
}

/* Fetches what libelf reads when it opens the file. */
static int fetch_headers(struct elf_file *f)
{
	Elf64_Ehdr ehdr;
	int err;
	u64 len;

	if (f->size < sizeof(ehdr))
		return -ENOEXEC;
	err = input_file_fetch(&f->in, 0, sizeof(ehdr));
	if (err)
		return err;
	memcpy(&ehdr, input_file_image(&f->in).data, sizeof(ehdr));
	len = (u64)ehdr.e_phnum * sizeof(Elf64_Phdr);
	if (ehdr.e_phoff <= f->size && len <= f->size - ehdr.e_phoff)
		err = input_file_fetch(&f->in, ehdr.e_phoff, len);
	return err ? err : fetch_section_headers(f, &ehdr);
}

static int elf_file_begin(struct elf_file *f)
{
	int err = 0;

	budget_init(&f->own_budget, f->stored);
	if (!counts_are_sane(f))
		return 0; /* retry_without_sections() handles it. */
	if (f->in.served)
		err = fetch_headers(f);
	if (err)
		return err;
	if (f->image)
		f->elf = elf_memory((char *)f->image, f->size);
	else if (f->in.served) /* libelf only reads from this memory */
		f->elf = elf_memory((char *)(uintptr_t)input_file_image(&f->in).data, f->size);
	else
		f->elf = elf_begin(f->in.fd, ELF_C_READ, NULL);
	return 0;
}

static int elf_file_finish(struct elf_file *f, int err, struct elf_file **out)
{
	if (!err)
		err = retry_without_sections(f);
	if (!err)
		err = read_headers(f);
	if (err) {
		elf_file_free(f);
		return err;
	}
	*out = f;
	return 0;
}

int elf_file_open_input(struct input_file *in, struct elf_file **out)
{
	struct elf_file *f = elf_file_alloc();

	if (!f) {
		input_file_close(in);
		return -ENOMEM;
	}
	f->in = *in;
	*in = INPUT_FILE_NONE;
	f->size = f->in.size;
	f->stored = f->in.stored;
	return elf_file_finish(f, elf_file_begin(f), out);
}

int elf_file_open(int fd, struct elf_file **out)
{
	struct input_file in;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), err;

	if (copy < 0)
		return -errno;
	err = input_file_of(copy, &in);
	return err == -EINVAL ? -ENOEXEC : err ? err : elf_file_open_input(&in, out);
}

int elf_file_adopt_memory(u8 *image, size_t len, struct elf_file **out)
{
	struct elf_file *f = elf_file_alloc();

	if (!f) {
		free(image);
		return -ENOMEM;
	}
	f->image = image;
	if (len < EI_NIDENT)
		return elf_file_finish(f, -ENOEXEC, out);
	f->size = f->stored = len;
	return elf_file_finish(f, elf_file_begin(f), out);
}

int elf_file_open_memory(struct bytes image, struct elf_file **out)
{
	u8 *copy = malloc(image.len + 1);

	if (!copy)
		return -ENOMEM;
	if (image.len)
		memcpy(copy, image.data, image.len);
	return elf_file_adopt_memory(copy, image.len, out);
}

void elf_file_free(struct elf_file *f)
{
	if (!f)
		return;
	elf_end(f->elf);
	input_file_close(&f->in);
	vec_for_each(&f->inflated, it)
		free(it->data);
	vec_release(&f->inflated);
	vec_release(&f->loaded);
	vec_release(&f->segments);
	free(f->image);
	free(f);
}

void elf_file_renew_budget(struct elf_file *f)
{
	u8 lost[BUDGET_PARTS];

	memcpy(lost, f->own_budget.lost, sizeof(lost));
	budget_init(&f->own_budget, f->stored);
	memcpy(f->own_budget.lost, lost, sizeof(lost));
}

void elf_file_trim(struct elf_file *f)
{
	Elf *fresh;

	if (f->image)
		return;
	fresh = f->in.served ? elf_memory((char *)(uintptr_t)input_file_image(&f->in).data, f->size)
			     : elf_begin(f->in.fd, ELF_C_READ, NULL);
	if (!fresh)
		return;
	elf_end(f->elf);
	f->elf = fresh;
	vec_for_each(&f->inflated, it)
		free(it->data);
	vec_release(&f->inflated);
	vec_release(&f->loaded);
	f->nchunks = 0;
	elf_file_renew_budget(f);
}

int elf_file_fd(const struct elf_file *f)
{
	return f->in.served ? -1 : f->in.fd;
}

void elf_file_close_input(struct elf_file *f)
{
	if (f->in.served || f->in.fd < 0)
		return;
	elf_cntl(f->elf, ELF_C_FDDONE);
	input_file_close(&f->in);
	f->in = INPUT_FILE_NONE;
}

struct bytes elf_file_memory(const struct elf_file *f)
{
	return (struct bytes){f->image, f->image ? f->size : 0};
}

struct budget *elf_file_budget(struct elf_file *f)
{
	return f->budget;
}

void elf_file_share_budget(struct elf_file *f, struct elf_file *payer)
{
	budget_extend(payer->budget, f->stored);
	f->budget = payer->budget;
}

const struct build_id *elf_file_build_id(const struct elf_file *f)
{
	return &f->id;
}

void build_id_format(const struct build_id *id, char *out, size_t size)
{
	size_t len = 0;

	if (size)
		out[0] = '\0';
	for (size_t i = 0; i < id->len && len + 3 <= size; i++)
		len += (size_t)snprintf(out + len, size - len, "%02x", id->data[i]);
}

size_t elf_file_segments(const struct elf_file *f, const struct elf_segment **out)
{
	*out = f->segments.data;
	return f->segments.len;
}

bool elf_file_is_code(const struct elf_file *f, u64 vaddr)
{
	vec_for_each(&f->segments, s) {
		if ((s->flags & PF_X) && vaddr >= s->vaddr && vaddr - s->vaddr < s->filesz)
			return true;
	}
	return false;
}

bool elf_file_offset_to_vaddr(const struct elf_file *f, u64 offset, u64 *vaddr)
{
	for (size_t i = 0; i < f->segments.len; i++) {
		const struct elf_segment *s = &f->segments.data[i];

		if (offset < s->offset || offset - s->offset >= s->filesz)
			continue;
		*vaddr = s->vaddr + (offset - s->offset);
		return true;
	}
	return false;
}

bool elf_file_vaddr_to_offset(const struct elf_file *f, u64 vaddr, u64 *offset)
{
	for (size_t i = 0; i < f->segments.len; i++) {
		const struct elf_segment *s = &f->segments.data[i];

		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->filesz)
			continue;
		*offset = s->offset + (vaddr - s->vaddr);
		return true;
	}
	return false;
}

struct bytes elf_file_loaded(struct elf_file *f, u64 vaddr, u64 len)
{
	vec_for_each(&f->segments, s) {
		u64 skip = vaddr - s->vaddr, offset;

		if (vaddr < s->vaddr || skip >= s->filesz ||
		    __builtin_add_overflow(s->offset, skip, &offset) || offset >= f->size)
			continue;
		if (len > s->filesz - skip)
			len = s->filesz - skip;
		if (len > f->size - offset)
			len = f->size - offset;
		return elf_file_bytes(f, offset, len);
	}
	return (struct bytes){0};
}

u16 elf_file_machine(const struct elf_file *f)
{
	return f->ehdr.e_machine;
}

u16 elf_file_type(const struct elf_file *f)
{
	return f->ehdr.e_type;
}

u64 elf_file_entry(const struct elf_file *f)
{
	return f->ehdr.e_entry;
}

u64 elf_file_size(const struct elf_file *f)
{
	return f->size;
}

Elf *elf_file_handle(struct elf_file *f)
{
	return f->elf;
}
