/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the instruction of a function that a uprobe goes to. */
#include "collect/probe/probe_site.h"

#include <errno.h>

#include "collect/probe/probe_insn.h"

struct function {
	struct bytes code;
	u64 vaddr;
	u64 first_target; /* the lowest offset after the entry that is the target of a branch */
};

/* It is false if not all of it can be decoded, so that branches may have been overlooked. */
static bool find_first_target(struct function *fn)
{
	struct probe_insn d;
	u64 target;

	fn->first_target = UINT64_MAX;
	for (u64 at = 0; at < fn->code.len; at += d.insn.length) {
		if (!probe_insn_decode(fn->code, at, &d))
			return false;
		if (probe_insn_target(&d, at, &target) && target && target < fn->first_target)
			fn->first_target = target;
	}
	return true;
}

/* ---- where the arguments are */

/* Holds the registers of each argument, as a set of hardware numbers, 0 rax to 15 r15. */
struct arguments {
	u16 in[PROBE_ARGS_MAX];
};

static const u8 home[PROBE_ARGS_MAX] = {7, 6, 2, 1}; /* rdi, rsi, rdx, rcx */

static struct arguments arguments_at_entry(void)
{
	struct arguments a;

	for (size_t i = 0; i < PROBE_ARGS_MAX; i++)
		a.in[i] = (u16)(1u << home[i]);
	return a;
}

static void arguments_follow(struct arguments *a, const struct probe_insn *d)
{
	u16 written = probe_insn_written(d), from = 0, to = 0;

	if (d->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
		to = probe_insn_register(&d->operands[0]);
		from = probe_insn_register(&d->operands[1]);
	}
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++) {
		bool copied = a->in[i] & from;

		a->in[i] &= (u16)~written;
		if (copied)
			a->in[i] |= to;
	}
}

static bool arguments_in_reach(const struct arguments *a, const struct probe_request *request)
{
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++) {
		u16 fit = request->moved_args ? a->in[i] : a->in[i] & (u16)(1u << home[i]);

		if ((request->args & (1u << i)) && !fit)
			return false;
	}
	return true;
}

static u8 dwarf_number(const struct arguments *a, size_t arg)
{
	u16 set = a->in[arg];

	if (!set || set & (1u << home[arg]))
		return probe_register_dwarf(home[arg]);
	return probe_register_dwarf((u8)__builtin_ctz(set));
}

/* Execution may not continue after it, or somebody else's code runs first. */
static bool ends_straight_line(const struct probe_insn *d, u64 at)
{
	u64 target;

	if (probe_insn_target(d, at, &target))
		return true;
	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_SYSTEM:
		return true;
	default:
		return probe_insn_leaves(d);
	}
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
		     const struct probe_insn *d, struct walk *w, struct probe_site *best)
{
	enum probe_cost cost;

	if (w->at < request->min_offset || (request->purpose == PROBE_RETURN && w->stack))
		return;
	if (!probe_insn_cost(d, fn->vaddr + w->at, w->first, request->kernel, &cost))
		return;
	if (w->found && best->cost <= cost)
		return;
	w->found = true;
	*best = (struct probe_site){
		.offset = (u32)w->at, .stack_bytes = (u32)w->stack, .cost = cost};
	for (size_t i = 0; i < PROBE_ARGS_MAX; i++)
		best->arg_reg[i] = dwarf_number(&w->args, i);
	probe_insn_text(d, fn->vaddr + w->at, best->text, sizeof(best->text));
}

/* Steps over the instruction; false if what follows can no longer be a site. */
static bool advance(const struct function *fn, const struct probe_request *request,
		    const struct probe_insn *d, struct walk *w)
{
	s64 change;

	if (ends_straight_line(d, w->at) || !probe_insn_stack(d, &change))
		return false;
	arguments_follow(&w->args, d);
	if (!arguments_in_reach(&w->args, request))
		return false;
	w->stack += change;
	w->at += d->insn.length;
	if (d->insn.mnemonic != ZYDIS_MNEMONIC_ENDBR64)
		w->first = false;
	return w->stack >= 0 && w->stack <= INT32_MAX && w->at < fn->first_target;
}

int probe_site_choose(struct bytes code, u64 vaddr, u64 size, const struct probe_request *request,
		      struct probe_site *out)
{
	struct function fn = {.code = code, .vaddr = vaddr};
	struct walk w = {.first = true, .args = arguments_at_entry()};
	struct probe_insn d;
	bool whole;

	if (!code.len)
		return -EINVAL;
	if (fn.code.len > PROBE_CODE_MAX)
		fn.code.len = PROBE_CODE_MAX;
	if (size && size < fn.code.len)
		fn.code.len = size;
	whole = find_first_target(&fn) && size && fn.code.len == size;
	while (probe_insn_decode(fn.code, w.at, &d)) {
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

u32 probe_kernel_flags(u32 major, u32 minor)
{
	bool nops = major > 6 || (major == 6 && minor >= 18);
	bool filtered = major == 6 && minor >= 11 && minor <= 13;
	bool calls = nops || major < 6 || minor < 6;
	bool shadowed = major == 6 && minor >= 6 && minor <= 10;

	return (nops ? PROBE_KERNEL_NOPS | PROBE_KERNEL_NOP5 : 0) |
	       (calls ? PROBE_KERNEL_CALLS : 0) | (filtered ? PROBE_KERNEL_RETURNS_FILTERED : 0) |
	       (shadowed ? PROBE_KERNEL_RETURNS_SHADOWED : 0);
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
