/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses any bytes as registers, rules, rows and a stack. The walk must end, and stay within its
 * bounds, whatever the tables say, because they are made from files that belong to the target's
 * user.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/walk.h"

#define RULES 16
#define BLOCKS 4
#define WORDS 32
#define BASE 0x400000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* They are on the heap as whole pages, so that a read beyond them is detected. */
struct tables {
	struct rows rows;
	struct unwind_rule rules[RULES];
};

/* There are two modules with a table, memory without a file, a module without a table, and
 * holes. */
static bool find_module(void *arg, u64 pc, u32 *module, u64 *off)
{
	static const u32 modules[] = {MODULE_FIRST_FILE, MODULE_FIRST_FILE, MODULE_ANON,
				      MODULE_UNKNOWN};
	u64 page = (pc >> 12) % 8;

	if (page >= ARRAY_LEN(modules))
		return false;
	*module = modules[page];
	*off = pc - BASE;
	return true;
}

static const struct rows *rows_of(void *arg, u32 module)
{
	return module == MODULE_FIRST_FILE ? &((struct tables *)arg)->rows : NULL;
}

static void take(struct cursor *c, void *dst, size_t len)
{
	const u8 *at = cursor_take(c, len);

	if (at)
		memcpy(dst, at, len);
}

static struct tables *tables_from(struct cursor *c)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->rows.blocks = calloc(UNWIND_PAGE_BLOCKS, sizeof(*t->rows.blocks));
	t->rows.words = calloc(UNWIND_PAGE_WORDS, sizeof(*t->rows.words));
	if (!t->rows.blocks || !t->rows.words)
		abort();
	t->rows.nblocks = BLOCKS;
	t->rows.nwords = UNWIND_PAGE_WORDS;
	take(c, t->rules, sizeof(t->rules));
	take(c, t->rows.blocks, BLOCKS * sizeof(*t->rows.blocks));
	take(c, t->rows.words, WORDS * sizeof(*t->rows.words));
	return t;
}

static void check(const struct stack_walk *st)
{
	if (st->end >= STACK_END_COUNT || st->nframes > STACK_MAX_USER + 1)
		abort();
	if (st->end != STACK_WHOLE && FRAME_MODULE(st->frames[st->nframes - 1]) != MODULE_CUT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stack_walk st;
	struct cursor c = cursor_over((struct bytes){data, size});
	struct tables *t = tables_from(&c);
	struct walk_env env = {.find_module = find_module,
			       .rows = rows_of,
			       .arg = t,
			       .rules = t->rules,
			       .nrules = RULES};
	struct walk_copy copy;
	u8 *stack;

	walk_reset(&st);
	take(&c, st.regs.by_dwarf, sizeof(st.regs.by_dwarf));
	st.regs.pc = BASE + cursor_u16(&c);
	st.regs.sp = copy.sp = cursor_u64(&c);
	copy.thread_pointer = st.regs.by_dwarf[0];
	st.regs.fp = st.regs.by_dwarf[6];
	st.regs.callee = st.regs.by_dwarf[3];
	st.regs.known = st.regs.callee_known = st.regs.exact = 1;
	copy.copy.len = cursor_left(&c);
	stack = malloc(copy.copy.len + 1);
	if (!stack)
		abort();
	take(&c, stack, copy.copy.len);
	copy.copy.data = stack;
	walk_stack(&st, &env, &copy);
	check(&st);
	free(stack);
	free(t->rows.blocks);
	free(t->rows.words);
	free(t);
	return 0;
}
