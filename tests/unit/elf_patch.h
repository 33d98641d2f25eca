/* SPDX-License-Identifier: Apache-2.0 */
/* Changes ELF images that a compiler made, to put something hostile into them. */
#ifndef CPROF_TESTS_ELF_PATCH_H
#define CPROF_TESTS_ELF_PATCH_H

#include <elf.h>
#include <stddef.h>

#include "base/types.h"

struct elf_patch {
	u8 *image; /* freed by elf_patch_release() */
	size_t len;
};

/* Reads the file at `path`. */
void elf_patch_init(struct elf_patch *p, const char *path);
void elf_patch_release(struct elf_patch *p);

/* Returns the header of the section called `name` in the image; the case fails if there is none. */
Elf64_Shdr *elf_patch_section(struct elf_patch *p, const char *name);
/* Appends `len` bytes to the image and moves the section there. Pointers into the image become
 * invalid. */
void elf_patch_replace(struct elf_patch *p, const char *name, const void *data, size_t len);
/* Appends `n` copies of a section header to a separate table after the image. */
void elf_patch_add_sections(struct elf_patch *p, const Elf64_Shdr *shdr, size_t n);

#endif
