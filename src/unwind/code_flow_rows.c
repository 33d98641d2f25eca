/* SPDX-License-Identifier: Apache-2.0 */
/* Says what was found by following code: see code_flow.h. */
#include <string.h>

#include "unwind/code_flow_impl.h"

u64 code_flow_hole(struct code_flow *c, u64 vaddr, u64 end)
{
	return code_marks_hole(&c->marks, vaddr, end);
}

const struct flow_state *code_flow_state(struct code_flow *c, u64 vaddr)
{
	u32 number = MARK_STATE(code_marks_at(&c->marks, vaddr));

	return number ? flow_states_at(&c->states, number) : NULL;
}

const struct code_flow_stats *code_flow_stats(const struct code_flow *c)
{
	return &c->stats;
}

struct output {
	code_flow_row_fn row;
	void *arg;
	struct unwind_rule last;
	u64 end; /* of the last instruction */
};

static const struct unwind_rule not_followed = {.cfa = UNWIND_CFA_LATER};

static int put(struct output *o, u64 vaddr, const struct unwind_rule *rule)
{
	if (!memcmp(&o->last, rule, sizeof(*rule)))
		return 0;
	o->last = *rule;
	return o->row(o->arg, vaddr, rule);
}

static int put_instruction(struct output *o, u64 vaddr, u32 length, const struct unwind_rule *rule)
{
	int err = o->end < vaddr ? put(o, o->end, &not_followed) : 0;

	if (!err)
		err = put(o, vaddr, rule);
	if (vaddr + length > o->end)
		o->end = vaddr + length;
	return err;
}

/* Returns the rule for the instruction at `vaddr`. */
static struct unwind_rule rule_at(const struct code_flow *c, u64 vaddr, u32 mark)
{
	struct unwind_rule rule = flow_rule(flow_states_at(&c->states, MARK_STATE(mark)));

	if (rule.cfa == UNWIND_CFA_REG && call_changes_keeps(&c->calls, vaddr, rule.cfa_reg))
		rule.cfa_add = UNWIND_REG_KEPT;
	return rule;
}

int code_flow_rows(struct code_flow *c, u64 start, u64 end, code_flow_row_fn row, void *arg)
{
	struct output o = {.row = row, .arg = arg, .last = not_followed, .end = start};
	int err = row(arg, start, &not_followed);
	u64 at = start;

	while (!err && (at = code_marks_next(&c->marks, at, end)) < end) {
		u32 mark = code_marks_at(&c->marks, at);
		struct unwind_rule rule = rule_at(c, at, mark);

		err = put_instruction(&o, at, MARK_LENGTH(mark), &rule);
		at++;
	}
	return !err && o.end < end ? put(&o, o.end, &not_followed) : err;
}
