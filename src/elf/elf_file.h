/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file as cprof needs it: loadable segments, build id, sections (decompressed), and the way
 * between file offsets and virtual addresses. Stands on libelf, read with pread and never mapped: a
 * file that is truncated while we read it must not become SIGBUS.
 *
 * The file may be hostile: every size is checked against the file's length before it is believed,
 * and every reader of the file pays for its work from the file's budget. Only 64-bit little-endian
 * ELF is accepted (-ENOEXEC otherwise, -ENOTSUP for other ELF classes).
 */
#ifndef CPROF_ELF_ELF_FILE_H
#define CPROF_ELF_ELF_FILE_H

#include <gelf.h>

#include "base/budget.h"
#include "base/bytes.h"
#include "base/input_file.h"
#include "base/types.h"

#define BUILD_ID_MAX 64

struct build_id {
	u8 data[BUILD_ID_MAX];
	u8 len; /* 0: the file has none */
};

struct elf_segment { /* one PT_LOAD */
	u64 offset, vaddr, filesz, memsz;
	u32 flags; /* PF_X ... */
};

struct elf_section {
	struct bytes
		data; /* borrowed by the elf_file; decompressed when the section was compressed */
	u64 vaddr, offset;
	u64 flags; /* SHF_* */
	u32 type; /* SHT_* */
	u32 link;
	u64 entsize;
};

struct elf_file;

/*
 * Takes the input over, also when it fails; *in is closed then. Of a file that a reader copies, sections are
 * fetched when they are first asked for: that may take as long as the reader does (readers.h), and fail
 * with -ETIMEDOUT.
 */
int elf_file_open_input(struct input_file *in, struct elf_file **out) MUST_CHECK;
/* Reads from `fd`, which is duplicated, so the caller keeps its own. */
int elf_file_open(int fd, struct elf_file **out) MUST_CHECK;
/* An image in memory (the vdso, minidebuginfo, tests). The bytes are copied. */
int elf_file_open_memory(struct bytes image, struct elf_file **out) MUST_CHECK;
/* The same, but `image` came from malloc() and is taken over, also when this fails. */
int elf_file_adopt_memory(u8 *image, size_t len, struct elf_file **out) MUST_CHECK;
void elf_file_free(struct elf_file *f); /* NULL is fine */

/* What reading this file may cost; borrowed. */
struct budget *elf_file_budget(struct elf_file *f);
/*
 * Reading `f`, a separate debug file, goes on the budget of `payer` from now on, which must outlive
 * it.
 */
void elf_file_share_budget(struct elf_file *f, struct elf_file *payer);

const struct build_id *elf_file_build_id(const struct elf_file *f);
/* Lower-case hex into `out` (2 * BUILD_ID_MAX + 1 bytes are always enough); "" when there is none. */
void build_id_format(const struct build_id *id, char *out, size_t size);

size_t elf_file_segments(const struct elf_file *f, const struct elf_segment **out);
bool elf_file_offset_to_vaddr(const struct elf_file *f, u64 offset, u64 *vaddr);
bool elf_file_vaddr_to_offset(const struct elf_file *f, u64 vaddr, u64 *offset);
u16 elf_file_machine(const struct elf_file *f); /* EM_* */
u16 elf_file_type(const struct elf_file *f); /* ET_* */
u64 elf_file_entry(const struct elf_file *f); /* vaddr of the first instruction */
u64 elf_file_size(const struct elf_file *f); /* in bytes, when it was opened */

/*
 * What is loaded from the file at `vaddr`, at most `len` bytes and none behind the segment's end; borrowed,
 * empty when the file has nothing there.
 */
struct bytes elf_file_loaded(struct elf_file *f, u64 vaddr, u64 len);

/*
 * The section called `name`; 0, -ENOENT, -EBADMSG when it is there but broken, -E2BIG when the
 * file's budget does not allow it. A file without section headers, or with a table of them that
 * makes no sense, still answers for .eh_frame and .eh_frame_hdr through PT_GNU_EH_FRAME.
 */
int elf_file_section(struct elf_file *f, const char *name, struct elf_section *out) MUST_CHECK;

/* The same without reading it: `data` stays empty. For a section's address, or whether it exists. */
int elf_file_section_header(struct elf_file *f, const char *name,
			    struct elf_section *out) MUST_CHECK;

/*
 * Calls `visit` for each section that has bytes in the file, until it returns other than 0, which
 * is then returned. -ENOENT: there are no sections, or their names are not what libelf and libdw
 * may be given: compressed, or without an end, which they would look for at each section.
 */
int elf_file_visit_sections(struct elf_file *f,
			    int (*visit)(void *arg, const char *name, Elf_Scn *scn,
					 const GElf_Shdr *shdr),
			    void *arg) MUST_CHECK;

/* libelf's handle; borrowed. What a reader copies must be fetched before sections are read by it. */
Elf *elf_file_handle(struct elf_file *f);
/* All that libdw may read: the sections of debug information. 0, -ETIMEDOUT, ... */
int elf_file_fetch_debug(struct elf_file *f) MUST_CHECK;

#endif
