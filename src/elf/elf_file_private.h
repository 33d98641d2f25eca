/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an elf_file, which elf_file.c and section.c share. */
#ifndef CPROF_ELF_ELF_FILE_PRIVATE_H
#define CPROF_ELF_ELF_FILE_PRIVATE_H

#include "base/vec.h"
#include "elf/elf_file.h"

struct inflated { /* holds a section that was compressed */
	size_t index;
	u8 *data;
	size_t len;
};

struct elf_file {
	Elf *elf;
	struct input_file in;
	u8 *image; /* our copy, for elf_file_open_memory() */
	u64 size;
	u64 stored; /* bytes that the file occupies on disk */
	GElf_Ehdr ehdr;
	struct build_id id;
	VEC(struct elf_segment) segments;
	VEC(struct inflated) inflated;
	VEC(size_t) loaded; /* numbers of the sections that libelf holds in memory */
	size_t nchunks; /* how many other parts of the file it holds */
	struct budget own_budget, *budget;
	GElf_Phdr eh_frame_hdr; /* PT_GNU_EH_FRAME; p_filesz is 0 if there is none */
};

/* Returns `len` bytes of the file, which libelf lends until the file is closed; empty if they are
 * not there. */
struct bytes elf_file_bytes(struct elf_file *f, u64 offset, u64 len);

#endif
