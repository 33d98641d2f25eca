/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles BPF objects of any kind, by what all skeletons of bpftool have in common: copies the
 * settings of one to another, compares them, and empties a used one so that it is as if it had
 * just been loaded.
 */
#ifndef CPROF_COLLECT_SKELETON_H
#define CPROF_COLLECT_SKELETON_H

#include <bpf/libbpf.h>

#include "base/vec.h"

/* Every generated skeleton begins with these members (bpftool gen skeleton). */
struct skeleton {
	struct bpf_object_skeleton *skeleton;
	struct bpf_object *obj;
};

typedef void *(*skeleton_open_fn)(void); /* calls the generated <name>_bpf__open() */

/* Defines the function `name_` of that type, and checks the members. */
#define SKELETON_OPEN(name_, type_)                                                   \
	_Static_assert(offsetof(struct type_, obj) == offsetof(struct skeleton, obj), \
		       "see above");                                                  \
	static void *name_(void)                                                      \
	{                                                                             \
		return type_##__open();                                               \
	}

int skeleton_load(struct skeleton *s) MUST_CHECK;
/* Releases it in any state; NULL is allowed. */
void skeleton_free(struct skeleton *s);
bool skeleton_is_loaded(const struct skeleton *s);

/*
 * Appends all that the verifier sees and that was chosen after the object was opened: read-only
 * data, sizes and flags of maps, which programs are loaded, and ways to attach them. It is the same
 * before and after loading.
 */
int skeleton_settings(const struct skeleton *s, byte_vec *out) MUST_CHECK;
/* Gives `to`, which has just been opened, the settings of `from`, which is of the same kind. */
int skeleton_copy_settings(const struct skeleton *from, struct skeleton *to) MUST_CHECK;
/* Gives the variables of a loaded object the values that they have in one that was just opened. */
void skeleton_copy_variables(const struct skeleton *opened, struct skeleton *loaded);

/*
 * Empties all maps, except for variables and for those that `is_shared` names. No program may be
 * attached or running. The object must not be used after an error: -ENOTSUP if it has a map of a
 * type that is not known here. Task storage is emptied by the program FORGET_THREADS, which the
 * object must have.
 */
int skeleton_empty(struct skeleton *s, bool (*is_shared)(const char *map)) MUST_CHECK;

#define FORGET_THREADS "forget_threads" /* an iterator over tasks */

#endif
