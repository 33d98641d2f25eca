/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers states (flow_state.h), because most instructions of a function have one of a few. */
#ifndef CPROF_UNWIND_FLOW_STATES_H
#define CPROF_UNWIND_FLOW_STATES_H

#include "base/budget.h"
#include "base/vec.h"
#include "unwind/flow_state.h"

struct flow_states {
	struct budget *budget;
	VEC(struct flow_state) list; /* number 0 is unused */
	u32 *slots; /* numbers, by hash */
	u32 mask;
};

/* The budget is borrowed; memory is charged to BUDGET_CODE. Returns 0 or -ENOMEM. */
int flow_states_init(struct flow_states *s, struct budget *budget) MUST_CHECK;
void flow_states_release(struct flow_states *s);
/* Returns 0 without memory or budget. */
u32 flow_states_number(struct flow_states *s, const struct flow_state *state);

/* It is valid until the next number is given. */
static inline const struct flow_state *flow_states_at(const struct flow_states *s, u32 number)
{
	return &s->list.data[number];
}

#endif
