/* SPDX-License-Identifier: Apache-2.0 */
/* Opens ELF files, for tests. */
#ifndef CPROF_TESTS_ELF_FIXTURE_H
#define CPROF_TESTS_ELF_FIXTURE_H

#include "elf/elf_file.h"

/* Skips the case if there is no such file. */
struct elf_file *elf_fixture_open(const char *path);

#endif
