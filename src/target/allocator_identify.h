/* SPDX-License-Identifier: Apache-2.0 */
/* Identifies the allocator in a file by names that no other one defines, and its version by strings
 * in the file. */
#ifndef CPROF_TARGET_ALLOCATOR_IDENTIFY_H
#define CPROF_TARGET_ALLOCATOR_IDENTIFY_H

#include "target/allocator.h"

struct allocator_marks {
	bool glibc, musl, jemalloc, tcmalloc, mimalloc, sanitizer, dynamic_linker;
	/* vaddr of the function that returns mimalloc's version; 0 if there is none */
	u64 mi_version;
};

/* Must be called for every defined symbol of the file; `len` excludes the version suffix. */
void allocator_marks_note(struct allocator_marks *marks, const char *name, size_t len, u64 vaddr);
/* Returns whether this is glibc's ld.so, whose minimal malloc serves only the linker itself. */
bool allocator_is_dynamic_linker(const struct allocator_marks *marks);
/* Sets `text` to "jemalloc 5.3.0", or to "jemalloc" if no version is found. */
enum allocator_id allocator_identify(struct elf_file *f, const struct allocator_marks *marks,
				     char *text, size_t size);

#endif
