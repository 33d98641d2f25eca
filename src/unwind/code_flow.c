/* SPDX-License-Identifier: Apache-2.0 */
/* Follows code through branches: see code_flow.h. */
#include "unwind/code_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/code_flow_impl.h"

#define DECODE_STEPS 200
#define TABLE_MAX 4096u
#define UNBOUNDED_MAX 64u /* entries of a table whose end is not known */
#define UNBOUNDED_REACH 0x8000u /* of jumps through it */

static void set_mark(struct code_flow *c, u32 *mark, u32 value)
{
	c->ended |= !code_marks_set(&c->marks, mark, value);
}

static u32 mark_at(struct code_flow *c, u64 vaddr)
{
	return code_marks_at(&c->marks, vaddr);
}

static u32 *take_mark(struct code_flow *c, u64 vaddr)
{
	u32 *mark = code_marks_take(&c->marks, vaddr);

	c->ended |= !mark && code_marks_range(&c->marks, vaddr);
	return mark;
}

static const struct flow_state *state_at(const struct code_flow *c, u32 number)
{
	return flow_states_at(&c->states, number);
}

static u32 state_number(struct code_flow *c, const struct flow_state *s)
{
	u32 number = flow_states_number(&c->states, s);

	c->ended |= !number;
	return number;
}

/* ---- control flow ---------------------------------------------------------------------------- */

/* A function that is known may keep its stack in a way that is not understood everywhere. */
static void disagree(struct code_flow *c)
{
	c->contradiction |= c->guessing;
}

/* The beginning of a function that is known has the state of an entry, whatever leads to it. */
static bool is_entry(struct code_flow *c, u64 vaddr)
{
	return mark_at(c, vaddr) & MARK_EXPECTED;
}

/*
 * Control comes to `vaddr` with a state. It is true if the instruction there has to be looked at.
 */
static bool arrive(struct code_flow *c, u64 vaddr, u32 number)
{
	u32 *mark = take_mark(c, vaddr), old, merged;
	struct flow_state s;

	if (!mark || !number)
		return false;
	old = MARK_STATE(*mark);
	if (!old) {
		set_mark(c, mark, *mark | MARK(number, 0, 0));
		return true;
	}
	s = *state_at(c, old);
	if (flow_meet(&s, state_at(c, number)))
		disagree(c);
	else if (*mark & MARK_KEPT && s.reg[ARCH_DWARF_SP])
		c->confirmed = true;
	if (old == number)
		return false;
	merged = state_number(c, &s);
	if (!merged || merged == old)
		return false;
	set_mark(c, mark, MARK(merged, MARK_LENGTH(*mark), *mark & 15));
	return true;
}

/* It is false if there is a function with another state. */
static bool fits_entry(struct code_flow *c, u64 vaddr, u32 state)
{
	struct flow_state s = *state_at(c, state);
	struct flow entry;

	if (!is_entry(c, vaddr))
		return true;
	flow_enter(&entry, c->bias);
	return !flow_meet(&s, &entry.s);
}

static void branch_to(struct code_flow *c, u64 vaddr, u32 state)
{
	if (!code_marks_range(&c->marks, vaddr)) {
		if (!flow_may_return(state_at(c, state)))
			disagree(c);
		c->confirmed |= flow_is_at_return(state_at(c, state));
		return;
	}
	if (!fits_entry(c, vaddr, state))
		disagree(c);
	else if (arrive(c, vaddr, state) && vec_push(&c->work, vaddr))
		c->ended = true;
}

static void push_pending(struct code_flow *c, const struct pending *p)
{
	if (!is_entry(c, p->vaddr) && code_marks_range(&c->marks, p->vaddr) &&
	    vec_push(&c->pending, *p))
		c->ended = true;
}

static int compare_pending(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;

	return (x->vaddr < y->vaddr) - (x->vaddr > y->vaddr);
}

/* The lowest address is taken first. */
static void order_pending(struct code_flow *c, size_t from)
{
	size_t n = c->pending.len - from;

	if (n > 1)
		qsort(&c->pending.data[from], n, sizeof(struct pending), compare_pending);
}

static bool table_entry(struct code_flow *c, enum flow_kind kind, u64 table, u32 i, u64 *target)
{
	u32 size = kind == FLOW_TARGET ? 4 : 8;
	struct bytes b = file_image_at(c->image, table + (u64)i * size);
	s32 distance;

	if (b.len < size)
		return false;
	if (size == 8) {
		memcpy(target, b.data, size);
		return true;
	}
	memcpy(&distance, b.data, size);
	*target = table + (u64)(s64)distance;
	return true;
}

static u64 table_key(u64 vaddr)
{
	return (vaddr + 1) * 0x9e3779b97f4a7c15ull;
}

/* A table ends where another one begins, which may have been found only later. */
static bool is_behind_table(const struct code_flow *c, const struct pending *p)
{
	for (u32 i = 1; p->by_table && i <= p->entry; i++)
		if (u64_set_has(&c->tables, table_key(p->table + (u64)i * p->entry_bytes)))
			return true;
	return false;
}

/*
 * Hand-written code does not check what it looks up. Then the table ends somewhere before an entry
 * that leads too far away, and where the others lead is a guess.
 */
static void guess_table(struct code_flow *c, enum flow_kind kind, u64 table, u64 from, u32 state)
{
	u64 target;

	for (u32 i = 0; i < UNBOUNDED_MAX && table_entry(c, kind, table, i, &target); i++) {
		if (target + UNBOUNDED_REACH < from || target > from + UNBOUNDED_REACH)
			break;
		push_pending(c, &(struct pending){.vaddr = target,
						  .state = state,
						  .by_table = true,
						  .entry_bytes = kind == FLOW_TARGET ? 4 : 8,
						  .entry = i,
						  .table = table});
	}
}

static void follow_table(struct code_flow *c, const struct flow *f, u64 from, u32 state)
{
	enum flow_kind kind;
	u64 table, target;
	u32 entries;

	if (!flow_jump_table(f, &kind, &table, &entries) || entries > TABLE_MAX ||
	    !budget_take(c->budget, BUDGET_CODE, 1000 + entries * 20ull)) {
		c->stats.unknown_jumps++;
		return;
	}
	c->stats.tables++;
	u64_set_add(&c->tables, table_key(table));
	if (!entries)
		guess_table(c, kind, table, from, state);
	for (u32 i = 0; i < entries && table_entry(c, kind, table, i, &target); i++)
		if (code_marks_range(&c->marks, target))
			branch_to(c, target, state);
}

static void note_call(struct code_flow *c, u64 target)
{
	u32 mark = mark_at(c, target);

	if (!code_marks_range(&c->marks, target) || mark & MARK_FOLLOWED)
		return;
	if (vec_push(&c->called, target))
		c->ended = true;
}

static bool decode(struct code_flow *c, u64 vaddr, struct stack_effect *e)
{
	const struct code_range *r = code_marks_range(&c->marks, vaddr);
	struct bytes code = r ? file_image_at(c->image, vaddr) : (struct bytes){0};

	if (c->ended || !c->allowed || !budget_take(c->budget, BUDGET_CODE, DECODE_STEPS)) {
		c->ended = true;
		return false;
	}
	c->allowed--;
	if (r && code.len > r->end - vaddr)
		code.len = r->end - vaddr;
	c->stats.instructions++;
	return stack_effect_decode(code, vaddr, e);
}

/* A call that is the last instruction of a function does not return. If it is not certain that
 * another one begins there, there must be padding between them. */
static void follow_call(struct code_flow *c, const struct stack_effect *e, u64 next, u32 state)
{
	struct stack_effect after;
	u64 at = next;

	if (e->has_target)
		note_call(c, e->target);
	while (!is_entry(c, at) && decode(c, at, &after) && after.is_padding)
		at += after.length;
	if (!is_entry(c, at) && (at == next || !(mark_at(c, at) & MARK_LIKELY)))
		push_pending(c, &(struct pending){.vaddr = next, .state = state});
}

/* Leaves the instruction; it is true if the next one is to be looked at with the same flow. */
static bool leave(struct code_flow *c, const struct flow *f, const struct stack_effect *e, u64 next,
		  u32 state)
{
	switch (e->flow) {
	case FLOW_RETURN:
		c->contradiction |= !flow_may_return(&f->s);
		c->confirmed |= flow_is_at_return(&f->s);
		return false;
	case FLOW_JUMP:
		branch_to(c, e->target, state);
		if (flow_is_at_return(&f->s)) /* It may be a tail call. */
			code_flow_expect(c, e->target, CODE_START_LIKELY);
		return false;
	case FLOW_BRANCH:
		branch_to(c, e->target, state);
		return true;
	case FLOW_INDIRECT:
		follow_table(c, f, next, state);
		c->confirmed |= e->by_slot && flow_is_at_return(&f->s);
		return false;
	case FLOW_CALL:
		follow_call(c, e, next, state);
		return false;
	case FLOW_STOP:
		return false;
	default:
		return true;
	}
}

static void apply(struct code_flow *c, u64 vaddr, struct flow *f, const struct stack_effect *e)
{
	u8 kept = call_changes_look(&c->calls, vaddr, &f->s, e);
	flow_value cfa = kept < ARCH_USER_REGS ? f->s.reg[kept] : FLOW_UNKNOWN;

	flow_apply(f, e);
	if (kept < ARCH_USER_REGS)
		f->s.reg[kept] = cfa;
}

/* Looks at the instructions from `vaddr` on that follow each other. */
static void follow_line(struct code_flow *c, u64 vaddr)
{
	u32 number = MARK_STATE(mark_at(c, vaddr));
	struct stack_effect e;
	struct flow f;

	if (!number)
		return;
	flow_resume(&f, c->bias, state_at(c, number));
	while (!c->contradiction) {
		u32 *mark = take_mark(c, vaddr);

		if (!mark || !decode(c, vaddr, &e)) {
			c->contradiction = true;
			return;
		}
		if (code_marks_overlap(&c->marks, vaddr, e.length) ||
		    (!c->sure && flow_uses_callers(&f.s, &e)))
			disagree(c);
		if (MARK_LENGTH(*mark) != e.length)
			set_mark(c, mark, MARK(MARK_STATE(*mark), e.length, *mark & 15));
		apply(c, vaddr, &f, &e);
		if (memcmp(&f.s, state_at(c, number), sizeof(f.s)) != 0)
			number = state_number(c, &f.s);
		vaddr += e.length;
		if (!number || !leave(c, &f, &e, vaddr, number))
			return;
		if (e.flow == FLOW_BRANCH)
			flow_not_taken(&f, &e);
		if (is_entry(c, vaddr)) {
			branch_to(c, vaddr, number);
			return;
		}
		if (!arrive(c, vaddr, number))
			return;
		if (MARK_STATE(mark_at(c, vaddr)) == number)
			continue;
		/* Another path has come here with another state. */
		number = MARK_STATE(mark_at(c, vaddr));
		flow_resume(&f, c->bias, state_at(c, number));
	}
}

static void follow_work(struct code_flow *c)
{
	while (c->work.len && !c->contradiction && !c->ended)
		follow_line(c, c->work.data[--c->work.len]);
	c->work.len = 0;
}

/* ---- guesses --------------------------------------------------------------------------------- */

static u64 failure_key(const struct pending *p)
{
	return p->vaddr * 0x9e3779b97f4a7c15ull + p->state * 0xd6e8feb86659fd93ull + 1;
}

/* Takes back what was found since. */
static void drop(struct code_flow *c, const struct attempt *a)
{
	code_marks_undo(&c->marks, a->changes);
	c->called.len = a->called;
	c->pending.len = a->pending;
	c->stats.dropped++;
	u64_set_add(&c->failures, failure_key(&a->from));
}

/* Nothing of this is taken back any more. */
static void keep(struct code_flow *c, const struct attempt *a)
{
	code_marks_flag(&c->marks, a->changes, MARK_KEPT);
}

/* What the last attempt follows from is right if it is, except that tables are guesses of their
 * own. */
static void confirm(struct code_flow *c)
{
	size_t i = c->attempts.len - 1, first = i;

	for (c->attempts.data[i].confirmed = true; i && !c->attempts.data[i].from.by_table; i--) {
		if (!c->attempts.data[i - 1].confirmed)
			first = i - 1;
		c->attempts.data[i - 1].confirmed = true;
	}
	keep(c, &c->attempts.data[first]);
}

/*
 * Follows `vaddr` and everything that is certain to follow from it, without what follows calls,
 * which is attempted afterwards. It is false, and without effect, if there is a contradiction.
 */
static bool begin_attempt(struct code_flow *c, const struct pending *from)
{
	struct attempt a = {.from = *from,
			    .changes = c->marks.changes.len,
			    .called = c->called.len,
			    .pending = c->pending.len};

	c->contradiction = c->confirmed = false;
	branch_to(c, from->vaddr, from->state);
	follow_work(c);
	a.confirmed = c->confirmed;
	if (c->contradiction || vec_push(&c->attempts, a)) {
		drop(c, &a);
		return false;
	}
	order_pending(c, a.pending);
	if (a.confirmed)
		confirm(c);
	return true;
}

/*
 * An attempt that nothing has confirmed is dropped: all that it led to are other calls, and what
 * followed them made no sense. What follows calls of a function that is known is dropped only if
 * something did not make sense.
 */
static bool end_attempt(struct code_flow *c, enum code_start how)
{
	struct attempt a = c->attempts.data[--c->attempts.len];
	struct attempt *before = c->attempts.len ? &c->attempts.data[c->attempts.len - 1] : NULL;
	bool good = a.confirmed || (how != CODE_START_GUESS && (!before || !a.failed));

	if (!good)
		drop(c, &a);
	else if (!before)
		keep(c, &a);
	if (before && !a.from.by_table)
		before->failed |= !good;
	return good;
}

/* Follows a function, and what follows its calls from the lowest address on, because code that
 * seldom runs is mostly last. */
static bool attempt(struct code_flow *c, const struct pending *entry, enum code_start how)
{
	bool good = false;

	c->sure = how == CODE_START_SURE;
	c->guessing = !c->sure;
	if (!begin_attempt(c, entry))
		return false;
	if (c->sure)
		keep(c, &c->attempts.data[0]);
	c->guessing = true;
	while (c->attempts.len && !c->ended) {
		struct attempt *a = &c->attempts.data[c->attempts.len - 1];
		struct pending p;

		if (c->pending.len == a->pending) {
			good = end_attempt(c, how);
			continue;
		}
		p = c->pending.data[--c->pending.len];
		if (is_behind_table(c, &p))
			continue;
		if (u64_set_has(&c->failures, failure_key(&p)) || !begin_attempt(c, &p))
			c->attempts.data[c->attempts.len - 1].failed |= !p.by_table;
	}
	while (c->attempts.len) /* It has ended before it was known whether they are right. */
		drop(c, &c->attempts.data[--c->attempts.len]);
	return good;
}

static bool follow_entry(struct code_flow *c, u64 vaddr, enum code_start how)
{
	u32 *mark = take_mark(c, vaddr);
	size_t called = c->called.len;
	struct pending entry;
	struct flow f;
	bool good;

	if (!mark || *mark & MARK_FOLLOWED)
		return false;
	c->stats.functions++;
	*mark |= MARK_FOLLOWED | (how == CODE_START_SURE ? MARK_EXPECTED : 0);
	flow_enter(&f, c->bias);
	c->marks.changes.len = c->pending.len = c->attempts.len = 0;
	entry = (struct pending){.vaddr = vaddr, .state = state_number(c, &f.s)};
	good = attempt(c, &entry, how);
	for (size_t i = called; i < c->called.len; i++)
		code_flow_expect(c, c->called.data[i], CODE_START_SURE);
	return good;
}

void code_flow_expect(struct code_flow *c, u64 vaddr, enum code_start how)
{
	code_marks_start(&c->marks, vaddr, how);
}

void code_flow_starts(struct code_flow *c, const struct code_start_at *starts, size_t n)
{
	code_marks_starts(&c->marks, starts, n);
	c->alone = true;
}

void code_flow_allow(struct code_flow *c, u64 instructions)
{
	c->allowed = instructions;
	c->ended = false;
}

bool code_flow_has_ended(const struct code_flow *c)
{
	return c->ended;
}

bool code_flow_follow(struct code_flow *c, u64 vaddr, enum code_start how)
{
	bool good = follow_entry(c, vaddr, how);

	if (c->alone)
		c->called.len = 0;
	while (c->called.len && !c->ended)
		follow_entry(c, c->called.data[--c->called.len], CODE_START_SURE);
	return good;
}

/* ---- life ------------------------------------------------------------------------------------ */

int code_flow_new(struct file_image *image, struct budget *budget, const struct code_range *ranges,
		  size_t n, struct code_flow **out)
{
	struct code_flow *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->image = image;
	c->budget = budget;
	c->bias = n ? ranges[0].start : 0;
	c->allowed = UINT64_MAX;
	err = code_marks_init(&c->marks, budget, ranges, n);
	if (!err)
		err = flow_states_init(&c->states, budget);
	call_changes_init(&c->calls, image, &c->marks, budget);
	if (err) {
		code_flow_free(c);
		return err;
	}
	*out = c;
	return 0;
}

void code_flow_free(struct code_flow *c)
{
	if (!c)
		return;
	code_marks_release(&c->marks);
	flow_states_release(&c->states);
	u64_set_release(&c->failures);
	u64_set_release(&c->tables);
	call_changes_release(&c->calls);
	vec_release(&c->work);
	vec_release(&c->called);
	vec_release(&c->pending);
	vec_release(&c->attempts);
	free(c);
}
