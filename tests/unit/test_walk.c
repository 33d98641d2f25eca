/* SPDX-License-Identifier: Apache-2.0 */
/* The walker over small tables made by hand. test_replay.c runs it on real programs. */
#include <string.h>

#include "unit.h"
#include "unwind/walk.h"

#define MODULE MODULE_FIRST_FILE
#define TEXT 0x400000ull
#define STACK 0x7ffe00001000ull

#define CURG 192

#define GO_RULE(kind)                                                               \
	{                                                                           \
		.cfa = UNWIND_CFA_GO, .cfa_reg = kind, .cfa_off = 8, .cfa_add = -8, \
		.fp_off = CURG, .ra_off = 48                                        \
	}

static const struct unwind_rule rules[] = {
	{.cfa = UNWIND_CFA_NONE},
	{.cfa = UNWIND_CFA_STOP},
	{.cfa = UNWIND_CFA_CHAIN},
	{.cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8},
	{.cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8, .fp = UNWIND_FP_CFA, .fp_off = -16},
	{.cfa = UNWIND_CFA_SP, .cfa_off = 0, .ra_off = -8},
	{.cfa = UNWIND_CFA_FP, .cfa_off = 16, .ra_off = -8, .fp = UNWIND_FP_CFA, .fp_off = -16},
	{.cfa = UNWIND_CFA_REG, .cfa_reg = 10, .ra_off = -8},
	GO_RULE(UNWIND_GO_SYSTEMSTACK),
	GO_RULE(UNWIND_GO_ASMCGOCALL),
	GO_RULE(UNWIND_GO_CGOCALLBACK),
	GO_RULE(UNWIND_GO_MORESTACK),
	GO_RULE(UNWIND_GO_MCALL),
	GO_RULE(UNWIND_GO_VDSO),
	{.cfa = UNWIND_CFA_LATER},
};

enum { R_SYSTEMSTACK = 8, R_ASMCGOCALL, R_CGOCALLBACK, R_MORESTACK, R_MCALL, R_VDSO, R_LATER };

/* There is one KiB of text under each rule. */
struct fixture {
	struct unwind_block blocks[UNWIND_PAGE_BLOCKS];
	struct rows rows;
	u64 stack[64];
	struct walk_env env;
	struct walk_copy copy;
	struct stack_walk st;
};

static bool find(void *arg, u64 pc, u32 *module, u64 *off)
{
	if (pc < TEXT || pc >= TEXT + 0x10000)
		return false;
	*module = MODULE;
	*off = pc - TEXT;
	return true;
}

static const struct rows *rows_of(void *arg, u32 module)
{
	return module == MODULE ? &((struct fixture *)arg)->rows : NULL;
}

static struct fixture *fixture(void)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	for (u32 i = 0; i < ARRAY_LEN(rules); i++)
		f.blocks[i].rule = (u16)i;
	f.rows.blocks = f.blocks;
	f.rows.nblocks = ARRAY_LEN(rules);
	f.env = (struct walk_env){.find_module = find,
				  .rows = rows_of,
				  .arg = &f,
				  .rules = rules,
				  .nrules = ARRAY_LEN(rules)};
	f.copy = (struct walk_copy){.copy = {(const u8 *)f.stack, sizeof(f.stack)}, .sp = STACK};
	walk_reset(&f.st);
	f.st.regs.sp = STACK;
	f.st.regs.known = f.st.regs.callee_known = f.st.regs.exact = 1;
	return &f;
}

/* Returns an address in the KiB that `rule` governs. */
static u64 under(u32 rule)
{
	return TEXT + rule * 1024ull + 100;
}

static u32 walk_from(struct fixture *f, u64 pc)
{
	f->st.regs.pc = pc;
	walk_stack(&f->st, &f->env, &f->copy);
	return f->st.end;
}

TEST(walk, returns_to_the_outermost_frame)
{
	struct fixture *f = fixture();

	f->stack[0] = under(3);
	f->stack[1] = under(1);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 3);
	CHECK(f->st.frames[0] == FRAME(MODULE, under(3) - TEXT));
	CHECK(f->st.frames[1] == FRAME(MODULE, under(3) - TEXT - 1));
	CHECK(f->st.frames[2] == FRAME(MODULE, under(1) - TEXT - 1));
}

static bool yes(void *arg, u64 sp)
{
	return sp == STACK + 8; /* that of the frame whose caller is missing */
}

/* It is the end of a stack that a program has made, and of no other. */
TEST(walk, a_return_address_of_0)
{
	struct fixture *f = fixture();

	f->stack[0] = under(3);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	f = fixture();
	f->env.own_stack = yes;
	f->stack[0] = under(3);
	CHECK_INT(walk_from(f, under(3)), STACK_NO_CALLER);
	CHECK_INT(f->st.nframes, 3);
	CHECK(f->st.frames[2] == FRAME(MODULE_CUT, STACK_NO_CALLER));
	f = fixture();
	f->env.own_stack = yes;
	f->stack[0] = under(1); /* Start-up code has no caller. */
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
}

TEST(walk, equal_stacks_have_equal_hashes_and_others_not)
{
	struct fixture *f = fixture();
	u64 first;

	f->stack[0] = under(1);
	walk_from(f, under(3));
	first = f->st.hash;
	f = fixture();
	f->stack[0] = under(1);
	walk_from(f, under(3));
	CHECK(f->st.hash == first);
	f = fixture();
	f->stack[0] = under(1) + 1;
	walk_from(f, under(3));
	CHECK(f->st.hash != first);
}

TEST(walk, a_popped_rbp_is_not_read_below_the_copy)
{
	struct fixture *f = fixture();

	/* The slot is at sp - 8, and the caller's CFA is rbp + 16. */
	f->stack[0] = under(6);
	f->stack[4] = 0; /* the caller's saved rbp */
	f->stack[5] = under(1);
	f->st.regs.fp = STACK + 32;
	CHECK_INT(walk_from(f, under(4)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 3);
}

TEST(walk, code_that_was_not_followed_is_where_it_continues)
{
	struct fixture *f = fixture();

	f->stack[0] = under(R_LATER);
	CHECK_INT(walk_from(f, under(3)), STACK_LOADING);
	CHECK_INT(f->st.nframes, 2); /* the leaf, and the mark of the cut */
	CHECK(f->st.frames[0] == FRAME(MODULE, under(3) - TEXT));
	CHECK(f->st.regs.pc == under(R_LATER) && f->st.regs.sp == STACK + 8);
}

TEST(walk, pieces_of_a_copy_that_were_not_readable)
{
	static u64 stack[3 * PENDING_PIECE / sizeof(u64)];
	struct fixture *f = fixture();
	u64 far = 2 * PENDING_PIECE;

	/* The rule finds the CFA by the frame pointer, in the third piece. */
	f->copy.copy = (struct bytes){(const u8 *)stack, sizeof(stack)};
	stack[far / sizeof(u64) + 1] = under(1);
	f->copy.unread = 2;
	f->st.regs.fp = STACK + far;
	CHECK_INT(walk_from(f, under(6)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 2);
	walk_reset(&f->st);
	f->copy.unread = 6;
	f->st.regs.sp = STACK;
	f->st.regs.fp = STACK + far;
	CHECK_INT(walk_from(f, under(6)), STACK_UNREADABLE);
}

TEST(walk, each_way_to_be_cut_has_its_name)
{
	struct fixture *f = fixture();

	f->stack[0] = 0x1234567890; /* outside */
	CHECK_INT(walk_from(f, under(3)), STACK_NOT_MAPPED);
	CHECK(f->st.frames[f->st.nframes - 1] == FRAME(MODULE_CUT, STACK_NOT_MAPPED));
	f = fixture();
	CHECK_INT(walk_from(f, under(0)), STACK_NO_ROW);
	f = fixture();
	CHECK_INT(walk_from(f, TEXT + 0x8000), STACK_NO_ROW); /* past the last block */
	f = fixture();
	f->stack[0] = under(5);
	CHECK_INT(walk_from(f, under(3)), STACK_NO_PROGRESS);
	f = fixture();
	f->stack[0] = under(7);
	CHECK_INT(walk_from(f, under(3)), STACK_REGISTER_LOST);
	f = fixture();
	f->st.regs.sp = STACK - (1ull << 32);
	CHECK_INT(walk_from(f, under(3)), STACK_UNREADABLE);
	f = fixture();
	f->rows = (struct rows){.missing = TABLE_POOL_FULL};
	CHECK_INT(walk_from(f, under(3)), STACK_TABLES_FULL);
	f = fixture();
	f->rows = (struct rows){.missing = TABLE_UNREAD};
	CHECK_INT(walk_from(f, under(3)), STACK_UNREAD);
	f = fixture();
	f->env.rows = NULL;
	CHECK_INT(walk_from(f, 0xffff800000000000), STACK_NOT_MAPPED);
}

TEST(walk, what_lies_behind_the_copy_was_too_far)
{
	struct fixture *f = fixture();

	for (size_t i = 0; i < ARRAY_LEN(f->stack); i++)
		f->stack[i] = under(3);
	CHECK_INT(walk_from(f, under(3)), STACK_COPY_TOO_SHORT);
	CHECK_INT(f->st.nframes, ARRAY_LEN(f->stack) + 2);
	CHECK(f->st.frames[f->st.nframes - 1] == FRAME(MODULE_CUT, STACK_COPY_TOO_SHORT));
}

static bool read_return_addresses(void *arg, void *dst, u32 size, u64 addr)
{
	u64 *words = dst;

	for (u32 i = 0; i < size / sizeof(u64); i++)
		words[i] = under(3);
	return true;
}

TEST(walk, deep_stacks_keep_their_leaf_side)
{
	struct fixture *f = fixture();

	f->copy.copy.len = 0;
	f->env.read = read_return_addresses;
	CHECK_INT(walk_from(f, under(3)), STACK_TOO_DEEP);
	CHECK_INT(f->st.nframes, STACK_MAX_USER + 1);
	CHECK(f->st.frames[STACK_MAX_USER] == FRAME(MODULE_CUT, STACK_TOO_DEEP));
}

/* ---- Go's switches of stacks ----------------------------------------------------------------- */

/* The walk begins on g0's stack (the fixture's); the rest of what Go's runtime keeps is here. */
struct go {
	u64 stack[32]; /* that of the goroutine */
	u64 g[16], g0[16], m[32], tls[1];
};

#define GO_BASE 0xc000000000ull
#define AT(field) (GO_BASE + offsetof(struct go, field))

static struct go go;

static bool read_go_memory(void *arg, void *dst, u32 size, u64 addr)
{
	u64 at = addr - GO_BASE;

	(void)arg;
	if (addr < GO_BASE || at > sizeof(go) || size > sizeof(go) - at)
		return false;
	memcpy(dst, (const u8 *)&go + at, size);
	return true;
}

/* Makes a goroutine that left its stack at word 4, where the address of its caller is. */
static struct fixture *go_fixture(void)
{
	struct fixture *f = fixture();

	memset(&go, 0, sizeof(go));
	go.tls[0] = AT(g0);
	go.g0[6] = go.g[6] = AT(m);
	go.m[0] = AT(g0);
	go.m[CURG / 8] = AT(g);
	go.g[0] = AT(stack);
	go.g[1] = AT(stack) + sizeof(go.stack);
	go.g[7] = AT(stack[4]);
	go.stack[4] = under(3);
	go.stack[5] = under(1);
	f->env.read = read_go_memory;
	f->copy.thread_pointer = AT(tls) + 8;
	f->stack[0] = 0; /* set by the tests: the function that g0's stack returns to */
	return f;
}

TEST(walk, go_systemstack_goes_on_on_the_goroutine)
{
	struct fixture *f = go_fixture();

	f->stack[0] = under(R_SYSTEMSTACK);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 4);
	CHECK(f->st.frames[2] == FRAME(MODULE, under(3) - TEXT - 1));
	CHECK(f->st.frames[3] == FRAME(MODULE, under(1) - TEXT - 1));
}

TEST(walk, go_systemstack_that_has_not_switched_yet)
{
	struct fixture *f = go_fixture();

	f->st.regs.sp = AT(stack[4]);
	CHECK_INT(walk_from(f, under(R_SYSTEMSTACK)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 3);
}

TEST(walk, go_says_so_where_it_cannot_follow)
{
	struct fixture *f = go_fixture();

	f->stack[0] = under(R_SYSTEMSTACK);
	f->copy.thread_pointer = 0;
	CHECK_INT(walk_from(f, under(3)), STACK_SWITCH);
	f = go_fixture();
	f->stack[0] = under(R_SYSTEMSTACK);
	go.g[6] = 0x1234; /* it is not the thread's goroutine after all */
	CHECK_INT(walk_from(f, under(3)), STACK_SWITCH);
	f = go_fixture();
	f->stack[0] = under(R_SYSTEMSTACK);
	go.g[7] = go.g[1]; /* not on its stack */
	CHECK_INT(walk_from(f, under(3)), STACK_SWITCH);
	f = go_fixture();
	f->stack[0] = under(R_SYSTEMSTACK);
	go.m[CURG / 8] = 0;
	CHECK_INT(walk_from(f, under(3)), STACK_SWITCH);
}

TEST(walk, go_scheduler_stacks_are_whole)
{
	struct fixture *f = go_fixture();

	f->stack[0] = under(R_MCALL);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 2);
	f = go_fixture();
	f->stack[0] = under(R_MORESTACK);
	go.m[CURG / 8] = 0; /* preempted */
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 2);
	f = go_fixture();
	f->st.regs.sp = AT(stack[4]); /* in mcall, which is still on the goroutine's stack */
	CHECK_INT(walk_from(f, under(R_MCALL)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 3);
}

TEST(walk, go_morestack_goes_on_where_the_stack_was_too_small)
{
	struct fixture *f = go_fixture();

	f->stack[0] = under(R_MORESTACK);
	go.g[8] = under(3) + 7;
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 5);
	CHECK(f->st.frames[2] == FRAME(MODULE, under(3) + 7 - TEXT - 1));
}

TEST(walk, go_asmcgocall_finds_the_goroutine_by_its_own_frame)
{
	struct fixture *f = go_fixture();

	f->copy.thread_pointer = 0;
	f->stack[0] = under(R_ASMCGOCALL);
	f->stack[1 + 5] = go.g[1] - AT(stack[4]);
	f->stack[1 + 6] = AT(g);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 4);
	f = go_fixture(); /* without a goroutine, rsp itself is in the frame */
	f->stack[0] = under(R_ASMCGOCALL);
	f->stack[1 + 5] = STACK + 8 * 9;
	f->stack[9] = under(1);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 3);
}

/* Go < C < Go < C < Go: the place of each callback on g0's stack leads to the one before. */
TEST(walk, go_callbacks_nest)
{
	struct fixture *f = go_fixture();

	go.stack[4] = under(R_CGOCALLBACK);
	go.g0[7] = STACK + 8; /* holds cgocallback's rsp and, at it, the one before */
	f->stack[1] = under(3);
	f->stack[2] = under(R_ASMCGOCALL);
	f->stack[3 + 5] = go.g[1] - AT(stack[6]);
	f->stack[3 + 6] = AT(g);
	go.stack[6] = under(1);
	f->st.regs.sp = AT(stack[4]);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 5);
	CHECK_INT(f->st.go_system_sp, under(3));
}

TEST(walk, go_in_the_vdso_returns_by_rbp)
{
	struct fixture *f = go_fixture();

	f->stack[0] = under(R_VDSO);
	f->st.regs.fp = AT(stack[8]);
	go.stack[8] = 0x77;
	go.stack[9] = under(1);
	CHECK_INT(walk_from(f, under(3)), STACK_WHOLE);
	CHECK_INT(f->st.nframes, 3);
	CHECK(f->st.regs.fp == 0x77);
}

TEST(walk, go_in_a_circle_ends)
{
	struct fixture *f = go_fixture();

	f->stack[0] = under(R_SYSTEMSTACK);
	go.stack[4] = under(R_SYSTEMSTACK);
	go.g[0] = AT(g); /* rsp is never on its stack */
	go.g[1] = AT(stack[5]);
	CHECK(walk_from(f, under(3)) != STACK_WHOLE);
}

TEST(walk, stacks_of_jit_code_have_a_number_for_each_process)
{
	const struct global_pid one = {4711}, other = {4712};
	static struct stack_walk st;

	walk_reset(&st);
	walk_push(&st, FRAME(MODULE_FIRST_FILE, 0x1000));
	CHECK(walk_number(&st, one) == walk_number(&st, other));
	walk_push(&st, FRAME(MODULE_ANON, 0x7f0000001000));
	st.has_anon = 1;
	CHECK(walk_number(&st, one) != walk_number(&st, other));
}
