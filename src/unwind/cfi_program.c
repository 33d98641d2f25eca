/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the instructions of one CIE or FDE. Rules for registers other than the frame pointer,
 * ARCH_DWARF_CALLEE and the return address are skipped, because the unwinder does not use them.
 */
#include "unwind/cfi_program.h"

#include <dwarf.h>

#include "arch/call_frames.h"

#define REMEMBER_MAX 32 /* nesting of DW_CFA_remember_state; compilers use 1 */

#define HIGH_BITS 0xc0
#define LOW_BITS 0x3f

struct machine {
	const struct cfi_program_env *env;
	const struct cfi_state *initial;
	struct cursor code;
	struct cfi_state state;
	struct cfi_state remembered[REMEMBER_MAX];
	unsigned int depth;
	bool broken;

	/* for an FDE only */
	const struct cfi_visitor *visitor; /* NULL in a CIE */
	struct cfi_stats *stats;
	u64 loc, end;
	struct unwind_rule last; /* the last row that was passed to the visitor */
	bool has_last, changed, ended;
	int ret;
};

/* ---- rows ------------------------------------------------------------------------------------ */

static void hand_out(struct machine *m, const struct unwind_rule *rule)
{
	m->changed = false;
	if (m->has_last && !memcmp(rule, &m->last, sizeof(*rule)))
		return;
	m->last = *rule;
	m->has_last = true;
	m->stats->rows++;
	m->stats->unsupported_rows += rule->cfa == UNWIND_CFA_NONE;
	m->ret = m->visitor->row(m->visitor->arg, m->loc, rule);
	m->ended |= m->ret != 0;
}

static inline void end_row(struct machine *m)
{
	struct unwind_rule rule;

	if (!m->changed)
		return;
	rule = cfi_state_rule(&m->state, m->env->signal_frame);
	hand_out(m, &rule);
}

static void advance_to(struct machine *m, u64 loc)
{
	if (!m->visitor || loc < m->loc) {
		m->broken = true;
		return;
	}
	if (loc == m->loc)
		return;
	end_row(m);
	m->loc = loc;
	m->ended |= loc >= m->end;
}

static inline void advance(struct machine *m, u64 delta)
{
	u64 loc;

	if (__builtin_mul_overflow(delta, m->env->code_align, &delta) ||
	    __builtin_add_overflow(m->loc, delta, &loc))
		m->broken = true;
	else
		advance_to(m, loc);
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* Nearly all numbers here have one byte, so that case is inlined. */
static inline u64 uleb(struct cursor *c)
{
	if (c->pos < c->end && !(*c->pos & 0x80))
		return *c->pos++;
	return cursor_uleb(c);
}

static inline s64 factored(const struct machine *m, u64 n)
{
	return (s64)(n * (u64)m->env->data_align);
}

static inline struct cfi_place *place_of(struct machine *m, u64 reg)
{
	if (reg == ARCH_DWARF_FP)
		return &m->state.fp;
	if (reg == ARCH_DWARF_CALLEE)
		return &m->state.callee;
	return reg == m->env->ra_reg ? &m->state.ra : NULL;
}

static inline void set_place(struct machine *m, u64 reg, struct cfi_place place)
{
	struct cfi_place *p = place_of(m, reg);

	if (!p)
		return;
	*p = place;
	m->changed = true;
}

static inline void set_at_cfa(struct machine *m, u64 reg, s64 off)
{
	set_place(m, reg, (struct cfi_place){.kind = CFI_PLACE_AT_CFA, .off = off});
}

static void restore(struct machine *m, u64 reg)
{
	if (!m->initial)
		m->broken = true;
	else if (reg == ARCH_DWARF_FP)
		set_place(m, reg, m->initial->fp);
	else if (reg == ARCH_DWARF_CALLEE)
		set_place(m, reg, m->initial->callee);
	else if (reg == m->env->ra_reg)
		set_place(m, reg, m->initial->ra);
}

static void set_cfa(struct machine *m, u64 reg, s64 off)
{
	m->state.cfa = (struct cfi_value){
		.kind = CFI_VALUE_REG, .reg = reg > UINT32_MAX ? UINT32_MAX : (u32)reg, .off = off};
	m->changed = true;
}

/* Only a CFA that is a register plus an offset can have one of the two replaced. */
static void change_cfa(struct machine *m, const u64 *reg, const s64 *off)
{
	const struct cfi_value *cfa = &m->state.cfa;

	if (cfa->kind == CFI_VALUE_REG)
		set_cfa(m, reg ? *reg : cfa->reg, off ? *off : cfa->off);
	else
		m->broken = true;
}

static struct bytes take_block(struct machine *m)
{
	u64 len = uleb(&m->code);
	const u8 *data = cursor_take(&m->code, len);

	return data ? (struct bytes){data, len} : (struct bytes){0};
}

/* The register is saved at the address that the expression yields. */
static struct cfi_place place_at(struct bytes expr)
{
	struct cfi_value v = cfi_expression(expr, true);

	if (v.kind == CFI_VALUE_CFA)
		return (struct cfi_place){.kind = CFI_PLACE_AT_CFA, .off = v.off};
	if (v.kind == CFI_VALUE_REG)
		return (struct cfi_place){.kind = CFI_PLACE_AT_REG, .reg = v.reg, .off = v.off};
	return (struct cfi_place){.kind = CFI_PLACE_UNKNOWN};
}

/* The register has the value that the expression yields. */
static struct cfi_place place_holding(struct bytes expr)
{
	struct cfi_value v = cfi_expression(expr, true);

	if (v.kind == CFI_VALUE_MEM && !v.add)
		return (struct cfi_place){.kind = CFI_PLACE_AT_REG, .reg = v.reg, .off = v.off};
	if (v.kind == CFI_VALUE_MEM_CFA && !v.add)
		return (struct cfi_place){.kind = CFI_PLACE_AT_CFA, .off = v.off};
	if (v.kind == CFI_VALUE_REG && !v.off)
		return (struct cfi_place){.kind = CFI_PLACE_IN_REG, .reg = v.reg};
	return (struct cfi_place){.kind = CFI_PLACE_UNKNOWN};
}

static void remember(struct machine *m)
{
	if (m->depth == REMEMBER_MAX)
		m->broken = true;
	else
		m->remembered[m->depth++] = m->state;
}

static void restore_state(struct machine *m)
{
	if (!m->depth) {
		m->broken = true;
		return;
	}
	m->state = m->remembered[--m->depth];
	m->changed = true;
}

static void set_loc(struct machine *m)
{
	u64 loc;

	if (cfi_pointer_read(&m->env->pointer, &m->code, &loc))
		advance_to(m, loc);
	else
		m->broken = true;
}

static bool run_location(struct machine *m, u8 op)
{
	switch (op) {
	case DW_CFA_set_loc:
		set_loc(m);
		return true;
	case DW_CFA_advance_loc1:
		advance(m, cursor_u8(&m->code));
		return true;
	case DW_CFA_advance_loc2:
		advance(m, cursor_u16(&m->code));
		return true;
	case DW_CFA_advance_loc4:
		advance(m, cursor_u32(&m->code));
		return true;
	case DW_CFA_MIPS_advance_loc8:
		advance(m, cursor_u64(&m->code));
		return true;
	default:
		return false;
	}
}

static bool run_cfa(struct machine *m, u8 op)
{
	u64 reg;
	s64 off;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = uleb(&m->code);
		set_cfa(m, reg, (s64)uleb(&m->code));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = uleb(&m->code);
		set_cfa(m, reg, factored(m, (u64)cursor_sleb(&m->code)));
		return true;
	case DW_CFA_def_cfa_register:
		reg = uleb(&m->code);
		change_cfa(m, &reg, NULL);
		return true;
	case DW_CFA_def_cfa_offset:
		off = (s64)uleb(&m->code);
		change_cfa(m, NULL, &off);
		return true;
	case DW_CFA_def_cfa_offset_sf:
		off = factored(m, (u64)cursor_sleb(&m->code));
		change_cfa(m, NULL, &off);
		return true;
	case DW_CFA_def_cfa_expression:
		m->state.cfa = cfi_expression(take_block(m), false);
		m->changed = true;
		return true;
	default:
		return false;
	}
}

static bool run_register(struct machine *m, u8 op)
{
	u64 reg = uleb(&m->code), other;

	switch (op) {
	case DW_CFA_undefined:
		set_place(m, reg, (struct cfi_place){.kind = CFI_PLACE_UNDEFINED});
		return true;
	case DW_CFA_same_value:
		set_place(m, reg, (struct cfi_place){.kind = CFI_PLACE_SAME});
		return true;
	case DW_CFA_register:
		other = uleb(&m->code);
		set_place(m, reg,
			  (struct cfi_place){.kind = CFI_PLACE_IN_REG,
					     .reg = other > UINT32_MAX ? UINT32_MAX : (u32)other});
		return true;
	case DW_CFA_offset_extended:
		set_at_cfa(m, reg, factored(m, uleb(&m->code)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_at_cfa(m, reg, factored(m, (u64)cursor_sleb(&m->code)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_at_cfa(m, reg, factored(m, 0 - uleb(&m->code)));
		return true;
	case DW_CFA_restore_extended:
		restore(m, reg);
		return true;
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		cursor_uleb(&m->code);
		set_place(m, reg, (struct cfi_place){.kind = CFI_PLACE_UNKNOWN});
		return true;
	case DW_CFA_expression:
		set_place(m, reg, place_at(take_block(m)));
		return true;
	case DW_CFA_val_expression:
		set_place(m, reg, place_holding(take_block(m)));
		return true;
	default:
		return false;
	}
}

static void run_extended(struct machine *m, u8 op)
{
	switch (op) {
	case DW_CFA_nop:
		return;
	case DW_CFA_GNU_args_size: /* This only concerns exception handling. */
		uleb(&m->code);
		return;
	case DW_CFA_remember_state:
		remember(m);
		return;
	case DW_CFA_restore_state:
		restore_state(m);
		return;
	}
	if (!run_cfa(m, op) && !run_location(m, op) && !run_register(m, op))
		m->broken = true;
}

static void run(struct machine *m)
{
	while (cursor_left(&m->code) && !m->ended && !m->broken) {
		u8 op = cursor_u8(&m->code);

		switch (op & HIGH_BITS) {
		case DW_CFA_advance_loc:
			advance(m, op & LOW_BITS);
			break;
		case DW_CFA_offset:
			set_at_cfa(m, op & LOW_BITS, factored(m, uleb(&m->code)));
			break;
		case DW_CFA_restore:
			restore(m, op & LOW_BITS);
			break;
		default:
			run_extended(m, op);
		}
		m->broken |= m->code.bad;
	}
}

/* Returns the ABI's state at a call, which applies if the CIE does not set it. */
static struct cfi_state at_entry(const struct cfi_program_env *env)
{
	const struct arch_entry_frame *frame = &arch_entry_frame;
	struct cfi_state s = {
		.cfa = {.kind = CFI_VALUE_REG, .reg = ARCH_DWARF_SP, .off = frame->cfa_off},
		.ra = {.kind = CFI_PLACE_AT_CFA, .off = frame->ra_off},
	};

	if (frame->ra_in_register)
		s.ra = (struct cfi_place){.kind = CFI_PLACE_IN_REG, .reg = env->ra_reg};
	return s;
}

bool cfi_program_initial(const struct cfi_program_env *env, struct cursor code,
			 struct cfi_state *out)
{
	const struct cfi_state entry = at_entry(env);
	struct machine m;

	m.env = env;
	m.initial = &entry;
	m.code = code;
	m.state = entry;
	m.depth = 0;
	m.broken = m.ended = m.changed = false;
	m.visitor = NULL;
	m.loc = 0;
	run(&m);
	*out = m.state;
	return !m.broken;
}

int cfi_program_run(const struct cfi_program_env *env, const struct cfi_state *initial,
		    struct cursor code, const struct cfi_fde *fde, const struct cfi_visitor *v,
		    struct cfi_stats *stats)
{
	static const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	/* It is not cleared as a whole, because the remembered states take 2 KiB. */
	struct machine m;

	m.env = env;
	m.initial = initial;
	m.code = code;
	m.state = *initial;
	m.depth = 0;
	m.broken = m.ended = m.has_last = false;
	m.changed = true;
	m.visitor = v;
	m.stats = stats;
	m.loc = fde->start;
	m.end = fde->end;
	m.ret = 0;
	run(&m);
	if (m.broken) {
		stats->broken_entries++;
		if (!m.ended)
			hand_out(&m, &none);
	} else if (!m.ended) {
		end_row(&m);
	}
	return m.ret;
}
