/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what a dynamic loader would load for a program, from the loader's own list (ld.so(8),
 * --list). */
#ifndef CPROF_TARGET_LOADER_LIST_H
#define CPROF_TARGET_LOADER_LIST_H

#include "base/types.h"

/*
 * Returns whether `loader` supports --list, judged by its name: glibc's and musl's do. Any other
 * one might take --list for the program to run.
 */
bool loader_lists(const char *loader);

/*
 * Calls `found` with each library that `loader` names for `exe`, until `found` returns false. The
 * program chooses its loader, which may do anything, so the loader is killed after a second.
 */
void loader_list(const char *loader, const char *exe, bool (*found)(void *arg, const char *path),
		 void *arg);

#endif
