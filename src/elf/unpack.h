/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks compressed sections: SHF_COMPRESSED with zlib or zstd (gABI, "Section Compression"; zstd
 * is ELFCOMPRESS_ZSTD, which libelf knows from 0.189 on), and GNU's older .zdebug sections.
 */
#ifndef CPROF_ELF_UNPACK_H
#define CPROF_ELF_UNPACK_H

#include "base/budget.h"
#include "base/bytes.h"

#define UNPACK_ZLIB 1u /* ELFCOMPRESS_ZLIB */
#define UNPACK_ZSTD 2u /* ELFCOMPRESS_ZSTD */
#define UNPACK_MAX (1ull << 30) /* no section that we read is larger */

/*
 * Unpacks the contents of a section, which begin with a header: that of GNU's .zdebug sections if
 * `gnu` is set, else Elf64_Chdr. The caller frees *data. Returns 0; -EBADMSG if the contents are
 * damaged, of an unknown kind or implausibly large; -E2BIG if the budget (BUDGET_SECTIONS) does not
 * allow it; or -ENOMEM.
 */
int unpack_section(struct budget *budget, struct bytes raw, bool gnu, u8 **data,
		   size_t *len) MUST_CHECK;

#endif
