/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the stacks of perf samples: see perf_walk.h. */
#include "collect/perf/perf_walk.h"

#include <string.h>
#include <sys/uio.h>

#include "target/maps.h"
#include "unwind/walk.h"

struct lookup {
	const struct perf_walk *w;
	pid_t tgid;
	bool loading;
	u64 at; /* the frame that was looked up last */
};

static bool find_module(void *arg, u64 pc, u32 *module, u64 *off)
{
	struct lookup *l = arg;
	const struct space_map *map = address_space_find(l->w->space, pc);

	l->loading = map && module_set_is_loading(perf_modules_set(l->w->modules), map->module);
	if (!map || l->loading)
		return false;
	*module = map->module;
	*off = pc + map->shift;
	l->at = FRAME(*module, *off);
	return true;
}

static const struct rows *rows_of(void *arg, u32 module)
{
	return perf_modules_rows(((struct lookup *)arg)->w->modules, module);
}

/* Code stays the same after the sample was taken, but the stack does not, so the stack is never
 * read late. */
static bool read_code(void *arg, void *dst, u32 size, u64 addr)
{
	const struct lookup *l = arg;
	struct iovec local = {dst, size}, remote = {(void *)(uintptr_t)addr, size};

	return address_space_find(l->w->space, addr) &&
	       process_vm_readv(l->tgid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool own_stack(void *arg, u64 sp)
{
	return maps_in_main_stack(((struct lookup *)arg)->tgid, sp);
}

/* Adds the kernel's frames: the leaf is exact, and callers are inside their calls. */
static void push_kernel(struct stack_walk *st, const struct perf_sample *s)
{
	u32 pushed = 0;

	for (u64 i = 0; i < s->chain_len && pushed < STACK_MAX_KERNEL; i++) {
		u64 ip;

		memcpy(&ip, s->chain + i * sizeof(ip), sizeof(ip));
		if (ip >= (u64)PERF_CONTEXT_MAX) /* a marker between contexts */
			continue;
		walk_push(st, FRAME(MODULE_KERNEL, ip - (pushed > 0)));
		pushed++;
	}
}

/* It returns the frame whose code has to be followed first, or 0. */
static u64 walk_user(const struct perf_walk *w, const struct perf_sample *s, struct stack_walk *st)
{
	struct lookup lookup = {.w = w, .tgid = (pid_t)s->pid};
	const struct walk_env env = {
		.find_module = find_module,
		.loading = &lookup.loading,
		.rows = rows_of,
		.read = read_code,
		.own_stack = own_stack,
		.arg = &lookup,
		.rules = module_set_rules(perf_modules_set(w->modules)),
		.nrules = UNWIND_MAX_RULES,
	};
	const struct walk_copy copy = {.copy = s->stack, .sp = s->regs.sp};

	st->regs = s->regs;
	module_set_walk_begin(perf_modules_set(w->modules));
	walk_stack(st, &env, &copy);
	module_set_walk_end(perf_modules_set(w->modules));
	return st->end == STACK_LOADING && !lookup.loading ? lookup.at : 0;
}

static void begin(const struct perf_walk *w, const struct perf_sample *s, struct stack_walk *st)
{
	walk_reset(st);
	if (w->kernel)
		push_kernel(st, s);
}

static bool walk(const struct perf_walk *w, const struct perf_sample *s, struct stack_walk *st)
{
	u64 code;

	for (;;) {
		code = walk_user(w, s, st);
		if (!code || module_set_follow(perf_modules_set(w->modules), code))
			return st->end == STACK_LOADING;
		begin(w, s, st); /* It is known by now. */
	}
}

static bool cut(struct stack_walk *st, enum stack_end end)
{
	st->end = end;
	walk_push(st, FRAME(MODULE_CUT, end));
	return false;
}

bool perf_walk_sample(const struct perf_walk *w, const struct perf_sample *s, struct stack_walk *st)
{
	begin(w, s, st);
	if (!w->user || s->abi == PERF_SAMPLE_REGS_ABI_NONE)
		return false;
	if (!w->space)
		return cut(st, STACK_OUTSIDE);
	if (s->abi != PERF_SAMPLE_REGS_ABI_64)
		return cut(st, STACK_COMPAT);
	/* It was in the kernel, half way through an exec, so the program of these registers is
	 * gone. */
	if (!s->user_mode && (!s->stack.len || !address_space_find(w->space, s->regs.pc)))
		return false;
	return walk(w, s, st);
}
