/* SPDX-License-Identifier: Apache-2.0 */
/* Call frame information written byte by byte: what each instruction means, and what is refused. */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "unit.h"
#include "unwind/cfi.h"

#define BASE 0x10000ull /* where the section is loaded */
#define START 0x1000ull
#define SIZE 0x100ull

struct builder {
	u8 data[4096];
	size_t len;
};

static void put(struct builder *b, const void *data, size_t len)
{
	CHECK(b->len + len <= sizeof(b->data));
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void put_u8(struct builder *b, u8 v)
{
	put(b, &v, 1);
}

static void put_u32(struct builder *b, u32 v)
{
	put(b, &v, 4);
}

static void put_u64(struct builder *b, u64 v)
{
	put(b, &v, 8);
}

/* Pads the entry that began at `from` with DW_CFA_nop and fills in its length. */
static void finish(struct builder *b, size_t from)
{
	u32 len;

	while ((b->len - from) % 4)
		put_u8(b, DW_CFA_nop);
	len = (u32)(b->len - from - 4);
	memcpy(b->data + from, &len, 4);
}

/* A CIE as gcc writes it: CFA = rsp + 8, return address at CFA - 8, absolute 8-byte pointers. */
static void put_cie(struct builder *b, const char *augmentation)
{
	static const u8 program[] = {DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
	size_t from = b->len;

	put_u32(b, 0);
	put_u32(b, 0); /* id */
	put_u8(b, 1);
	put(b, augmentation, strlen(augmentation) + 1);
	put_u8(b, 1); /* code alignment */
	put_u8(b, 0x78); /* data alignment -8 */
	put_u8(b, 16);
	if (augmentation[0] == 'z') {
		put_u8(b, (u8)(strchr(augmentation, 'R') != NULL));
		if (strchr(augmentation, 'R'))
			put_u8(b, DW_EH_PE_absptr);
	}
	put(b, program, sizeof(program));
	finish(b, from);
}

static void put_fde_header(struct builder *b, u64 start, u64 size)
{
	put_u32(b, 0);
	put_u32(b, (u32)b->len); /* back to the CIE at 0 */
	put_u64(b, start);
	put_u64(b, size);
	put_u8(b, 0); /* augmentation length */
}

static void put_fde(struct builder *b, u64 start, u64 size, const u8 *program, size_t len)
{
	size_t from = b->len;

	put_fde_header(b, start, size);
	put(b, program, len);
	finish(b, from);
}

struct seen {
	struct unwind_rule rules[64];
	u64 at[64];
	size_t rows, functions, signal_frames;
	u64 start, end;
};

static int see_function(void *arg, u64 start, u64 end, bool signal_frame)
{
	struct seen *s = arg;

	s->functions++;
	s->signal_frames += signal_frame;
	s->start = start;
	s->end = end;
	return 0;
}

static int see_row(void *arg, u64 vaddr, const struct unwind_rule *rule)
{
	struct seen *s = arg;

	CHECK(vaddr >= s->start && vaddr < s->end);
	if (s->rows < ARRAY_LEN(s->rules)) {
		s->rules[s->rows] = *rule;
		s->at[s->rows] = vaddr;
	}
	s->rows++;
	return 0;
}

static struct cfi_stats walk_bytes(enum cfi_kind kind, const u8 *data, size_t len, struct seen *s)
{
	struct cfi_section section = {.kind = kind, .data = {data, len}, .vaddr = BASE};
	struct cfi_visitor v = {.function = see_function, .row = see_row, .arg = s};
	struct cfi_stats stats;

	memset(s, 0, sizeof(*s));
	CHECK_INT(cfi_walk(&section, &v, &stats), 0);
	CHECK_INT(stats.rows, s->rows);
	CHECK_INT(stats.functions, s->functions);
	return stats;
}

static struct cfi_stats walk(const struct builder *b, struct seen *s)
{
	return walk_bytes(CFI_EH_FRAME, b->data, b->len, s);
}

/* Runs one FDE with these instructions after the usual CIE. */
static struct cfi_stats walk_program(const u8 *program, size_t len, struct seen *s)
{
	struct builder b = {.len = 0};

	put_cie(&b, "zR");
	put_fde(&b, START, SIZE, program, len);
	put_u32(&b, 0);
	return walk(&b, s);
}

#define WALK(seen, ...) \
	walk_program((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}), seen)

static void check_rule(const struct unwind_rule *have, struct unwind_rule want)
{
	CHECK_INT(have->cfa, want.cfa);
	CHECK_INT(have->cfa_off, want.cfa_off);
	CHECK_INT(have->cfa_reg, want.cfa_reg);
	CHECK_INT(have->cfa_add, want.cfa_add);
	CHECK_INT(have->fp, want.fp);
	CHECK_INT(have->fp_off, want.fp_off);
	CHECK_INT(have->ra, want.ra);
	CHECK_INT(have->ra_off, want.ra_off);
}

#define CHECK_RULE(have, ...) check_rule(&(have), (struct unwind_rule){__VA_ARGS__})

TEST(cfi, frame_pointer_function)
{
	struct seen s;
	struct cfi_stats stats = WALK(&s, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16,
				      DW_CFA_offset | 6, 2, DW_CFA_advance_loc | 3,
				      DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc1, 0x40,
				      DW_CFA_def_cfa, 7, 8, DW_CFA_restore | 6);

	CHECK_INT(s.functions, 1);
	CHECK_INT(s.start, START);
	CHECK_INT(s.end, START + SIZE);
	CHECK_INT(s.rows, 4);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8);
	CHECK_RULE(s.rules[1], .cfa = UNWIND_CFA_SP, .cfa_off = 16, .ra_off = -8,
		   .fp = UNWIND_FP_CFA, .fp_off = -16);
	CHECK_RULE(s.rules[2], .cfa = UNWIND_CFA_FP, .cfa_off = 16, .ra_off = -8,
		   .fp = UNWIND_FP_CFA, .fp_off = -16);
	CHECK_RULE(s.rules[3], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8);
	CHECK_INT(s.at[1], START + 1);
	CHECK_INT(s.at[2], START + 4);
	CHECK_INT(s.at[3], START + 0x44);
	CHECK_INT(stats.broken_entries, 0);
}

TEST(cfi, states_are_remembered_and_other_registers_stepped_over)
{
	struct seen s;

	WALK(&s, DW_CFA_offset | 15, 2, DW_CFA_remember_state, DW_CFA_advance_loc2, 4, 0,
	     DW_CFA_def_cfa_offset, 64, DW_CFA_GNU_args_size, 16, DW_CFA_undefined, 12,
	     DW_CFA_advance_loc4, 4, 0, 0, 0, DW_CFA_restore_state, DW_CFA_advance_loc | 1,
	     DW_CFA_same_value, 15, DW_CFA_offset_extended, 40, 2);
	CHECK_INT(s.rows, 3);
	CHECK_INT(s.rules[1].cfa_off, 64);
	CHECK_INT(s.rules[2].cfa_off, 8);
	CHECK_INT(s.at[2], START + 8);
}

TEST(cfi, large_and_signed_offsets)
{
	struct seen s;

	WALK(&s, DW_CFA_def_cfa_offset, 0x90, 0x80, 0x10, DW_CFA_offset_extended_sf, 6, 0x02,
	     DW_CFA_advance_loc | 1, DW_CFA_def_cfa_sf, 7, 0x70, DW_CFA_advance_loc | 1,
	     DW_CFA_def_cfa_offset_sf, 0x7f, DW_CFA_GNU_negative_offset_extended, 6, 3);
	CHECK_INT(s.rows, 3);
	CHECK_INT(s.rules[0].cfa_off, 0x40010);
	CHECK_INT(s.rules[0].fp_off, -16);
	CHECK_INT(s.rules[1].cfa_off, 128);
	CHECK_INT(s.rules[2].cfa_off, 8);
	CHECK_INT(s.rules[2].fp_off, 24);
}

TEST(cfi, a_cfa_beyond_32_bits_is_unsupported)
{
	struct seen s;
	struct cfi_stats stats;

	WALK(&s, DW_CFA_def_cfa_offset, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
	CHECK_INT(s.rows, 1);
	CHECK_INT(s.rules[0].cfa, UNWIND_CFA_SP); /* -1: the bits of it */
	stats = WALK(&s, DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x10);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_NONE);
	CHECK_INT(stats.unsupported_rows, 1);
}

TEST(cfi, realigned_stack)
{
	struct seen s;

	/* lea 8(%rsp),%r10; and $-32,%rsp; push -8(%r10); push %rbp; mov %rsp,%rbp; push %r10 */
	WALK(&s, DW_CFA_def_cfa, 10, 0, DW_CFA_advance_loc | 8, DW_CFA_expression, 6, 2,
	     DW_OP_breg6, 0, DW_CFA_advance_loc | 2, DW_CFA_def_cfa_expression, 3, DW_OP_breg6,
	     0x78, DW_OP_deref, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_expression, 5, DW_OP_breg7,
	     56, DW_OP_deref, DW_OP_plus_uconst, 8, DW_CFA_advance_loc | 1,
	     DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 56, DW_OP_deref, DW_OP_lit16, DW_OP_plus);
	CHECK_INT(s.rows, 5);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_REG, .cfa_reg = 10, .ra_off = -8);
	CHECK_RULE(s.rules[1], .cfa = UNWIND_CFA_REG, .cfa_reg = 10, .ra_off = -8,
		   .fp = UNWIND_FP_FP);
	CHECK_RULE(s.rules[2], .cfa = UNWIND_CFA_FP_DEREF, .cfa_off = -8, .ra_off = -8,
		   .fp = UNWIND_FP_FP);
	CHECK_RULE(s.rules[3], .cfa = UNWIND_CFA_SP_DEREF, .cfa_off = 56, .cfa_add = 8,
		   .ra_off = -8, .fp = UNWIND_FP_FP);
	CHECK_INT(s.rules[4].cfa_add, 16);
}

TEST(cfi, plt_expressions)
{
	struct seen s;

	WALK(&s, DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15,
	     DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus,
	     DW_CFA_advance_loc | 16, DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16,
	     0, DW_OP_lit15, DW_OP_and, DW_OP_lit10, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus);
	CHECK_INT(s.rows, 2);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_PLT, .cfa_off = 11, .ra_off = -8);
	CHECK_RULE(s.rules[1], .cfa = UNWIND_CFA_PLT, .cfa_off = 10, .ra_off = -8);
}

TEST(cfi, return_address_elsewhere)
{
	struct seen s;

	WALK(&s, DW_CFA_register, 16, 5, DW_CFA_advance_loc | 1, DW_CFA_undefined, 16,
	     DW_CFA_advance_loc | 1, DW_CFA_restore_extended, 16, DW_CFA_advance_loc | 1,
	     DW_CFA_expression, 16, 2, DW_OP_breg7, 16);
	CHECK_INT(s.rows, 4);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra = UNWIND_RA_REG,
		   .ra_off = 5);
	CHECK_RULE(s.rules[1], .cfa = UNWIND_CFA_STOP);
	CHECK_RULE(s.rules[2], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8);
	CHECK_RULE(s.rules[3], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = 8);
}

TEST(cfi, what_cannot_be_followed)
{
	struct seen s;
	struct cfi_stats stats;

	stats = WALK(&s, DW_CFA_val_expression, 6, 2, DW_OP_breg7, 0, DW_CFA_advance_loc | 1,
		     DW_CFA_register, 6, 12, DW_CFA_advance_loc | 1, DW_CFA_undefined, 6,
		     DW_CFA_advance_loc | 1, DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8,
		     DW_CFA_advance_loc | 1, DW_CFA_def_cfa_expression, 3, DW_OP_breg3, 0,
		     DW_OP_deref, DW_CFA_advance_loc | 1, DW_CFA_def_cfa, 17, 8);
	/* Three ways to lose rbp give one row; then a plain CFA in an expression gives the same
	 * again. */
	CHECK_INT(s.rows, 2);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8,
		   .fp = UNWIND_FP_UNDEFINED);
	CHECK_RULE(s.rules[1], .cfa = UNWIND_CFA_NONE);
	CHECK_INT(s.at[1], START + 4);
	CHECK_INT(stats.unsupported_rows, 1);
	CHECK_INT(stats.broken_entries, 0);
}

TEST(cfi, signal_frames_and_odd_augmentations)
{
	/* DW_CFA_def_cfa_expression: *(rsp + 160) */
	static const u8 interrupted[] = {0x0f, 4, 0x77, 0xa0, 0x01, 0x06};
	struct builder b = {.len = 0};
	struct seen s;

	put_cie(&b, "zRS");
	put_fde(&b, START, SIZE, interrupted, sizeof(interrupted));
	CHECK_INT(walk(&b, &s).broken_entries, 0);
	CHECK_INT(s.signal_frames, 1);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_SIGNAL);
	b.len = 0;
	put_cie(&b, "zRS"); /* a runtime's mark where it changes stacks */
	put_fde(&b, START, SIZE, NULL, 0);
	walk(&b, &s);
	CHECK_INT(s.signal_frames, 1);
	CHECK_RULE(s.rules[0], .cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8);
	b.len = 0;
	put_cie(&b, "zRB");
	put_fde(&b, START, SIZE, NULL, 0);
	walk(&b, &s);
	CHECK_INT(s.rows, 1);
	b.len = 0;
	put_cie(&b, "armcc+"); /* there is no length to step over it by */
	put_fde(&b, START, SIZE, NULL, 0);
	CHECK(walk(&b, &s).broken_entries > 0);
	CHECK_INT(s.functions, 0);
}

TEST(cfi, rows_end_with_the_function)
{
	struct seen s;

	WALK(&s, DW_CFA_advance_loc1, 0xff, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 1,
	     DW_CFA_def_cfa_offset, 24, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 32);
	CHECK_INT(s.rows, 2);
	CHECK_INT(s.at[1], START + 0xff);
}

TEST(cfi, broken_programs_end_in_a_row_without_a_rule)
{
	static const u8 ops[][2] = {{0x3f, 0},
				    {DW_CFA_restore_state, 0},
				    {DW_CFA_def_cfa_expression, 0x7f},
				    {DW_CFA_expression, 6}};
	struct cfi_stats stats;
	struct seen s;

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		stats = WALK(&s, DW_CFA_advance_loc | 4, ops[i][0], ops[i][1], 0x7f);
		CHECK_INT(stats.broken_entries, 1);
		CHECK_INT(s.functions, 1);
		CHECK_INT(s.rows, 2);
		CHECK_RULE(s.rules[1], .cfa = UNWIND_CFA_NONE);
		CHECK_INT(s.at[1], START + 4);
	}
}

TEST(cfi, remember_state_is_bounded)
{
	u8 program[512];
	struct seen s;

	memset(program, DW_CFA_remember_state, sizeof(program));
	CHECK_INT(walk_program(program, sizeof(program), &s).broken_entries, 1);
}

TEST(cfi, debug_frame_with_64_bit_lengths_and_version_4)
{
	static const u8 cie_body[] = {
		4, 0, 8, 0, 1, 0x78, 16, DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
	struct builder b = {.len = 0};
	struct seen s;

	put_u32(&b, 0); /* padding, not the end */
	put_u32(&b, UINT32_MAX);
	put_u64(&b, 8 + sizeof(cie_body));
	put_u64(&b, UINT64_MAX);
	put(&b, cie_body, sizeof(cie_body));
	put_u32(&b, UINT32_MAX);
	put_u64(&b, 8 + 16 + 3);
	put_u64(&b, 4); /* the CIE's offset */
	put_u64(&b, START);
	put_u64(&b, SIZE);
	put(&b, (const u8[]){DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 16}, 3);
	CHECK_INT(walk_bytes(CFI_DEBUG_FRAME, b.data, b.len, &s).broken_entries, 0);
	CHECK_INT(s.functions, 1);
	CHECK_INT(s.rows, 2);
	CHECK_INT(s.rules[1].cfa_off, 16);
}

TEST(cfi, a_broken_entry_does_not_hide_the_next)
{
	struct builder b = {.len = 0};
	struct cfi_stats stats;
	struct seen s;
	size_t from;

	put_cie(&b, "zR");
	from = b.len;
	put_fde_header(&b, START, SIZE);
	b.data[b.len - 1] = 0x7f; /* augmentation past the end */
	finish(&b, from);
	from = b.len;
	put_u32(&b, 0);
	put_u32(&b, 0x7fffffff); /* CIE before the section */
	finish(&b, from);
	from = b.len;
	put_u32(&b, 0);
	put_u32(&b, 4); /* its CIE is this very entry */
	finish(&b, from);
	put_fde(&b, UINT64_MAX - 4, SIZE, NULL, 0); /* wraps */
	put_fde(&b, START, SIZE, NULL, 0);
	put_u32(&b, 0x100); /* longer than the section */
	put_u32(&b, 0);
	stats = walk(&b, &s);
	CHECK_INT(s.functions, 1);
	CHECK_INT(s.rows, 1);
	CHECK(stats.broken_entries >= 5);
}

TEST(cfi, survives_truncation_anywhere)
{
	static const u8 program[] = {DW_CFA_advance_loc4,       1, 0,           0,    0,
				     DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref};
	struct builder b = {.len = 0};
	struct seen s;

	put_cie(&b, "zR");
	put_fde(&b, START, SIZE, program, sizeof(program));
	for (size_t len = 0; len < b.len; len++) {
		u8 *exact = malloc(len + 1);

		CHECK(exact);
		memcpy(exact, b.data, len);
		walk_bytes(CFI_EH_FRAME, exact, len, &s);
		walk_bytes(CFI_DEBUG_FRAME, exact, len, &s);
		free(exact);
	}
}

/* A megabyte of FDEs that all refer to one broken, huge CIE, which must be parsed once. */
TEST(cfi, a_huge_broken_cie_costs_once)
{
	const size_t half = 512u << 10;
	u8 *data = calloc(1, 2 * half);
	clock_t begin = clock();
	struct seen s;
	u32 v;

	CHECK(data);
	v = (u32)half - 4;
	memcpy(data, &v, 4);
	data[8] = 1;
	memcpy(data + 9, "zR", 3);
	data[12] = data[13] = 1;
	data[14] = 16;
	memset(data + 15, DW_CFA_same_value, half - 16);
	for (size_t at = half; at + 16 <= 2 * half; at += 12) {
		v = 8;
		memcpy(data + at, &v, 4);
		v = (u32)at + 4;
		memcpy(data + at + 4, &v, 4);
	}
	walk_bytes(CFI_EH_FRAME, data, 2 * half, &s);
	CHECK(clock() - begin < CLOCKS_PER_SEC / 2);
	free(data);
}

/* ---- what a section may cost ----------------------------------------------------------------- */

#define CIES 4000u
#define SLOT 17u /* bytes of a CIE up to the next one */

/*
 * Each FDE has its own CIE, and all of them are inside one entry. All these CIEs extend to its end,
 * and each runs the instructions of all that follow it, because it steps over their headers with an
 * expression.
 */
static struct bytes build_nested_cies(void)
{
	static const u8 rest[] = {1, 0, 1, 0x78, 16, DW_CFA_val_expression, 0, SLOT - 3};
	const u32 first = 8, end = first + (CIES + 1) * SLOT - 3, total = end + CIES * 8 + 4;
	const u32 around = end - 4, four = 4;
	u8 *data = calloc(1, total);

	CHECK(data);
	memcpy(data, &around, 4);
	for (u32 i = 0; i < CIES; i++) {
		u32 cie = first + i * SLOT, len = end - cie - 4;
		u32 fde = end + i * 8, back = fde + 4 - cie;

		memcpy(data + cie, &len, 4);
		memcpy(data + cie + 8, rest, sizeof(rest));
		memcpy(data + fde, &four, 4);
		memcpy(data + fde + 4, &back, 4);
	}
	return (struct bytes){data, total};
}

static int budgeted_walk(struct bytes data, u64 steps, u64 bytes, struct cfi_stats *stats)
{
	struct seen seen = {.functions = 0};
	struct cfi_visitor v = {.function = see_function, .row = see_row, .arg = &seen};
	struct budget budget;
	struct cfi_section section = {.kind = CFI_EH_FRAME, .data = data, .vaddr = BASE};

	budget_init(&budget, data.len);
	budget_limit(&budget, steps, bytes);
	section.budget = &budget;
	return cfi_walk(&section, &v, stats);
}

TEST(cfi, ends_with_its_budget)
{
	struct bytes data = build_nested_cies();
	struct cfi_stats stats;

	/* 8 million instructions */
	CHECK_INT(budgeted_walk(data, 1000000000, 1 << 30, &stats), 0);
	CHECK_INT(stats.broken_entries, CIES);
	CHECK_INT(budgeted_walk(data, 1000000, 1 << 30, &stats), -E2BIG);
	CHECK_INT(budgeted_walk(data, 1000000000, 100 * sizeof(struct cfi_stats), &stats), -E2BIG);
	free((u8 *)data.data);
}
