/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the flags in .dynamic: see dynamic_flags.h. */
#include "elf/dynamic_flags.h"

#include <elf.h>
#include <string.h>

/* Returns whether the value of an entry with this tag has one of the bits. */
static bool has_flag(struct elf_file *f, Elf64_Sxword tag, Elf64_Xword bits)
{
	struct elf_section s;
	Elf64_Dyn entry;

	if (elf_file_section(f, ".dynamic", &s))
		return false;
	for (size_t at = 0; at + sizeof(entry) <= s.data.len; at += sizeof(entry)) {
		memcpy(&entry, s.data.data + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == tag && (!bits || (entry.d_un.d_val & bits)))
			return true;
	}
	return false;
}

bool elf_has_text_relocations(struct elf_file *f)
{
	return has_flag(f, DT_TEXTREL, 0) || has_flag(f, DT_FLAGS, DF_TEXTREL);
}

bool elf_is_program(struct elf_file *f)
{
	return elf_file_type(f) == ET_EXEC || has_flag(f, DT_FLAGS_1, DF_1_PIE);
}
