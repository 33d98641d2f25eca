/* SPDX-License-Identifier: Apache-2.0 */
/* Finds states by hash: see flow_states.h. */
#include "unwind/flow_states.h"

#include <errno.h>
#include <string.h>

#define STATES_MAX (1u << 23)

static u32 hash(const struct flow_state *s)
{
	u64 words[sizeof(*s) / sizeof(u64)], h = 0;

	memcpy(words, s, sizeof(words));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return (u32)(h >> 32);
}

static int grow(struct flow_states *s)
{
	u32 mask = s->mask ? 2 * s->mask + 1 : 1023;
	u32 *slots;

	if (s->list.len * 2 <= s->mask)
		return 0;
	slots = calloc((size_t)mask + 1, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (u32 i = 1; i < s->list.len; i++) {
		u32 at = hash(&s->list.data[i]) & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i;
	}
	free(s->slots);
	s->slots = slots;
	s->mask = mask;
	return 0;
}

int flow_states_init(struct flow_states *s, struct budget *budget)
{
	const struct flow_state unused = {0};
	int err;

	*s = (struct flow_states){.budget = budget};
	err = vec_push(&s->list, unused);
	return err ? err : grow(s);
}

void flow_states_release(struct flow_states *s)
{
	vec_release(&s->list);
	free(s->slots);
}

u32 flow_states_number(struct flow_states *s, const struct flow_state *state)
{
	u32 at;

	if (s->list.len >= STATES_MAX || grow(s))
		return 0;
	for (at = hash(state) & s->mask; s->slots[at]; at = (at + 1) & s->mask)
		if (!memcmp(&s->list.data[s->slots[at]], state, sizeof(*state)))
			return s->slots[at];
	if (!budget_reserve(s->budget, BUDGET_CODE, 2 * sizeof(*state)) ||
	    vec_push(&s->list, *state))
		return 0;
	s->slots[at] = (u32)s->list.len - 1;
	return s->slots[at];
}
