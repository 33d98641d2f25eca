/* SPDX-License-Identifier: Apache-2.0 */
/* Compares code with call frame information: see code_truth.h. */
#include "code_truth.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "unit.h"
#include "unwind/code_met.h"
#include "unwind/code_rows.h"

struct row {
	u64 vaddr;
	struct unwind_rule rule;
};

struct comparison {
	struct elf_file *f;
	struct file_image *image;
	struct function_index index;
	struct code_flow
		*whole; /* of the whole file; NULL if functions are looked at by themselves */
	struct code_met *met; /* the whole file, little by little; otherwise NULL */
	VEC(struct row) rows; /* of the present function, as its FDE says */
	struct code_truth *out;
};

static int keep_row(void *arg, u64 vaddr, const struct unwind_rule *rule)
{
	struct comparison *c = arg;

	return vec_push(&c->rows, (struct row){vaddr, *rule});
}

static const struct unwind_rule *row_at(const struct comparison *c, u64 vaddr)
{
	size_t lo = 0, hi = c->rows.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->rows.data[mid].vaddr <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &c->rows.data[lo - 1].rule : NULL;
}

/* Returns the register that the CFA is computed from. */
static u8 base_of(const struct unwind_rule *rule)
{
	switch (rule->cfa) {
	case UNWIND_CFA_SP:
		return ARCH_DWARF_SP;
	case UNWIND_CFA_FP:
		return ARCH_DWARF_FP;
	case UNWIND_CFA_REG:
		return rule->cfa_reg;
	default:
		return EFFECT_NO_REG;
	}
}

/* ---- call frame information that cannot be true ---- */

/* Forgets everything except what the rule says. */
static void begin(struct flow *f, const struct unwind_rule *rule)
{
	struct flow_state s = {0};

	if (base_of(rule) != EFFECT_NO_REG)
		s.reg[base_of(rule)] = flow_make(FLOW_CFA, -rule->cfa_off);
	flow_resume(f, 0, &s);
}

static bool fits_rule(const struct flow *f, const struct unwind_rule *rule)
{
	u8 base = base_of(rule);

	return base == EFFECT_NO_REG || f->s.reg[base] == flow_make(FLOW_CFA, -rule->cfa_off);
}

static u32 decode(struct comparison *c, u64 vaddr, struct stack_effect *e)
{
	return stack_effect_decode(file_image_at(c->image, vaddr), vaddr, e) ? e->length : 0;
}

/* What follows a call or a jump may be reached from elsewhere. */
static bool fits_code(struct comparison *c, u64 start, u64 end)
{
	bool reached = false, padding = false;
	struct stack_effect e;
	struct flow f;
	u32 length;

	for (u64 at = start; at < end && (length = decode(c, at, &e)); at += length) {
		const struct unwind_rule *rule = row_at(c, at);

		if (reached && !fits_rule(&f, rule))
			return false;
		if (!reached || base_of(rule) == EFFECT_NO_REG)
			begin(&f, rule);
		padding = e.is_padding && (padding || (!reached && at > start));
		reached = (e.flow == FLOW_NEXT || e.flow == FLOW_BRANCH) && !padding;
		flow_apply(&f, &e);
	}
	return true;
}

/* ---- one instruction ---- */

static bool same_fp(const struct flow_state *s, const struct unwind_rule *have,
		    const struct unwind_rule *want)
{
	if (want->fp != UNWIND_FP_SAME && want->fp != UNWIND_FP_CFA)
		return true;
	if (have->fp == UNWIND_FP_UNDEFINED)
		return true;
	if (s->reg[ARCH_DWARF_FP] == flow_make(FLOW_CALLERS, ARCH_DWARF_FP))
		return true; /* it may be in both places */
	return want->fp == UNWIND_FP_CFA && have->fp == UNWIND_FP_CFA &&
	       have->fp_off == want->fp_off;
}

static bool same_cfa(const struct flow_state *s, const struct unwind_rule *have,
		     const struct unwind_rule *want)
{
	u8 base = base_of(want);

	if (base != EFFECT_NO_REG)
		return s->reg[base] == flow_make(FLOW_CFA, -want->cfa_off);
	return have->cfa == want->cfa && have->cfa_off == want->cfa_off &&
	       have->cfa_add == want->cfa_add;
}

static void compare_one(struct comparison *c, u64 vaddr, const struct flow_state *s)
{
	const struct unwind_rule *want = row_at(c, vaddr);
	struct unwind_rule have = flow_rule(s);

	if (have.cfa == UNWIND_CFA_NONE) {
		c->out->given_up++;
	} else if (!same_cfa(s, &have, want)) {
		c->out->wrong++;
		c->out->wrong_at = vaddr;
	} else {
		c->out->equal++;
		c->out->wrong_fp += !same_fp(s, &have, want);
		if (!same_fp(s, &have, want))
			c->out->wrong_at = vaddr;
	}
}

static void compare_code(struct comparison *c, struct code_flow *flow, u64 start, u64 end)
{
	struct stack_effect e;
	u32 length;

	for (u64 at = start; at < end && (length = decode(c, at, &e)); at += length) {
		const struct flow_state *s = code_flow_state(flow, at);

		if (s)
			compare_one(c, at, s);
		else
			c->out->given_up += !e.is_padding;
	}
}

/* ---- functions ---- */

static bool is_function(const struct unwind_rule *first)
{
	return first->cfa == UNWIND_CFA_SP && first->cfa_off == 8 && first->ra == UNWIND_RA_CFA &&
	       first->ra_off == -8;
}

/* What the rows of the part say is what the flow says, from which they were made. */
static void meet(struct comparison *c, u64 vaddr)
{
	struct code_part part;
	u64 off;

	CHECK(elf_file_vaddr_to_offset(c->f, vaddr, &off));
	CHECK_INT(code_met_follow(c->met, off, &part), 0);
	CHECK(part.rows.len && part.start <= off && off < part.end);
	CHECK_INT(part.rows.data[0].off, part.start);
	for (size_t i = 1; i < part.rows.len; i++)
		CHECK(part.rows.data[i - 1].off < part.rows.data[i].off);
	vec_release(&part.rows);
}

static void compare_function(struct comparison *c, const struct function_entry *e)
{
	const struct code_range range = {e->fde.start, e->fde.end};
	const struct cfi_visitor v = {.row = keep_row, .arg = c};
	struct code_flow *flow = c->whole;

	c->rows.len = 0;
	CHECK_INT(cfi_reader_run(c->index.readers[e->source], &e->fde, &v), 0);
	if (!c->rows.len || !is_function(&c->rows.data[0].rule)) {
		c->out->parts++;
		return;
	}
	c->out->functions++;
	if (!fits_code(c, range.start, range.end)) {
		c->out->contradicting++;
		return;
	}
	if (c->met)
		meet(c, range.start + (range.end - range.start) / 2);
	if (!flow) {
		CHECK_INT(code_flow_new(c->image, elf_file_budget(c->f), &range, 1, &flow), 0);
		code_flow_follow(flow, range.start, CODE_START_SURE);
	}
	compare_code(c, flow, range.start, range.end);
	if (!c->whole)
		code_flow_free(flow);
}

static size_t find_code(struct comparison *c, struct code_range *ranges, size_t most)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(c->f, &segments), used = 0;

	for (size_t i = 0; i < n && used < most; i++)
		if (segments[i].flags & PF_X)
			ranges[used++] = (struct code_range){
				segments[i].vaddr, segments[i].vaddr + segments[i].filesz};
	return used;
}

static void find_whole(struct comparison *c)
{
	struct code_range ranges[16];
	size_t n = find_code(c, ranges, ARRAY_LEN(ranges));

	CHECK_INT(code_rows_find(c->f, NULL, ranges, n, &c->whole), 0);
}

static void begin_meeting(struct comparison *c, int fd)
{
	struct code_range ranges[16];
	size_t n = find_code(c, ranges, ARRAY_LEN(ranges));
	struct elf_file *f;

	CHECK_INT(elf_file_open(fd, &f), 0);
	CHECK_INT(code_met_new_in(f, NULL, ranges, n, &c->met), 0);
	c->whole = code_met_flow(c->met);
}

struct code_truth code_truth_compare(const char *path, enum code_knowledge how)
{
	struct code_truth truth = {0};
	struct comparison c = {.out = &truth};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		unit_skip("no %s", path);
	CHECK_INT(elf_file_open(fd, &c.f), 0);
	budget_limit(elf_file_budget(c.f), 1ull << 60, 1ull << 40);
	CHECK_INT(file_image_new(c.f, &c.image), 0);
	CHECK_INT(function_index_init(&c.index, c.f, NULL), 0);
	if (how == CODE_KNOWS_SYMBOLS)
		find_whole(&c);
	if (how == CODE_IS_MET)
		begin_meeting(&c, fd);
	close(fd);
	vec_for_each(&c.index.entries, e)
		compare_function(&c, e);
	if (c.met)
		truth.decoded = code_met_followed(c.met);
	if (!c.met)
		code_flow_free(c.whole);
	code_met_free(c.met);
	file_image_free(c.image);
	function_index_release(&c.index);
	elf_file_free(c.f);
	vec_release(&c.rows);
	return truth;
}
