/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file as cprof needs it: loadable segments, build id, decompressed sections, and the
 * mapping between file offsets and virtual addresses. It is built on libelf and reads with pread
 * instead of a mapping, because truncating a mapped file while we read it would raise SIGBUS.
 *
 * The file may be hostile. Every size is checked against the file's length before it is used, and
 * every reader of the file charges its work to the file's budget. Only 64-bit little-endian ELF is
 * accepted (otherwise -ENOEXEC, or -ENOTSUP for other ELF classes).
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
	u8 len; /* 0 if the file has none */
};

struct elf_segment { /* describes one PT_LOAD */
	u64 offset, vaddr, filesz, memsz;
	u32 flags; /* PF_X ... */
};

struct elf_section {
	struct bytes
		data; /* borrowed from the elf_file; decompressed if the section was compressed */
	u64 vaddr, offset;
	u64 flags; /* SHF_* */
	u32 type; /* SHT_* */
	u32 link;
	u64 entsize;
};

struct elf_file;

/*
 * Takes over the input, even on failure, when *in is closed. If a reader copies the file, sections
 * are fetched when they are first needed; that may take as long as the reader does (readers.h) and
 * fail with -ETIMEDOUT.
 */
int elf_file_open_input(struct input_file *in, struct elf_file **out) MUST_CHECK;
/* Reads from a duplicate of `fd`, so the caller keeps its own descriptor. */
int elf_file_open(int fd, struct elf_file **out) MUST_CHECK;
/* Opens an image in memory (the vdso, minidebuginfo, tests). The bytes are copied. */
int elf_file_open_memory(struct bytes image, struct elf_file **out) MUST_CHECK;
/* Does the same with an `image` that came from malloc() and is taken over, even on failure. */
int elf_file_adopt_memory(u8 *image, size_t len, struct elf_file **out) MUST_CHECK;
void elf_file_free(struct elf_file *f); /* NULL is allowed */
/* Returns the image of a file that was opened in memory, borrowed; empty for any other file. */
struct bytes elf_file_memory(const struct elf_file *f);
/*
 * Frees what was read of the file. It is read again when it is needed. Nothing that was borrowed
 * may be in use any more.
 */
void elf_file_trim(struct elf_file *f);

/* Returns its descriptor, borrowed; -1 if it has none because it is in memory or read by another
 * process. */
int elf_file_fd(const struct elf_file *f);

/* Closes the file, of which only the sections that were read so far stay. It does nothing if a
 * reader copies the file. */
void elf_file_close_input(struct elf_file *f);

/* Returns the budget for reading this file; borrowed. */
struct budget *elf_file_budget(struct elf_file *f);
/* Restores the file's budget. What was left out before stays recorded. */
void elf_file_renew_budget(struct elf_file *f);
/*
 * Charges the reading of `f`, a separate debug file, to the budget of `payer` from now on. `payer`
 * must outlive it.
 */
void elf_file_share_budget(struct elf_file *f, struct elf_file *payer);

const struct build_id *elf_file_build_id(const struct elf_file *f);
/* Writes lower-case hex to `out` (2 * BUILD_ID_MAX + 1 bytes are always enough), or "" if there is
 * no build id. */
void build_id_format(const struct build_id *id, char *out, size_t size);

size_t elf_file_segments(const struct elf_file *f, const struct elf_segment **out);

/* Returns whether the file has code at an address: bytes of an executable segment. */
bool elf_file_is_code(const struct elf_file *f, u64 vaddr);
bool elf_file_offset_to_vaddr(const struct elf_file *f, u64 offset, u64 *vaddr);
bool elf_file_vaddr_to_offset(const struct elf_file *f, u64 vaddr, u64 *offset);
u16 elf_file_machine(const struct elf_file *f); /* EM_* */
u16 elf_file_type(const struct elf_file *f); /* ET_* */
u64 elf_file_entry(const struct elf_file *f); /* virtual address of the first instruction */
u64 elf_file_size(const struct elf_file *f); /* size in bytes at the time it was opened */

/*
 * Returns the bytes loaded from the file at `vaddr`: at most `len`, and none past the end of the
 * segment. They are borrowed, and empty if the file has nothing there.
 */
struct bytes elf_file_loaded(struct elf_file *f, u64 vaddr, u64 len);

/*
 * Reads the section called `name`. Returns 0, -ENOENT, -EBADMSG if it is there but broken, or
 * -E2BIG if the file's budget does not allow it. If the file has no section headers, or an invalid
 * table of them, .eh_frame and .eh_frame_hdr are still found through PT_GNU_EH_FRAME.
 */
int elf_file_section(struct elf_file *f, const char *name, struct elf_section *out) MUST_CHECK;

/* Does the same without reading the section, so `data` stays empty. It gives the address of a
 * section, or whether it exists. */
int elf_file_section_header(struct elf_file *f, const char *name,
			    struct elf_section *out) MUST_CHECK;

/* Reads the first section called `name` whose contents fit, of several that may have that name. */
int elf_file_section_where(struct elf_file *f, const char *name, bool (*fits)(struct bytes data),
			   struct elf_section *out) MUST_CHECK;

/*
 * Calls `visit` for each section that has bytes in the file, until it returns something other than
 * 0, which is then returned. Returns -ENOENT if there are no sections, or if their names are unfit
 * for libelf and libdw: compressed, or unterminated, as both libraries would search for the end
 * once per section.
 */
int elf_file_visit_sections(struct elf_file *f,
			    int (*visit)(void *arg, const char *name, Elf_Scn *scn,
					 const GElf_Shdr *shdr),
			    void *arg) MUST_CHECK;

/* Returns libelf's handle; borrowed. If a reader copies the file, sections must be fetched before
 * they are read through it. */
Elf *elf_file_handle(struct elf_file *f);
/* Fetches everything that libdw may read, which are the sections of debug information. Returns 0,
 * -ETIMEDOUT or another negative errno. */
int elf_file_fetch_debug(struct elf_file *f) MUST_CHECK;

#endif
