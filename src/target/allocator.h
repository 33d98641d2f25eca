/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory allocator in a mapped file: which one it is, and its allocation functions, through
 * which memory is allocated and freed. They are found by symbol (.dynsym and .symtab), so an
 * allocator that is linked into the program is found like a shared one.
 *
 * Several files of a process may have one each, and all are reported, because with a preloaded
 * allocator some callers still reach glibc's own malloc (RTLD_NEXT, private copies). The dynamic
 * linker's minimal malloc does not count, and neither do libraries that define operator new without
 * a malloc (libstdc++, libc++), as their operator new calls malloc anyway.
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

/* Says which argument (from 0) has which meaning; -1 if the function has no such argument. */
struct alloc_signature {
	const char *name; /* the name of the kind in --alloc, such as "malloc" */
	s8 size, count; /* the requested bytes are size, or size * count */
	s8 old; /* a block that is freed or moved */
	s8 block; /* where the address of the new block is stored; -1 if it is returned */
	bool allocates, frees; /* both are true for realloc */
};

const struct alloc_signature *alloc_signature(enum alloc_kind kind);

enum allocator_id {
	ALLOCATOR_NAMED, /* only functions named by --alloc */
	ALLOCATOR_UNKNOWN, /* the malloc and free of an unknown allocator */
	ALLOCATOR_GLIBC,
	ALLOCATOR_MUSL,
	ALLOCATOR_JEMALLOC,
	ALLOCATOR_TCMALLOC,
	ALLOCATOR_MIMALLOC,
	ALLOCATOR_SANITIZER, /* AddressSanitizer and similar tools */
};

struct alloc_function {
	enum alloc_kind kind;
	/* borrowed from the elf_file; the plainest of the names at this address */
	const char *name;
	u64 vaddr, offset; /* of the entry; the offset is that in the file */
	u64 size; /* size of the function in bytes; 0 if unknown */
	/*
	 * True if an exception may leave the function, as it may leave operator new (C++17
	 * 21.6.2.1), or if nothing is known about it: a function named by --alloc may also switch
	 * stacks, and so may a malloc that wraps a known allocator's. C's own functions (malloc and
	 * the like) of known allocators do neither.
	 */
	bool may_throw;
	bool named; /* named by --alloc, and not a name from C or a known allocator */
};

/* Holds the names of a user's own allocator, from --alloc. */
struct alloc_name {
	enum alloc_kind kind;
	char *name;
};

struct alloc_names {
	VEC(struct alloc_name) names;
};

/*
 * Parses "my_alloc_malloc,free=my_release": each item is KIND=NAME, or NAME alone if it ends in the
 * name of a kind. The kinds are those of alloc_signature(), including "new" and "delete". Returns
 * -EINVAL with `err` set.
 */
int alloc_names_parse(const char *list, struct alloc_names *out, struct error *err) MUST_CHECK;
void alloc_names_release(struct alloc_names *names);

struct allocator {
	enum allocator_id id;
	char text[64]; /* "jemalloc 5.3.0", "glibc 2.36", or "jemalloc" if the version is unknown */
	VEC(struct alloc_function) functions; /* sorted by kind, then address; one per address */
	/* number of functions that are chosen at load time (STT_GNU_IFUNC) and so are not in
	 * `functions` */
	u32 ifuncs;
	/* This says what was searched, also if nothing was found: "43 functions in .dynsym, no
	 * .symtab". */
	char searched[96];
};

/*
 * Looks for an allocator in `f`, which must outlive `out`. It looks for `names` (may be NULL)
 * besides the known ones. Returns -ENOENT if there is none (`out->searched` is set), or -ENOMEM.
 * Release `out` in any case.
 */
int allocator_find(struct elf_file *f, const struct alloc_names *names,
		   struct allocator *out) MUST_CHECK;
void allocator_release(struct allocator *a);

/*
 * Returns whether `name` is an allocation function of C ("malloc"), which every allocator has under
 * this name.
 */
bool allocator_is_c_name(const char *name);

#endif
