/* SPDX-License-Identifier: Apache-2.0 */
/* Has the calling convention of x86-64 (System V psABI 3.2.1, 3.2.3): see calls.h. */
#include "arch/calls.h"

enum { RAX, RDX, RCX, RBX, RSI, RDI, RBP, R12 = 12, R15 = 15 }; /* psABI figure 3.36 */

const struct arch_calls arch_calls = {
	.argument = {RDI, RSI, RDX, RCX},
	.result = RAX,
	.preserved = 1u << RBX | 1u << RBP | 1u << R12 | 1u << 13 | 1u << 14 | 1u << R15,
};

u32 arch_passes_on_result(struct bytes code, u64 vaddr, u64 *target)
{
	static const u8 wide[] = {0x48, 0x89, 0xc7, 0xe8}; /* mov rdi, rax; call */
	s32 distance;
	u32 len;

	if (code.len < sizeof(wide) + sizeof(distance))
		return 0;
	if (!memcmp(code.data, wide, sizeof(wide)))
		len = sizeof(wide);
	else if (!memcmp(code.data, wide + 1, sizeof(wide) - 1)) /* mov edi, eax; call */
		len = sizeof(wide) - 1;
	else
		return 0;
	memcpy(&distance, code.data + len, sizeof(distance));
	len += sizeof(distance);
	*target = vaddr + len + (u64)(s64)distance;
	return len;
}

bool arch_returns_constant(struct bytes function, u32 *value)
{
	static const u8 endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct cursor c = cursor_over(function);

	if (cursor_left(&c) > sizeof(endbr64) && !memcmp(c.pos, endbr64, sizeof(endbr64)))
		cursor_take(&c, sizeof(endbr64));
	if (cursor_u8(&c) != 0xb8) /* mov $imm32, %eax */
		return false;
	*value = cursor_u32(&c);
	return !c.bad;
}
