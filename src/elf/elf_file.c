/* SPDX-License-Identifier: Apache-2.0 */
/* One ELF file: headers, segments, build id and sections, every size checked before it is used. */
#include "elf/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/vec.h"

/* Nothing that we read has sections or notes beyond these. */
#define SECTION_MAX (1ull << 30)
#define NOTE_MAX (1u << 20)
#define SEGMENTS_MAX 1024
/*
 * A sparse file costs its owner nothing and us the memory of what it claims. Compressing file systems
 * store less than the size, too, but by far not this much less.
 */
#define SPARSE_RATIO_MAX 64
#define SPARSE_ALWAYS (16u << 20)
/*
 * zlib can reach 1032:1, on zeros. Debug sections reach some 20:1; a file that claims more than this
 * would make a megabyte cost a gigabyte.
 */
#define INFLATE_RATIO_MAX 100ull
#define INFLATE_ALWAYS (1ull << 20)

#define DW_EH_PE_ABSPTR 0x00
#define DW_EH_PE_UDATA4 0x03
#define DW_EH_PE_UDATA8 0x04
#define DW_EH_PE_SDATA4 0x0b
#define DW_EH_PE_SDATA8 0x0c
#define DW_EH_PE_PCREL 0x10
#define DW_EH_PE_DATAREL 0x30

struct inflated { /* a section that was compressed */
	size_t index;
	u8 *data;
	size_t len;
};

struct elf_file {
	Elf *elf;
	int fd;
	u8 *image; /* our copy, for elf_file_open_memory() */
	u64 size;
	u64 stored; /* bytes that the file takes on disk */
	GElf_Ehdr ehdr;
	struct build_id id;
	VEC(struct elf_segment) segments;
	VEC(struct inflated) inflated;
	GElf_Phdr eh_frame_hdr; /* PT_GNU_EH_FRAME; p_filesz is 0 when there is none */
};

/* `len` bytes of the file, lent by libelf until the file is closed. */
static struct bytes file_bytes(struct elf_file *f, u64 offset, u64 len)
{
	Elf_Data *data;

	if (!len || offset > f->size || len > f->size - offset)
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

/* Takes the first GNU build id out of the notes (System V gABI, "Note Section"). */
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
	struct bytes notes = file_bytes(f, offset, size < NOTE_MAX ? size : NOTE_MAX);

	build_id_parse(notes, align == 8 ? 8 : 4, &f->id);
}

/* Sections first: in a separate debug file the program headers still tell the stripped file's story. */
static void read_build_id(struct elf_file *f)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	GElf_Phdr phdr;
	size_t phnum = 0;

	while (!f->id.len && (scn = elf_nextscn(f->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_NOTE)
			build_id_from_note(f, shdr.sh_offset, shdr.sh_size, shdr.sh_addralign);
	if (elf_getphdrnum(f->elf, &phnum))
		return;
	for (size_t i = 0; i < phnum && !f->id.len; i++)
		if (gelf_getphdr(f->elf, (int)i, &phdr) && phdr.p_type == PT_NOTE)
			build_id_from_note(f, phdr.p_offset, phdr.p_filesz, phdr.p_align);
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

static struct elf_file *elf_file_alloc(void)
{
	struct elf_file *f = calloc(1, sizeof(*f));

	if (f)
		f->fd = -1;
	elf_version(EV_CURRENT);
	return f;
}

static int elf_file_finish(struct elf_file *f, int err, struct elf_file **out)
{
	if (!err)
		err = read_headers(f);
	if (err) {
		elf_file_free(f);
		return err;
	}
	*out = f;
	return 0;
}

int elf_file_open(int fd, struct elf_file **out)
{
	struct elf_file *f = elf_file_alloc();
	struct stat st;
	int err = 0;

	if (!f)
		return -ENOMEM;
	f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -ENOEXEC;
	else {
		f->size = (u64)st.st_size;
		f->stored = (u64)st.st_blocks * 512;
		f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	}
	return elf_file_finish(f, err, out);
}

int elf_file_open_memory(struct bytes image, struct elf_file **out)
{
	struct elf_file *f = elf_file_alloc();

	if (!f)
		return -ENOMEM;
	if (image.len < EI_NIDENT)
		return elf_file_finish(f, -ENOEXEC, out);
	f->image = malloc(image.len);
	if (!f->image)
		return elf_file_finish(f, -ENOMEM, out);
	memcpy(f->image, image.data, image.len);
	f->size = f->stored = image.len;
	f->elf = elf_memory((char *)f->image, image.len);
	return elf_file_finish(f, 0, out);
}

void elf_file_free(struct elf_file *f)
{
	if (!f)
		return;
	elf_end(f->elf);
	if (f->fd >= 0)
		close(f->fd);
	vec_for_each(&f->inflated, it)
		free(it->data);
	vec_release(&f->inflated);
	vec_release(&f->segments);
	free(f->image);
	free(f);
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

/* ---- sections --------------------------------------------------------------------------------- */

static bool size_is_plausible(const struct elf_file *f, u64 size)
{
	return size <= SPARSE_ALWAYS ||
	       (size <= SECTION_MAX && size / SPARSE_RATIO_MAX <= f->stored);
}

static int section_raw(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *shdr, struct bytes *out)
{
	Elf_Data *data;

	if (shdr->sh_offset > f->size || shdr->sh_size > f->size - shdr->sh_offset ||
	    !size_is_plausible(f, shdr->sh_size))
		return -EBADMSG;
	*out = (struct bytes){0};
	if (!shdr->sh_size)
		return 0;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf)
		return -EBADMSG;
	*out = (struct bytes){data->d_buf, data->d_size};
	return 0;
}

/*
 * Names are read by hand: elf_strptr() would unpack a compressed string table of any claimed size.
 */
static struct bytes section_names(struct elf_file *f)
{
	struct bytes names = {0};
	size_t index = 0;
	GElf_Shdr shdr;
	Elf_Scn *scn;

	if (elf_getshdrstrndx(f->elf, &index) || !(scn = elf_getscn(f->elf, index)) ||
	    !gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS ||
	    (shdr.sh_flags & SHF_COMPRESSED) || section_raw(f, scn, &shdr, &names))
		return (struct bytes){0};
	return names;
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

	while ((scn = elf_nextscn(f->elf, scn)))
		if (gelf_getshdr(scn, shdr) && shdr->sh_type != SHT_NOBITS &&
		    shdr->sh_type != SHT_NULL && name_is(names, shdr->sh_name, name))
			return scn;
	return NULL;
}

static int inflate_bytes(struct bytes packed, u64 claimed, struct inflated *out)
{
	uLongf len = claimed;

	if (claimed > SECTION_MAX ||
	    (claimed > INFLATE_ALWAYS && claimed / INFLATE_RATIO_MAX > packed.len))
		return -EBADMSG;
	out->data = malloc(claimed ? claimed : 1);
	if (!out->data)
		return -ENOMEM;
	if (uncompress(out->data, &len, packed.data, packed.len) != Z_OK || len != claimed) {
		free(out->data);
		return -EBADMSG;
	}
	out->len = claimed;
	return 0;
}

/* Splits a compressed section into its claimed size and the zlib stream. */
static int compression_header(struct bytes raw, bool gnu, u64 *claimed, struct bytes *packed)
{
	struct cursor c = cursor_over(raw);

	if (gnu) { /* .zdebug_*: "ZLIB", then the size in big-endian */
		const u8 *magic = cursor_take(&c, 4);

		*claimed = __builtin_bswap64(cursor_u64(&c));
		if (c.bad || memcmp(magic, "ZLIB", 4) != 0)
			return -EBADMSG;
	} else { /* Elf64_Chdr */
		u32 type = cursor_u32(&c);

		cursor_u32(&c);
		*claimed = cursor_u64(&c);
		cursor_u64(&c);
		if (c.bad || type != ELFCOMPRESS_ZLIB)
			return -EBADMSG;
	}
	*packed = (struct bytes){c.pos, cursor_left(&c)};
	return 0;
}

static int section_inflate(struct elf_file *f, size_t index, bool gnu, struct bytes *data)
{
	struct inflated fresh = {.index = index};
	struct bytes packed;
	u64 claimed;
	int err;

	vec_for_each(&f->inflated, it) {
		if (it->index == index) {
			*data = (struct bytes){it->data, it->len};
			return 0;
		}
	}
	err = compression_header(*data, gnu, &claimed, &packed);
	if (!err)
		err = inflate_bytes(packed, claimed, &fresh);
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

/* Without section headers: the PT_LOAD's bytes from `vaddr` on, as many as the file holds. */
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
		*out = (struct elf_section){.data = file_bytes(f, s->offset + skip, len),
					    .vaddr = vaddr,
					    .offset = s->offset + skip,
					    .flags = SHF_ALLOC,
					    .type = SHT_PROGBITS};
		return out->data.data ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

/* The address of .eh_frame, the first pointer in .eh_frame_hdr (LSB 5.0 core, 10.6.2). */
static int eh_frame_pointer(const struct elf_section *hdr, u64 *vaddr)
{
	struct cursor c = cursor_over(hdr->data);
	u8 version = cursor_u8(&c), encoding = cursor_u8(&c);

	cursor_u16(&c);
	switch (encoding & 0x0f) {
	case DW_EH_PE_UDATA4:
		*vaddr = cursor_u32(&c);
		break;
	case DW_EH_PE_SDATA4:
		*vaddr = (u64)(s64)cursor_s32(&c);
		break;
	case DW_EH_PE_ABSPTR:
	case DW_EH_PE_UDATA8:
	case DW_EH_PE_SDATA8:
		*vaddr = cursor_u64(&c);
		break;
	default:
		return -EBADMSG;
	}
	if ((encoding & 0x70) == DW_EH_PE_PCREL)
		*vaddr += hdr->vaddr + 4;
	else if ((encoding & 0x70) == DW_EH_PE_DATAREL)
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

/* Looks for .debug_x as .zdebug_x too, GNU's older way of compressing. */
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
	if (f->ehdr.e_shnum && f->ehdr.e_shoff)
		return -ENOENT;
	return sectionless(f, name, out);
}
