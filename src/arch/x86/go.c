/* SPDX-License-Identifier: Apache-2.0 */
/* Knows frames and the runtime of Go on amd64: see go.h. */
#include "arch/go.h"

/*
 * Go keeps the return address right above the frame. rbp is not in the table, and no Go frame needs
 * it, because a frame is found from rsp alone.
 */
struct unwind_rule arch_go_rule(s64 size)
{
	if (size < 0 || size > INT32_MAX - 8)
		return (struct unwind_rule){.cfa = UNWIND_CFA_NONE};
	return (struct unwind_rule){.cfa = UNWIND_CFA_SP, .ra_off = -8, .cfa_off = (s32)size + 8};
}

bool arch_is_go_rule(const struct unwind_rule *rule)
{
	return rule->cfa == UNWIND_CFA_SP && rule->ra == UNWIND_RA_CFA && rule->ra_off == -8;
}

/* Returns the position after the first `pattern` in `code` if at least `more` bytes follow there,
 * else NULL. */
static const u8 *behind(struct bytes code, const u8 *pattern, size_t len, size_t more)
{
	for (size_t at = 0; at + len + more <= code.len; at++)
		if (!memcmp(code.data + at, pattern, len))
			return code.data + at + len;
	return NULL;
}

static s16 small(const u8 *at)
{
	s32 value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return value < INT16_MIN || value > INT16_MAX ? 0 : (s16)value;
}

/* The function loads g from thread-local storage and compares m.curg with it. */
bool arch_go_systemstack(struct bytes code, s16 *tls, s16 *curg)
{
	static const u8 load_fs[] = {0x64, 0x48, 0x8b, 0x04, 0x25}; /* mov %fs:disp32,%rax */
	static const u8 move_rcx[] = {0x48, 0xc7, 0xc1}; /* mov $imm32,%rcx, for %fs:(%rcx) */
	static const u8 compare_rax[] = {0x48, 0x3b, 0x83}; /* cmp disp32(%rbx),%rax */
	static const u8 compare_mem[] = {0x48, 0x39, 0x83}; /* cmp %rax,disp32(%rbx) */
	const u8 *load = behind(code, load_fs, sizeof(load_fs), 4);
	const u8 *compare = behind(code, compare_rax, sizeof(compare_rax), 4);

	if (!compare)
		compare = behind(code, compare_mem, sizeof(compare_mem), 4);
	if (small(compare) <= 0)
		return false;
	*curg = small(compare);
	*tls = small(load ? load : behind(code, move_rcx, sizeof(move_rcx), 4));
	return true;
}

bool arch_go_asmcgocall(struct bytes code, s16 *slot)
{
	static const u8 save_g[] = {0x48, 0x89, 0x7c, 0x24}; /* mov %rdi,disp8(%rsp) */
	const u8 *at = behind(code, save_g, sizeof(save_g), 1);

	if (!at || *at < 8 || *at > INT8_MAX)
		return false;
	*slot = *at;
	return true;
}

/* crosscall2 pushes rbp first since Go 1.21. Before that, cgo/abi_amd64.h fixed where it is
 * saved. */
s16 arch_go_saved_fp(struct bytes code)
{
	return code.len && code.data[0] == 0x55 ? -16 : -224;
}
