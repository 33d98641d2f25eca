/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes probes in code of x86-64: see breakpoint.h. */
#include "arch/breakpoint.h"

#define BREAKPOINT 0xcc /* int3 (arch/x86/include/asm/uprobes.h) */
#define CALL 0xe8 /* since Linux 6.18, in place of a nop of five bytes */
#define CALL_LEN 5

static bool is_call(struct bytes code, u64 address, const struct probe_trampoline *to)
{
	s32 distance;
	u64 destination;

	if (code.len < CALL_LEN || code.data[0] != CALL)
		return false;
	memcpy(&distance, code.data + 1, sizeof(distance));
	destination = address + CALL_LEN + (u64)(s64)distance;
	return destination >= to->start && destination < to->end;
}

u32 arch_probe_bytes(struct bytes code, u64 address, const struct probe_trampoline *trampoline)
{
	if (is_call(code, address, trampoline))
		return CALL_LEN;
	return code.len && code.data[0] == BREAKPOINT;
}

u32 arch_probe_replaced(struct bytes code, const u8 *was, u64 address,
			const struct probe_trampoline *trampoline)
{
	static const u8 nop5[CALL_LEN] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

	if (code.len >= CALL_LEN && !memcmp(was, nop5, CALL_LEN) &&
	    is_call(code, address, trampoline))
		return CALL_LEN;
	return code.len && code.data[0] == BREAKPOINT;
}
