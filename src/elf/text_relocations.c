/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for text relocations: see text_relocations.h. */
#include "elf/text_relocations.h"

#include <elf.h>
#include <string.h>

bool elf_has_text_relocations(struct elf_file *f)
{
	struct elf_section s;
	Elf64_Dyn entry;

	if (elf_file_section(f, ".dynamic", &s))
		return false;
	for (size_t at = 0; at + sizeof(entry) <= s.data.len; at += sizeof(entry)) {
		memcpy(&entry, s.data.data + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_TEXTREL ||
		    (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL)))
			return true;
	}
	return false;
}
