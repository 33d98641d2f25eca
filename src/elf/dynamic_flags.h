/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a file says about itself to the dynamic linker. */
#ifndef CPROF_ELF_DYNAMIC_FLAGS_H
#define CPROF_ELF_DYNAMIC_FLAGS_H

#include "elf/elf_file.h"

/* Returns whether the dynamic linker changes the code of the file when it loads it (DT_TEXTREL, or
 * DF_TEXTREL in DT_FLAGS); false if it cannot be read. */
bool elf_has_text_relocations(struct elf_file *f);

/* Returns whether it is a program and not a library (which may be executable as well): ET_EXEC, or
 * DF_1_PIE in DT_FLAGS_1, which GNU ld (2.26), gold and lld set. */
bool elf_is_program(struct elf_file *f);

#endif
