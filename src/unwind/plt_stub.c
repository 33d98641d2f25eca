/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the rules for linkage tables: see plt_stub.h. */
#include "unwind/plt_stub.h"

#include <string.h>

#define ENTRY_BYTES 16
/* A lazy entry is "jmp *slot; push index; jmp plt0" (psABI figure 5.2), so its push ends at byte
 * 11. */
#define PUSHED_AT 11

/* The first entry pushes the link map below what its caller pushed. It runs once for each
 * symbol. */
static bool has_resolver_entry(const struct elf_section *s)
{
	static const u8 push_slot[] = {0xff, 0x35};

	return s->data.len >= ENTRY_BYTES && !memcmp(s->data.data, push_slot, sizeof(push_slot));
}

static int fix_section(struct function_index *index, struct elf_file *f, const char *name, u32 rule)
{
	struct elf_section s;
	u64 start, end;

	if (elf_file_section(f, name, &s) || !s.data.len ||
	    __builtin_add_overflow(s.vaddr, s.data.len, &end))
		return 0;
	start = s.vaddr + (has_resolver_entry(&s) ? ENTRY_BYTES : 0);
	if (start >= end || function_index_covering(index, start) || !elf_vaddr_is_code(f, start) ||
	    !elf_vaddr_is_code(f, end - 1))
		return 0;
	return function_index_fix(index, start, end, rule);
}

int plt_stubs_fix(struct function_index *index, struct elf_file *f, struct rule_set *set)
{
	static const char *const direct[] = {".plt.sec", ".plt.got", ".iplt"};
	const struct unwind_rule jump = {.cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8};
	const struct unwind_rule lazy = {.cfa = UNWIND_CFA_PLT, .cfa_off = PUSHED_AT, .ra_off = -8};
	int err;

	if (!index->fdes)
		return 0;
	err = fix_section(index, f, ".plt", rule_set_number(set, &lazy));
	for (size_t i = 0; !err && i < ARRAY_LEN(direct); i++)
		err = fix_section(index, f, direct[i], rule_set_number(set, &jump));
	return err;
}
