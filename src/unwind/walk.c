/* SPDX-License-Identifier: Apache-2.0 */
/* Provides what bpf/unwind.h needs in user space: see walk.h. */
#include "unwind/walk.h"

#include <string.h>
#include <sys/cdefs.h>

#define STACK_SIZE_USUAL \
	(8u << 20) /* the usual ulimit -s; anything farther away is another stack or invalid */

/* Holds one walk. The walker's hooks have no argument for it, so each thread keeps a pointer to its
 * own. */
struct walk {
	const struct walk_env *env;
	const struct walk_copy *copy;
	const struct rows *rows; /* of the module looked up last */
	/* describes `rows` as they would be in the kernel: the directory first, then the
	 * words */
	struct module_table table;
	u32 block_pages, word_pages;
	bool beyond; /* the last read failed past the end of the copy */
};

static _Thread_local struct walk *current;

static bool read_copy(const struct walk_copy *c, void *dst, u32 size, u64 addr)
{
	u64 at = addr - c->sp;

	if (addr < c->sp || at > c->copy.len || size > c->copy.len - at)
		return false;
	for (u64 i = at / PENDING_PIECE; i * PENDING_PIECE < at + size && i < 64; i++)
		if (c->unread >> i & 1)
			return false;
	memcpy(dst, c->copy.data + at, size);
	return true;
}

static void env_repeat(u32 n, long (*step)(u32 i, void *arg), void *arg)
{
	for (u32 i = 0; i < n && !step(i, arg); i++)
		;
}

static bool env_read_user(void *dst, u32 size, u64 addr)
{
	const struct walk_env *env = current->env;
	const struct walk_copy *c = current->copy;
	u64 end = c->sp + c->copy.len;

	if (read_copy(c, dst, size, addr))
		return true;
	if (env->read && env->read(env->arg, dst, size, addr))
		return true;
	current->beyond = addr + size - end <= STACK_SIZE_USUAL;
	return false;
}

static bool env_find_module(struct stack_walk *st, u64 pc, u32 *module, u64 *off)
{
	const struct walk_env *env = current->env;

	if (env->find_module(env->arg, pc, module, off))
		return true;
	st->missing_module = env->loading && *env->loading;
	return false;
}

/* find_module() knows all mappings, so this is never called. */
static int env_find_unnamed(struct stack_walk *st)
{
	return 1;
}

static const struct module_table *env_module_table(u32 module)
{
	const struct rows *rows = current->env->rows(current->env->arg, module);

	if (!rows)
		return NULL;
	current->rows = rows;
	current->block_pages = (rows->nblocks + UNWIND_PAGE_BLOCKS - 1) / UNWIND_PAGE_BLOCKS;
	current->word_pages = rows->nwords / UNWIND_PAGE_WORDS;
	current->table = (struct module_table){
		.base_off = rows->base_off,
		.nblocks = rows->nblocks,
		.block_page = rows->pages ? rows->block_page : 0,
		.word_page = rows->pages ? rows->word_page : current->block_pages,
		.has_table = !rows->missing,
		.missing = rows->missing,
	};
	return &current->table;
}

static const struct unwind_page *env_table_page(u32 page)
{
	const struct walk *w = current;

	if (w->rows->pages)
		return w->rows->pages->page(w->rows->pages, page);
	if (page < w->block_pages)
		return (const void *)(w->rows->blocks + (size_t)page * UNWIND_PAGE_BLOCKS);
	page -= w->block_pages;
	if (page < w->word_pages)
		return (const void *)(w->rows->words + (size_t)page * UNWIND_PAGE_WORDS);
	return NULL;
}

static const struct unwind_rule *env_rule(u32 number)
{
	return number < current->env->nrules ? &current->env->rules[number] : NULL;
}

/* Only few samples are walked here, one at a time, so nothing is memoized. */
static struct rule_memo *env_memo(u64 frame)
{
	return NULL;
}

static u64 env_thread_pointer(void)
{
	return current->copy->thread_pointer;
}

static bool env_on_own_stack(struct stack_walk *st)
{
	const struct walk_env *env = current->env;

	return env->own_stack && env->own_stack(env->arg, st->regs.sp);
}

/* The kernel's list of return probes cannot be read from here, so st->trampoline is 0. */
static u64 env_hidden_return(u64 slot, bool left)
{
	return 0;
}

/* "#pragma unroll" is meant for clang, which compiles the same lines for BPF. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "../../bpf/unwind.h"
#pragma GCC diagnostic pop

void walk_reset(struct stack_walk *st)
{
	memset(st, 0, offsetof(struct stack_walk, frames));
}

u64 walk_number(const struct stack_walk *st, struct global_pid tgid)
{
	return stack_number(st, tgid);
}

void walk_push(struct stack_walk *st, u64 frame)
{
	push_frame(st, frame);
}

/* The walker only sees that memory is unreadable; that it was not copied is added here. */
static void name_cut(struct stack_walk *st)
{
	st->end = STACK_COPY_TOO_SHORT;
	st->frames[st->nframes - 1] = FRAME(MODULE_CUT, STACK_COPY_TOO_SHORT);
	st->hash = 0;
	for (u32 i = 0; i < st->nframes; i++)
		st->hash = hash_frame(st->hash, st->frames[i]);
}

void walk_stack(struct stack_walk *st, const struct walk_env *env, const struct walk_copy *copy)
{
	struct walk walk = {.env = env, .copy = copy};

	current = &walk;
	unwind_user(st);
	current = NULL;
	if (st->end == STACK_UNREADABLE && walk.beyond)
		name_cut(st);
}
