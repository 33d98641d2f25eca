/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions behind this library, which are whatever the dynamic linker finds after it: those of
 * another preloaded library or of the C library. They are the allocator's, and those that run
 * another program.
 *
 * Looking it up may itself allocate. Until it is found, calls are served from a small static buffer
 * whose blocks are never reused. real_owns() recognizes them later, because the allocator must not
 * be handed one.
 */
#ifndef CPROF_PRELOAD_REAL_H
#define CPROF_PRELOAD_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <spawn.h>
#include <stdint.h>

/*
 * Lists the C++ operators by their mangled names (Itanium C++ ABI, 5.1.5). new takes a size, and
 * then an alignment in the forms that have one. Each form is followed by its nothrow form; two
 * forms without alignment alternate with two that have it.
 */
#define REAL_NEW(X)                           \
	X(_Znwm)                              \
	X(_ZnwmRKSt9nothrow_t)                \
	X(_ZnwmSt11align_val_t)               \
	X(_ZnwmSt11align_val_tRKSt9nothrow_t) \
	X(_Znam)                              \
	X(_ZnamRKSt9nothrow_t)                \
	X(_ZnamSt11align_val_t)               \
	X(_ZnamSt11align_val_tRKSt9nothrow_t)

#define REAL_DELETE(X)                         \
	X(_ZdlPv)                              \
	X(_ZdlPvm)                             \
	X(_ZdlPvRKSt9nothrow_t)                \
	X(_ZdlPvSt11align_val_t)               \
	X(_ZdlPvmSt11align_val_t)              \
	X(_ZdlPvSt11align_val_tRKSt9nothrow_t) \
	X(_ZdaPv)                              \
	X(_ZdaPvm)                             \
	X(_ZdaPvRKSt9nothrow_t)                \
	X(_ZdaPvSt11align_val_t)               \
	X(_ZdaPvmSt11align_val_t)              \
	X(_ZdaPvSt11align_val_tRKSt9nothrow_t)

#define REAL_OPERATORS(X) REAL_NEW(X) REAL_DELETE(X)

#define REAL_OPERATOR_INDEX_(name) REAL##name,
enum real_operator { REAL_OPERATORS(REAL_OPERATOR_INDEX_) REAL_OPERATORS_N };
#define REAL_NEW_FORMS REAL_ZdlPv

/* This type fits all of them, because three integer arguments are in registers and a function with
 * fewer parameters ignores the rest. */
typedef void *(*real_operator_fn)(uintptr_t a, uintptr_t b, uintptr_t c);

struct real_functions {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *old, size_t size);
	void (*free)(void *p);
	int (*posix_memalign)(void **p, size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
	void *(*dlopen)(const char *file, int flags);
	void *(*dlmopen)(long space, const char *file, int flags);
	int (*execve)(const char *path, char *const argv[], char *const env[]);
	int (*execvpe)(const char *file, char *const argv[], char *const env[]);
	int (*fexecve)(int fd, char *const argv[], char *const env[]);
	int (*posix_spawn)(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attr, char *const argv[], char *const env[]);
	int (*posix_spawnp)(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			    const posix_spawnattr_t *attr, char *const argv[], char *const env[]);
	/* NULL if no library in the global scope defines it, as when only a plugin loaded its C++
	 * library. */
	real_operator_fn operators[REAL_OPERATORS_N];
	/* Has a bit for each operator that does not call malloc and free but belongs to the same
	 * library as these. */
	uint32_t own_operators;
};

#define REAL_PAGE 4096

/* It is read-only once sealed, so an attacker who can write memory cannot redirect calls through
 * it. */
union real {
	struct real_functions call;
	char page[REAL_PAGE];
};

/* It is hidden also where it is only declared, so it is accessed without the GOT. */
extern __attribute__((visibility("hidden"))) union real real;

/*
 * Finds the allocator. It does nothing if the allocator is found or being looked up. Every function
 * of `real` also works without this call, because its first use does the lookup.
 */
void real_find(void);

/* Returns whether this library is in front of it: a malloc of the program itself comes first. */
bool real_is_behind(void);

/* Prevents any further change to `real`. It does nothing until the allocator is found. */
void real_seal(void);

/* Returns whether `p` is from the static buffer. */
bool real_owns(const void *p);

/* Does the realloc() of such a block into one of the allocator. */
void *real_move(void *old, size_t size);

/* Is called with each block from the static buffer. */
void real_on_static_block(const void *p);

#endif
