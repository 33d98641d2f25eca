/* SPDX-License-Identifier: Apache-2.0 */
/* Which allocator a file holds, by names that only this one defines, and its version by its strings. */
#ifndef CPROF_TARGET_ALLOCATOR_IDENTIFY_H
#define CPROF_TARGET_ALLOCATOR_IDENTIFY_H

#include "target/allocator.h"

struct allocator_marks {
	bool glibc, musl, jemalloc, tcmalloc, mimalloc, sanitizer, dynamic_linker;
	u64 mi_version; /* vaddr of the function that returns mimalloc's version; 0 */
};

/* To be called for every defined symbol of the file; `len` is without the version. */
void allocator_marks_note(struct allocator_marks *marks, const char *name, size_t len, u64 vaddr);
/* glibc's ld.so, whose minimal malloc serves nobody but itself. */
bool allocator_is_dynamic_linker(const struct allocator_marks *marks);
/* `text` becomes "jemalloc 5.3.0", or "jemalloc" when no version is found. */
enum allocator_id allocator_identify(struct elf_file *f, const struct allocator_marks *marks,
				     char *text, size_t size);

#endif
