/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the enums of bpf/shared.h the wording that users read. */
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

const char *sample_stat_text(u32 stat)
{
	static const char *const texts[] = {
#define STAT_TEXT_(name, text) text,
		STATS(STAT_TEXT_)
#undef STAT_TEXT_
	};

	return stat < ARRAY_LEN(texts) ? texts[stat] : "unknown counter";
}

const char *wait_cause_text(u32 cause)
{
	static const char *const texts[] = {
#define WAIT_TEXT_(name, text) text,
		WAIT_CAUSES(WAIT_TEXT_)
#undef WAIT_TEXT_
	};

	return cause < ARRAY_LEN(texts) ? texts[cause] : "unknown cause";
}

const char *wait_outcome_text(u32 outcome)
{
	static const char *const texts[] = {"", "acquired", "timeout", "interrupted", "unfinished"};

	return outcome < ARRAY_LEN(texts) ? texts[outcome] : "unknown outcome";
}
