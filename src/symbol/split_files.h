/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the .dwp file of a program, or its .dwo files. They are looked for inside the target's
 * root, with the rights of its user, because the program chooses their paths.
 */
#ifndef CPROF_SYMBOL_SPLIT_FILES_H
#define CPROF_SYMBOL_SPLIT_FILES_H

#include "base/target_root.h"
#include "elf/elf_file.h"
#include "symbol/split_source.h"

struct split_files;

/*
 * `payer` is the file whose budget pays for reading; `path` is where the target sees it, or NULL.
 * They and `root` must outlive it.
 */
int split_files_new(struct elf_file *payer, const char *path, const struct target_root *root,
		    struct split_files **out) MUST_CHECK;
void split_files_free(struct split_files *s); /* NULL is allowed */

/*
 * Returns the source, borrowed. It looks for the unit in the package files PATH.dwp and
 * DEBUGLINK.dwp, and then for the .dwo file: at its name, which is relative to the directory of the
 * compiler, and beside the program.
 */
const struct split_source *split_files_source(struct split_files *s);

#endif
