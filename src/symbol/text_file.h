/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a text file, such as kallsyms, as a whole into memory, within a bound. */
#ifndef CPROF_SYMBOL_TEXT_FILE_H
#define CPROF_SYMBOL_TEXT_FILE_H

#include "base/types.h"

struct text_file {
	char *text; /* to be freed; not NUL-terminated */
	size_t len;
	bool cut; /* the file continued beyond the bound */
};

int text_file_read_path(const char *path, size_t max, struct text_file *out) MUST_CHECK;

#endif
