/* SPDX-License-Identifier: Apache-2.0 */
/* Follows values through instructions: see flow_state.h. */
#include "unwind/flow_state.h"

#include <string.h>

#define WORD 8
#define TABLE_ENTRIES_MAX 4096u

#define RETURN_SLOT flow_make(FLOW_CFA, -WORD)

static bool is_stack(flow_value v)
{
	return flow_kind_of(v) == FLOW_CFA || flow_kind_of(v) == FLOW_ALIGNED;
}

static flow_value value_of(const struct flow *f, u8 reg)
{
	if (reg >= EFFECT_REGS)
		return FLOW_UNKNOWN;
	if (reg < ARCH_USER_REGS && f->s.reg[reg])
		return f->s.reg[reg];
	return f->local[reg];
}

/* A frame pointer of 0 marks the outermost frame. */
static bool is_lasting(flow_value v, u8 reg)
{
	return reg < ARCH_USER_REGS && (is_stack(v) || flow_kind_of(v) == FLOW_CALLERS ||
					(reg == ARCH_DWARF_FP && v == flow_make(FLOW_NUMBER, 0)));
}

static void set(struct flow *f, u8 reg, flow_value v)
{
	if (reg >= EFFECT_REGS)
		return;
	f->local[reg] = is_lasting(v, reg) ? FLOW_UNKNOWN : v;
	if (reg < ARCH_USER_REGS)
		f->s.reg[reg] = is_lasting(v, reg) ? v : FLOW_UNKNOWN;
}

static flow_value plus(flow_value v, s64 add)
{
	if (!add)
		return v;
	switch (flow_kind_of(v)) {
	case FLOW_CFA:
	case FLOW_ALIGNED:
	case FLOW_NUMBER:
	case FLOW_ADDRESS:
		return flow_make(flow_kind_of(v), flow_number(v) + add);
	default:
		return FLOW_UNKNOWN;
	}
}

/* ---- slots ---- */

static void drop_slot(struct flow_state *s, u32 i)
{
	memmove(&s->slot[i], &s->slot[i + 1], (FLOW_SLOTS - 1 - i) * sizeof(s->slot[0]));
	s->slot[FLOW_SLOTS - 1] = (struct flow_slot){0};
}

static flow_value slot_value(const struct flow_state *s, flow_value at)
{
	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at; i++)
		if (s->slot[i].at == at)
			return s->slot[i].value;
	return FLOW_UNKNOWN;
}

static void drop_aligned(struct flow_state *s)
{
	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at;) {
		if (flow_kind_of(s->slot[i].at) == FLOW_ALIGNED)
			drop_slot(s, i);
		else
			i++;
	}
}

static void overwrite(struct flow_state *s, flow_value at, u32 size)
{
	s32 begin = flow_number(at);

	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at;) {
		s32 slot = flow_number(s->slot[i].at);

		if (flow_kind_of(s->slot[i].at) == flow_kind_of(at) && slot < begin + (s32)size &&
		    begin < slot + WORD)
			drop_slot(s, i);
		else
			i++;
	}
}

static void add_slot(struct flow_state *s, flow_value at, flow_value value)
{
	u32 i = 0;

	while (i < FLOW_SLOTS && s->slot[i].at && s->slot[i].at < at)
		i++;
	if (i == FLOW_SLOTS || s->slot[FLOW_SLOTS - 1].at)
		return;
	memmove(&s->slot[i + 1], &s->slot[i], (FLOW_SLOTS - 1 - i) * sizeof(s->slot[0]));
	s->slot[i] = (struct flow_slot){at, value};
}

static void store(struct flow *f, const struct effect *e)
{
	flow_value at = plus(value_of(f, e->from), e->add);
	flow_value value = e->reg < ARCH_USER_REGS ? f->s.reg[e->reg] : FLOW_UNKNOWN;

	if (!is_stack(at))
		return;
	overwrite(&f->s, at, e->size);
	/* The stack that was aligned has been left, and may be used again. */
	if (flow_kind_of(at) == FLOW_CFA && flow_kind_of(f->s.reg[ARCH_DWARF_SP]) == FLOW_CFA)
		drop_aligned(&f->s);
	if (e->size == WORD &&
	    (flow_kind_of(value) == FLOW_CFA || flow_kind_of(value) == FLOW_CALLERS))
		add_slot(&f->s, at, value);
}

/* What is below the stack pointer will be overwritten. */
static void drop_below(struct flow_state *s, flow_value sp)
{
	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at;) {
		if (flow_kind_of(s->slot[i].at) == flow_kind_of(sp) &&
		    flow_number(s->slot[i].at) < flow_number(sp))
			drop_slot(s, i);
		else
			i++;
	}
}

/* ---- instructions ---- */

/* Distances from an aligned stack pointer of before mean nothing any more. */
static void align(struct flow *f, u8 reg)
{
	bool known = is_stack(value_of(f, reg)) && reg == ARCH_DWARF_SP;

	drop_below(&f->s, f->s.reg[ARCH_DWARF_SP]); /* It will be used again, at other distances. */
	for (u8 i = 0; i < ARCH_USER_REGS; i++)
		if (flow_kind_of(f->s.reg[i]) == FLOW_ALIGNED)
			f->s.reg[i] = FLOW_UNKNOWN;
	drop_aligned(&f->s);
	set(f, reg, known ? flow_make(FLOW_ALIGNED, 0) : FLOW_UNKNOWN);
}

static void load(struct flow *f, const struct effect *e)
{
	flow_value at = plus(value_of(f, e->from), e->add);

	set(f, e->reg, is_stack(at) ? slot_value(&f->s, at) : FLOW_UNKNOWN);
}

static void load_entry(struct flow *f, const struct effect *e)
{
	flow_value at = e->from == EFFECT_NO_REG ? flow_make(FLOW_ADDRESS, e->add - (s64)f->bias)
						 : plus(value_of(f, e->from), e->add);

	if (flow_kind_of(at) != FLOW_ADDRESS)
		at = FLOW_UNKNOWN;
	else
		at = flow_make(e->size == WORD ? FLOW_POINTER : FLOW_ENTRY, flow_number(at));
	set(f, e->reg, at);
}

/* A table of distances is used by adding its own address to an entry. */
static bool is_table_with_entry(flow_value table, flow_value entry)
{
	return flow_kind_of(table) == FLOW_ADDRESS && flow_kind_of(entry) == FLOW_ENTRY &&
	       flow_number(table) == flow_number(entry);
}

static void sum(struct flow *f, const struct effect *e)
{
	flow_value a = value_of(f, e->reg), b = value_of(f, e->from);

	if (is_table_with_entry(a, b) || is_table_with_entry(b, a))
		set(f, e->reg, flow_make(FLOW_TARGET, flow_number(a)));
	else
		set(f, e->reg, FLOW_UNKNOWN);
}

static u32 small_number(s64 v)
{
	return v >= 0 && v < TABLE_ENTRIES_MAX ? (u32)v : UINT32_MAX;
}

static void apply_one(struct flow *f, const struct effect *e)
{
	switch (e->kind) {
	case EFFECT_MOVE:
		set(f, e->reg, plus(value_of(f, e->from), e->add));
		break;
	case EFFECT_CONST:
		set(f, e->reg, flow_make(FLOW_NUMBER, e->add));
		break;
	case EFFECT_ADDRESS:
		set(f, e->reg, flow_make(FLOW_ADDRESS, e->add - (s64)f->bias));
		break;
	case EFFECT_ALIGN:
		align(f, e->reg);
		break;
	case EFFECT_LOAD:
		load(f, e);
		break;
	case EFFECT_STORE:
		store(f, e);
		break;
	case EFFECT_TABLE:
		load_entry(f, e);
		break;
	case EFFECT_SUM:
		sum(f, e);
		break;
	case EFFECT_BOUND:
		f->bound = small_number(e->add) + 1;
		break;
	case EFFECT_COMPARE:
		f->compared = small_number(e->add);
		break;
	default:
		break;
	}
}

void flow_apply(struct flow *f, const struct stack_effect *e)
{
	for (u32 left = e->clobbers; left; left &= left - 1)
		set(f, (u8)__builtin_ctz(left), FLOW_UNKNOWN);
	for (u8 i = 0; i < e->n; i++)
		apply_one(f, &e->list[i]);
	if (e->flow == FLOW_CALL) {
		drop_below(&f->s, f->s.reg[ARCH_DWARF_SP]);
		f->bound = 0;
	}
}

void flow_not_taken(struct flow *f, const struct stack_effect *e)
{
	if (e->above && f->compared != UINT32_MAX)
		f->bound = f->compared + (e->above == 1);
	f->compared = UINT32_MAX;
}

bool flow_jump_table(const struct flow *f, enum flow_kind *kind, u64 *vaddr, u32 *entries)
{
	flow_value v = f->local[EFFECT_JUMP_REG];

	*kind = flow_kind_of(v);
	*vaddr = f->bias + (u64)(s64)flow_number(v);
	*entries = f->bound;
	return *kind == FLOW_TARGET || *kind == FLOW_POINTER;
}

/* ---- states ---- */

void flow_resume(struct flow *f, u64 bias, const struct flow_state *s)
{
	memset(f, 0, sizeof(*f));
	f->s = *s;
	f->bias = bias;
	f->compared = UINT32_MAX;
}

void flow_enter(struct flow *f, u64 bias)
{
	const struct flow_state s = {
		.reg[ARCH_DWARF_SP] = RETURN_SLOT,
		.slot[0] = {RETURN_SLOT, flow_make(FLOW_CALLERS, ARCH_DWARF_RA)},
	};

	flow_resume(f, bias, &s);
	for (u32 left = stack_effect_kept; left; left &= left - 1) {
		u8 reg = (u8)__builtin_ctz(left);

		f->s.reg[reg] = flow_make(FLOW_CALLERS, reg);
	}
}

bool flow_meet(struct flow_state *to, const struct flow_state *from)
{
	flow_value a = to->reg[ARCH_DWARF_SP], b = from->reg[ARCH_DWARF_SP];

	for (u32 i = 0; i < ARCH_USER_REGS; i++)
		if (to->reg[i] != from->reg[i])
			to->reg[i] = FLOW_UNKNOWN;
	for (u32 i = 0; i < FLOW_SLOTS && to->slot[i].at;) {
		if (slot_value(from, to->slot[i].at) != to->slot[i].value)
			drop_slot(to, i);
		else
			i++;
	}
	if (!a || !b || a == b)
		return false;
	/* In a loop the stack may grow or shrink without end, and overwrite anything. */
	memset(to->slot, 0, sizeof(to->slot));
	return true;
}

bool flow_may_return(const struct flow_state *s)
{
	flow_value sp = s->reg[ARCH_DWARF_SP], fp = s->reg[ARCH_DWARF_FP];

	return (!sp || sp == RETURN_SLOT) && !is_stack(fp);
}

bool flow_uses_callers(const struct flow_state *s, const struct stack_effect *e)
{
	for (u32 left = e->uses & stack_effect_kept; left; left &= left - 1) {
		u8 reg = (u8)__builtin_ctz(left);

		if (s->reg[reg] == flow_make(FLOW_CALLERS, reg))
			return true;
	}
	return false;
}

bool flow_is_at_return(const struct flow_state *s)
{
	return s->reg[ARCH_DWARF_SP] == RETURN_SLOT;
}

/* ---- rules ---- */

static s64 slot_from_cfa(const struct flow_state *s, u8 callers)
{
	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at; i++)
		if (s->slot[i].value == flow_make(FLOW_CALLERS, callers) &&
		    flow_kind_of(s->slot[i].at) == FLOW_CFA)
			return flow_number(s->slot[i].at);
	return 0;
}

static bool fits_s16(s64 v)
{
	return v == (s16)v;
}

/* Finds the CFA in a word of the stack, at a known distance from `reg`. */
static bool cfa_in_slot(const struct flow_state *s, u8 reg, struct unwind_rule *rule)
{
	flow_value base = s->reg[reg];

	if (!is_stack(base))
		return false;
	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at; i++) {
		const struct flow_slot *at = &s->slot[i];

		if (flow_kind_of(at->value) != FLOW_CFA ||
		    flow_kind_of(at->at) != flow_kind_of(base) || !fits_s16(flow_number(at->value)))
			continue;
		rule->cfa = reg == ARCH_DWARF_SP ? UNWIND_CFA_SP_DEREF : UNWIND_CFA_FP_DEREF;
		rule->cfa_off = flow_number(at->at) - flow_number(base);
		rule->cfa_add = (s16)-flow_number(at->value);
		return true;
	}
	return false;
}

static bool rule_cfa(const struct flow_state *s, struct unwind_rule *rule)
{
	if (flow_kind_of(s->reg[ARCH_DWARF_SP]) == FLOW_CFA) {
		rule->cfa = UNWIND_CFA_SP;
		rule->cfa_off = -flow_number(s->reg[ARCH_DWARF_SP]);
		return true;
	}
	if (flow_kind_of(s->reg[ARCH_DWARF_FP]) == FLOW_CFA) {
		rule->cfa = UNWIND_CFA_FP;
		rule->cfa_off = -flow_number(s->reg[ARCH_DWARF_FP]);
		return true;
	}
	if (cfa_in_slot(s, ARCH_DWARF_SP, rule) || cfa_in_slot(s, ARCH_DWARF_FP, rule))
		return true;
	for (u8 i = 0; i < ARCH_USER_REGS; i++) {
		/* The register that walks track comes first. */
		u8 reg = i ? i - (i <= ARCH_DWARF_CALLEE) : ARCH_DWARF_CALLEE;

		if (flow_kind_of(s->reg[reg]) != FLOW_CFA)
			continue;
		rule->cfa = UNWIND_CFA_REG;
		rule->cfa_reg = reg;
		rule->cfa_off = -flow_number(s->reg[reg]);
		return true;
	}
	return false;
}

static bool rule_ra(const struct flow_state *s, struct unwind_rule *rule)
{
	flow_value ra = flow_make(FLOW_CALLERS, ARCH_DWARF_RA);

	rule->ra_off = -WORD;
	if (slot_value(s, RETURN_SLOT) == ra &&
	    !(rule->cfa == UNWIND_CFA_SP && rule->cfa_off < WORD))
		return true;
	rule->ra = UNWIND_RA_REG;
	for (u8 i = 0; i < ARCH_USER_REGS; i++) {
		rule->ra_off = i;
		if (s->reg[i] == ra)
			return true;
	}
	return false;
}

static void rule_saved(const struct flow_state *s, struct unwind_rule *rule)
{
	s64 fp = slot_from_cfa(s, ARCH_DWARF_FP), callee = slot_from_cfa(s, ARCH_DWARF_CALLEE);

	rule->fp = UNWIND_FP_UNDEFINED;
	if (s->reg[ARCH_DWARF_FP] == flow_make(FLOW_CALLERS, ARCH_DWARF_FP)) {
		rule->fp = UNWIND_FP_SAME;
	} else if (fp && fits_s16(fp)) {
		rule->fp = UNWIND_FP_CFA;
		rule->fp_off = (s16)fp;
	}
	rule->callee_off = UNWIND_CALLEE_LOST;
	if (s->reg[ARCH_DWARF_CALLEE] == flow_make(FLOW_CALLERS, ARCH_DWARF_CALLEE))
		rule->callee_off = UNWIND_CALLEE_SAME;
	else if (callee && fits_s16(callee))
		rule->callee_off = (s16)callee;
}

/*
 * Start-up code and new threads mark the outermost frame with a frame pointer of 0 (System V ABI,
 * 3.4.1). Other code that uses the register for a 0 has saved it.
 */
static bool is_outermost(const struct flow_state *s)
{
	flow_value sp = s->reg[ARCH_DWARF_SP];

	for (u32 i = 0; i < FLOW_SLOTS && s->slot[i].at; i++)
		if (s->slot[i].value == flow_make(FLOW_CALLERS, ARCH_DWARF_FP))
			return false;
	return s->reg[ARCH_DWARF_FP] == flow_make(FLOW_NUMBER, 0) &&
	       (flow_kind_of(sp) == FLOW_ALIGNED ||
		(flow_kind_of(sp) == FLOW_CFA && flow_number(sp) >= 0));
}

struct unwind_rule flow_rule(const struct flow_state *s)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_NONE};

	if (is_outermost(s))
		return (struct unwind_rule){.cfa = UNWIND_CFA_STOP};
	if (rule_cfa(s, &rule) && rule_ra(s, &rule)) {
		rule_saved(s, &rule);
		return rule;
	}
	return (struct unwind_rule){.cfa = UNWIND_CFA_NONE};
}
