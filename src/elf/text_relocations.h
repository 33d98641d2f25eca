/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether the dynamic linker changes the code of a file when it loads it. */
#ifndef CPROF_ELF_TEXT_RELOCATIONS_H
#define CPROF_ELF_TEXT_RELOCATIONS_H

#include "elf/elf_file.h"

/* Returns whether the file says so (DT_TEXTREL, or DF_TEXTREL in DT_FLAGS); false if it cannot be
 * read. */
bool elf_has_text_relocations(struct elf_file *f);

#endif
