/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the rules for linkage tables: see plt_stub.h. */
#include "unwind/plt_stub.h"

#include "arch/plt.h"

static int fix_section(struct function_index *index, struct elf_file *f, const char *name, u32 rule)
{
	struct elf_section s;
	u64 start, end;

	if (elf_file_section(f, name, &s) || !s.data.len ||
	    __builtin_add_overflow(s.vaddr, s.data.len, &end))
		return 0;
	start = s.vaddr + arch_plt_resolver_bytes(s.data);
	if (start >= end || function_index_covering(index, start) || !elf_file_is_code(f, start) ||
	    !elf_file_is_code(f, end - 1))
		return 0;
	return function_index_fix(index, start, end, rule);
}

int plt_stubs_fix(struct function_index *index, struct elf_file *f, struct rule_set *set)
{
	int err = 0;

	if (!index->fdes)
		return 0;
	for (const struct arch_plt *plt = arch_plts; !err && plt->section; plt++)
		err = fix_section(index, f, plt->section, rule_set_number(set, &plt->rule));
	return err;
}
