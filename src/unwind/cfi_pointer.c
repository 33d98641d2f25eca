/* SPDX-License-Identifier: Apache-2.0 */
/* Reads pointers as exception handling data encodes them (LSB 5.0 core, section 10.5). */
#include <dwarf.h>

#include "unwind/cfi_program.h"

bool cfi_pointer_skip(const struct cfi_pointer_env *env, struct cursor *c, u64 *raw)
{
	switch (env->encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		*raw = cursor_u64(c);
		break;
	case DW_EH_PE_uleb128:
		*raw = cursor_uleb(c);
		break;
	case DW_EH_PE_sleb128:
		*raw = (u64)cursor_sleb(c);
		break;
	case DW_EH_PE_udata2:
		*raw = cursor_u16(c);
		break;
	case DW_EH_PE_udata4:
		*raw = cursor_u32(c);
		break;
	case DW_EH_PE_sdata2:
		*raw = (u64)(s64)cursor_s16(c);
		break;
	case DW_EH_PE_sdata4:
		*raw = (u64)(s64)cursor_s32(c);
		break;
	default:
		return false;
	}
	return !c->bad;
}

bool cfi_pointer_read(const struct cfi_pointer_env *env, struct cursor *c, u64 *value)
{
	const struct cfi_section *s = env->section;
	u64 at = s->vaddr + (u64)(c->pos - s->data.data), base;

	switch (env->encoding & ~0x0f) {
	case DW_EH_PE_absptr:
		base = 0;
		break;
	case DW_EH_PE_pcrel:
		base = at;
		break;
	case DW_EH_PE_textrel:
		base = s->text_vaddr;
		if (!base)
			return false;
		break;
	case DW_EH_PE_datarel:
		base = s->data_vaddr;
		if (!base)
			return false;
		break;
	/* Indirect pointers would need the running process; funcrel and aligned do not occur in
	 * ranges. */
	default:
		return false;
	}
	if (!cfi_pointer_skip(env, c, value))
		return false;
	*value += base;
	return true;
}
