/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads small parts of what a file loads, many of them and in any order. It fetches pieces of the
 * file when they are first needed.
 */
#ifndef CPROF_UNWIND_FILE_IMAGE_H
#define CPROF_UNWIND_FILE_IMAGE_H

#include "elf/elf_file.h"

struct file_image;

#define FILE_IMAGE_PART 16u /* the longest part that can be read */

/* Borrows the file, whose budget is charged (BUDGET_CODE). Returns 0 or -ENOMEM. */
int file_image_new(struct elf_file *f, struct file_image **out) MUST_CHECK;
void file_image_free(struct file_image *m); /* NULL is allowed */

/* Forgets what was read, which is valid only until the file is trimmed. */
void file_image_forget(struct file_image *m);

/* Returns at most FILE_IMAGE_PART bytes at `vaddr`; fewer at the end of a segment, none outside. */
struct bytes file_image_at(struct file_image *m, u64 vaddr);
/* Returns the bytes from `vaddr` on, as far as they are in one piece. */
struct bytes file_image_run(struct file_image *m, u64 vaddr);

#endif
