/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences of bpf/shared.h. */
#include "base/bpf_shared.h"

const char *stack_end_text(u32 end)
{
	static const char *const texts[] = {
#define STACK_END_TEXT_(name, text) text,
		STACK_ENDS(STACK_END_TEXT_)
#undef STACK_END_TEXT_
	};

	return end < ARRAY_LEN(texts) ? texts[end] : "unknown reason";
}
