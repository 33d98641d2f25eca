/* SPDX-License-Identifier: Apache-2.0 */
/* What a dynamic loader would load for a program, as the loader itself tells it (ld.so(8), --list). */
#ifndef CPROF_TARGET_LOADER_LIST_H
#define CPROF_TARGET_LOADER_LIST_H

#include "base/types.h"

/*
 * Whether `loader` is one that knows --list, by its name: glibc's or musl's. Another one may take the
 * program for its argument and run it.
 */
bool loader_lists(const char *loader);

/*
 * Calls `found` with each library that `loader` names for `exe`, until `found` returns false. Takes a
 * second at most: the loader is the program's choice and may do anything, so it is killed then.
 */
void loader_list(const char *loader, const char *exe, bool (*found)(void *arg, const char *path),
		 void *arg);

#endif
