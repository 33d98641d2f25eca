/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory allocator in a mapped file: which one it is, and its functions, the functions through
 * which memory goes out and comes back. Found by symbol (.dynsym and .symtab), so that an allocator
 * that is linked into the program is found like a shared one.
 *
 * Several files of a process may have one each, and all are reported: with a preloaded allocator
 * glibc's own malloc is still called by whoever asks for it (RTLD_NEXT, private copies). Not
 * allocators: the dynamic linker's minimal malloc, and libraries that define operator new without a
 * malloc (libstdc++, libc++), whose operator new calls malloc anyway.
 */
#ifndef CPROF_TARGET_ALLOCATOR_H
#define CPROF_TARGET_ALLOCATOR_H

#include "base/error.h"
#include "base/vec.h"
#include "elf/elf_file.h"

enum alloc_kind {
	ALLOC_MALLOC, /* void *f(size) */
	ALLOC_CALLOC, /* void *f(count, size) */
	ALLOC_REALLOC, /* void *f(old, size) */
	ALLOC_REALLOCARRAY, /* void *f(old, count, size) */
	ALLOC_FREE, /* f(old, ...) */
	ALLOC_POSIX_MEMALIGN, /* int f(&block, alignment, size) */
	ALLOC_ALIGNED, /* void *f(alignment, size): aligned_alloc, memalign */
	ALLOC_VALLOC, /* void *f(size) */
	ALLOC_PVALLOC, /* void *f(size), rounded up to pages */
	ALLOC_NEW, /* operator new, all forms: void *f(size, ...) */
	ALLOC_DELETE, /* operator delete, all forms: f(old, ...) */
	ALLOC_KINDS,
};

/* Which argument (0: rdi, 1: rsi, 2: rdx) is what; -1: the function has none. */
struct alloc_signature {
	const char *name; /* "malloc": how --alloc calls the kind */
	s8 size, count; /* bytes asked for are size, or size * count */
	s8 old; /* a block that is given back or moved */
	s8 block; /* where the new block's address is stored; -1: it is returned (rax) */
	bool allocates, frees; /* realloc does both */
};

const struct alloc_signature *alloc_signature(enum alloc_kind kind);

enum allocator_id {
	ALLOCATOR_NAMED, /* nothing but names given by --alloc */
	ALLOCATOR_UNKNOWN, /* malloc and free of an allocator that we do not know */
	ALLOCATOR_GLIBC,
	ALLOCATOR_MUSL,
	ALLOCATOR_JEMALLOC,
	ALLOCATOR_TCMALLOC,
	ALLOCATOR_MIMALLOC,
	ALLOCATOR_SANITIZER, /* AddressSanitizer and its like */
};

struct alloc_function {
	enum alloc_kind kind;
	const char *name; /* borrowed by the elf_file; the plainest of the names at this address */
	u64 vaddr, offset; /* of the entry; offset is the file's */
	u64 size; /* of the function in bytes; 0: unknown */
	/*
	 * An exception may leave it, as it does operator new (C++17 21.6.2.1), or nothing is known
	 * of it: a function that --alloc names may also switch stacks. C's own (malloc and the
	 * like) do neither.
	 */
	bool may_throw;
	bool named; /* by --alloc, and no name of C's or of a known allocator */
};

/* Names of a user's own allocator, from --alloc. */
struct alloc_name {
	enum alloc_kind kind;
	char *name;
};

struct alloc_names {
	VEC(struct alloc_name) names;
};

/*
 * "my_alloc_malloc,free=my_release": KIND=NAME, or NAME alone when it ends in a kind's name. The
 * kinds are those of alloc_signature(), "new" and "delete" included. -EINVAL with `err` set.
 */
int alloc_names_parse(const char *list, struct alloc_names *out, struct error *err) MUST_CHECK;
void alloc_names_release(struct alloc_names *names);

struct allocator {
	enum allocator_id id;
	char text[64]; /* "jemalloc 5.3.0", "glibc 2.36", "jemalloc" without a version */
	VEC(struct alloc_function) functions; /* sorted by kind, then address; one per address */
	u32 ifuncs; /* functions that are chosen at load time (STT_GNU_IFUNC): not in `functions` */
	/* What was searched, also when nothing was found: "43 functions in .dynsym, no .symtab". */
	char searched[96];
};

/*
 * Looks for an allocator in `f`, which must outlive `out`. `names` (may be NULL) are looked for
 * besides the known ones. -ENOENT: none (`out->searched` is set); -ENOMEM. Release in any case.
 */
int allocator_find(struct elf_file *f, const struct alloc_names *names,
		   struct allocator *out) MUST_CHECK;
void allocator_release(struct allocator *a);

/*
 * Whether `name` is an allocation function of C's ("malloc"), which every allocator has under this
 * name.
 */
bool allocator_is_c_name(const char *name);

#endif
