/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the instruction of a function that a uprobe goes to. */
#include "collect/probe/probe_site.h"

#include <errno.h>

#include "arch/calls.h"
#include "arch/insn.h"

struct function {
	struct bytes code;
	u64 vaddr;
	u64 first_target; /* the lowest offset after the entry that is the target of a branch */
};

static struct bytes code_at(const struct function *fn, u64 at)
{
	return at < fn->code.len ? (struct bytes){fn->code.data + at, fn->code.len - at}
				 : (struct bytes){0};
}

static bool decode(const struct function *fn, u64 at, struct arch_insn *out)
{
	return arch_insn_decode(code_at(fn, at), fn->vaddr + at, out);
}

/* It is false if not all of it can be decoded, so that branches may have been overlooked. */
static bool find_first_target(struct function *fn)
{
	struct arch_insn d;

	fn->first_target = UINT64_MAX;
	for (u64 at = 0; at < fn->code.len; at += d.length) {
		u64 target;

		if (!decode(fn, at, &d))
			return false;
		target = d.target - fn->vaddr;
		if (d.has_target && target && target < fn->first_target)
			fn->first_target = target;
	}
	return true;
}

/* ---- where the arguments are */

/* Holds the registers of each argument, as a set. */
struct arguments {
	u32 in[PROBE_ARGS_MAX];
};

static u32 home(size_t argument)
{
	return 1u << arch_calls.argument[argument];
}

static struct arguments arguments_at_entry(void)
{
	struct arguments a;

	for (size_t i = 0; i < PROBE_ARGS_MAX; i++)
		a.in[i] = home(i);
	return a;
}

static u32 set_of(s8 reg)
{
	return reg == ARCH_REG_NONE ? 0 : 1u << reg;
}

static void arguments_follow(struct arguments *a, const struct arch_insn *d)
{
	u32 from = set_of(d->moved_from), to = set_of(d->moved_to);

	for (size_t i = 0; i < PROBE_ARGS_MAX; i++) {
		bool copied = a->in[i] & from;

		a->in[i] &= ~d->written;
		if (copied)
			a->in[i] |= to;
	}
}

static bool arguments_in_reach(const struct arguments *a, const struct probe_request *request)
{
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++) {
		u32 fit = request->moved_args ? a->in[i] : a->in[i] & home(i);

		if ((request->args & (1u << i)) && !fit)
			return false;
	}
	return true;
}

static u8 register_of(const struct arguments *a, size_t arg)
{
	u32 set = a->in[arg];

	if (!set || set & home(arg))
		return arch_calls.argument[arg];
	return (u8)__builtin_ctz(set);
}

/* ---- the walk */

struct walk {
	u64 at;
	s64 stack;
	struct arguments args;
	bool first;
	bool found;
};

static void consider(const struct function *fn, const struct probe_request *request,
		     const struct arch_insn *d, struct walk *w, struct probe_site *best)
{
	enum probe_cost cost;

	if (w->at < request->min_offset || (request->purpose == PROBE_RETURN && w->stack))
		return;
	if (!arch_probe_cost(d, w->first, request->kernel, &cost))
		return;
	if (w->found && best->cost <= cost)
		return;
	w->found = true;
	*best = (struct probe_site){
		.offset = (u32)w->at, .stack_bytes = (u32)w->stack, .cost = cost};
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++)
		best->arg_reg[i] = register_of(&w->args, i);
	arch_insn_text(code_at(fn, w->at), d->vaddr, best->text, sizeof(best->text));
}

/* Steps over the instruction; false if what follows can no longer be a site. */
static bool advance(const struct function *fn, const struct probe_request *request,
		    const struct arch_insn *d, struct walk *w)
{
	if (d->ends_line || !d->stack_known)
		return false;
	arguments_follow(&w->args, d);
	if (!arguments_in_reach(&w->args, request))
		return false;
	w->stack += d->stack_change;
	w->at += d->length;
	if (!d->is_landing_pad)
		w->first = false;
	return w->stack >= 0 && w->stack <= INT32_MAX && w->at < fn->first_target;
}

int probe_site_choose(struct bytes code, u64 vaddr, u64 size, const struct probe_request *request,
		      struct probe_site *out)
{
	struct function fn = {.code = code, .vaddr = vaddr};
	struct walk w = {.first = true, .args = arguments_at_entry()};
	struct arch_insn d;
	bool whole;

	if (!code.len)
		return -EINVAL;
	if (fn.code.len > PROBE_CODE_MAX)
		fn.code.len = PROBE_CODE_MAX;
	if (size && size < fn.code.len)
		fn.code.len = size;
	whole = find_first_target(&fn) && size && fn.code.len == size;
	while (decode(&fn, w.at, &d)) {
		consider(&fn, request, &d, &w, out);
		if (!whole || !advance(&fn, request, &d, &w))
			break;
	}
	return w.found ? 0 : -ENOTSUP;
}

int probe_site_in_file(struct elf_file *f, u64 vaddr, u64 size, const struct probe_request *request,
		       struct probe_site *out)
{
	u64 len = size && size < PROBE_CODE_MAX ? size : PROBE_CODE_MAX;
	struct bytes code = elf_file_loaded(f, vaddr, len);
	u64 offset;
	int err;

	if (!code.len || !elf_file_vaddr_to_offset(f, vaddr, &offset))
		return -EBADMSG;
	err = probe_site_choose(code, vaddr, size, request, out);
	if (!err)
		out->file_offset = offset + out->offset;
	return err;
}

u32 probe_return_ns(void)
{
	return 580; /* the trampoline's trap, and its bookkeeping */
}

u32 probe_cost_ns(enum probe_cost cost, enum probe_purpose purpose)
{
	static const u32 entry[] = {
		[PROBE_COST_NOP5] = 480, [PROBE_COST_EMULATED] = 590, [PROBE_COST_STEPPED] = 11500};

	return entry[cost] + (purpose == PROBE_RETURN ? probe_return_ns() : 0);
}

const char *probe_cost_name(enum probe_cost cost)
{
	static const char *const names[] = {[PROBE_COST_NOP5] = "optimized",
					    [PROBE_COST_EMULATED] = "emulated",
					    [PROBE_COST_STEPPED] = "single-stepped"};

	return names[cost];
}
