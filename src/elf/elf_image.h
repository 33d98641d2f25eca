/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds an ELF file in memory, for libraries that read only ELF files: it consists of sections
 * with given names and contents.
 */
#ifndef CPROF_ELF_ELF_IMAGE_H
#define CPROF_ELF_ELF_IMAGE_H

#include "base/vec.h"
#include "elf/elf_file.h"

#define ELF_IMAGE_SECTIONS 48u

struct elf_image { /* zeroed when it is empty */
	/* private */
	VEC(u8) bytes; /* the header, and then the contents of the sections */
	struct {
		char name[40];
		u64 offset, size;
	} sections[ELF_IMAGE_SECTIONS];
	u32 nsections;
};

/*
 * Adds a section with a copy of `data`. Returns 0, -E2BIG if there are too many sections or the
 * name is too long, or -ENOMEM.
 */
int elf_image_add(struct elf_image *image, const char *name, struct bytes data) MUST_CHECK;

/*
 * Makes an ELF file of the image for the processor of `like`, whose budget pays for reading it, and
 * which must outlive it. The image is empty afterwards, also after a failure. Returns 0 or a
 * negative errno.
 */
int elf_image_finish(struct elf_image *image, struct elf_file *like,
		     struct elf_file **out) MUST_CHECK;

void elf_image_release(struct elf_image *image);

#endif
