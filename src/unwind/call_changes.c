/* SPDX-License-Identifier: Apache-2.0 */
/* Follows called functions to see which registers they change: see call_changes.h. */
#include "unwind/call_changes.h"

#include "base/bpf_shared.h"
#include "base/vec.h"

#define INSTRUCTIONS_MOST 2000u
#define DECODE_STEPS 200
#define ALL_REGISTERS UINT32_MAX

void call_changes_init(struct call_changes *c, struct file_image *image, struct code_marks *marks,
		       struct budget *budget)
{
	*c = (struct call_changes){.image = image, .marks = marks, .budget = budget};
}

void call_changes_release(struct call_changes *c)
{
	u64_set_release(&c->kept);
}

struct search {
	struct call_changes *c;
	VEC(u64) work;
	struct u64_set seen;
	u32 left; /* instructions */
	u32 changed; /* registers */
};

static u64 key_of(u64 vaddr)
{
	return (vaddr + 1) * 0x9e3779b97f4a7c15ull;
}

static u64 kept_key(u64 vaddr, u8 reg)
{
	return key_of(vaddr * ARCH_USER_REGS + reg);
}

static u32 changed_by(const struct stack_effect *e)
{
	u32 changed = e->clobbers;

	if (e->n == EFFECTS_MAX) /* There may be more. */
		return ALL_REGISTERS;
	for (u8 i = 0; i < e->n; i++)
		if (e->list[i].kind != EFFECT_STORE && e->list[i].reg < ARCH_USER_REGS)
			changed |= 1u << e->list[i].reg;
	return changed;
}

static bool decode(struct search *s, u64 vaddr, struct stack_effect *e)
{
	const struct code_range *r = code_marks_range(s->c->marks, vaddr);
	struct bytes code = r ? file_image_at(s->c->image, vaddr) : (struct bytes){0};

	if (!s->left || !budget_take(s->c->budget, BUDGET_CODE, DECODE_STEPS))
		return false;
	s->left--;
	if (r && code.len > r->end - vaddr)
		code.len = r->end - vaddr;
	return stack_effect_decode(code, vaddr, e);
}

static void add_work(struct search *s, u64 vaddr)
{
	if (!code_marks_range(s->c->marks, vaddr) || vec_push(&s->work, vaddr))
		s->changed = ALL_REGISTERS;
}

/* It is true if control continues behind the instruction. A function that is called counts as a
 * part of the one that calls it. */
static bool leave(struct search *s, const struct stack_effect *e)
{
	switch (e->flow) {
	case FLOW_RETURN:
	case FLOW_STOP:
		return false;
	case FLOW_INDIRECT:
		s->changed = ALL_REGISTERS;
		return false;
	case FLOW_JUMP:
		add_work(s, e->target);
		return false;
	case FLOW_CALL:
		if (!e->has_target)
			s->changed = ALL_REGISTERS;
		else
			add_work(s, e->target);
		return true;
	case FLOW_BRANCH:
		add_work(s, e->target);
		return true;
	default:
		return true;
	}
}

static void follow_line(struct search *s, u64 vaddr)
{
	struct stack_effect e;
	bool next = true;

	while (next && s->changed != ALL_REGISTERS && !u64_set_has(&s->seen, key_of(vaddr))) {
		u64_set_add(&s->seen, key_of(vaddr));
		if (!decode(s, vaddr, &e)) {
			s->changed = ALL_REGISTERS;
			return;
		}
		if (e.flow != FLOW_CALL)
			s->changed |= changed_by(&e);
		next = leave(s, &e);
		vaddr += e.length;
	}
}

static u32 find(struct call_changes *c, u64 function)
{
	struct search s = {.c = c, .left = INSTRUCTIONS_MOST};

	add_work(&s, function);
	while (s.work.len && s.changed != ALL_REGISTERS)
		follow_line(&s, s.work.data[--s.work.len]);
	vec_release(&s.work);
	u64_set_release(&s.seen);
	return s.changed;
}

static u32 changed_in(struct call_changes *c, u64 function)
{
	size_t slot = (function >> 4) % ARRAY_LEN(c->recent);

	if (c->recent[slot].function != function) {
		c->recent[slot].changed = find(c, function);
		c->recent[slot].function = function;
	}
	return c->recent[slot].changed;
}

u8 call_changes_look(struct call_changes *c, u64 vaddr, const struct flow_state *s,
		     const struct stack_effect *e)
{
	struct unwind_rule rule;

	if (e->flow != FLOW_CALL || !e->has_target)
		return EFFECT_NO_REG;
	rule = flow_rule(s);
	if (rule.cfa != UNWIND_CFA_REG || stack_effect_kept >> rule.cfa_reg & 1 ||
	    changed_in(c, e->target) >> rule.cfa_reg & 1)
		return EFFECT_NO_REG;
	u64_set_add(&c->kept, kept_key(vaddr, rule.cfa_reg));
	return rule.cfa_reg;
}

bool call_changes_keeps(const struct call_changes *c, u64 vaddr, u8 reg)
{
	return u64_set_has(&c->kept, kept_key(vaddr, reg));
}
