/* SPDX-License-Identifier: Apache-2.0 */
/* A file that a reader has open for us, and the memory that it is copied to. See readers.h. */
#ifndef CPROF_BASE_SERVED_FILE_H
#define CPROF_BASE_SERVED_FILE_H

#include "base/readers.h"

/* A connection to one reader process, defined in readers.c; it lives as long as its readers do. */
struct reader_link;

#define SERVED_BLOCK 65536u /* fetches are whole blocks, except for the last one */

/* On failure it tells the reader to close the file. `path` is for messages. */
int served_file_new(struct reader_link *link, u32 number, u64 size, const char *path,
		    struct served_file **out) MUST_CHECK;
void served_file_free(struct served_file *f);

struct bytes served_file_image(const struct served_file *f);
int served_file_fetch(struct served_file *f, u64 at, u64 len) MUST_CHECK;

/* ---- what served_file.c needs of readers.c ---- */

/* Makes the reader copy a part into `memory`, which is attached the first time (-1 after that). */
int reader_link_fetch(struct reader_link *link, u32 number, int memory, u64 at, u64 len,
		      const char *path) MUST_CHECK;
void reader_link_close(struct reader_link *link, u32 number);

#endif
