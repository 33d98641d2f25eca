/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the instructions of a function and how they follow each other: see code_graph.h. */
#include "collect/probe/code_graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symbols.h"
#include "symbol/plt.h"
#include "target/allocator.h"
#include "unwind/function_index.h"

#define NAME_MAX_ 512 /* no function that matters here has a longer name */
#define DECODE_STEPS 500
#define VISIT_STEPS 10

struct code_file {
	struct elf_file *f;
	struct plt *plt; /* NULL if nothing is imported through slots */
	struct function_index functions;
	struct code_request request;
};

struct search {
	struct code_file *file;
	struct code_graph *g;
	u64 entry, entry_end;
};

/* ---- the file ---- */

int code_file_new(struct elf_file *f, const struct code_request *request, struct code_file **out)
{
	struct code_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->f = f;
	file->request = *request;
	err = plt_new(f, &file->plt);
	if (!err || err == -ENOENT)
		err = function_index_init(&file->functions, f, NULL);
	if (err) {
		plt_free(file->plt);
		free(file);
		return err;
	}
	*out = file;
	return 0;
}

void code_file_free(struct code_file *file)
{
	if (!file)
		return;
	plt_free(file->plt);
	function_index_release(&file->functions);
	free(file);
}

struct elf_file *code_file_elf(const struct code_file *file)
{
	return file->f;
}

bool code_file_pay(struct code_file *file, u64 nodes)
{
	return budget_take(elf_file_budget(file->f), BUDGET_CODE, 1 + nodes * VISIT_STEPS);
}

static int compare_addresses(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool is_stopper(const struct search *s, u64 vaddr)
{
	return vaddr != s->entry && s->file->request.nstoppers &&
	       bsearch(&vaddr, s->file->request.stoppers, s->file->request.nstoppers, sizeof(vaddr),
		       compare_addresses);
}

/* Returns where the function around `vaddr` ends; 0 if that is unknown. */
static u64 function_end(const struct search *s, u64 vaddr)
{
	const struct function_entry *e = function_index_covering(&s->file->functions, vaddr);

	if (e)
		return e->fde.end;
	return vaddr >= s->entry && vaddr < s->entry_end ? s->entry_end : 0;
}

static u64 function_start(const struct search *s, u64 vaddr)
{
	const struct function_entry *e = function_index_covering(&s->file->functions, vaddr);

	return e ? e->fde.start : s->entry;
}

/* ---- other functions, known by name ---- */

/* These are the names that compilers and libraries use. */
static bool never_returns(const char *name)
{
	static const char *const names[] = {
		"abort",
		"exit",
		"_exit",
		"_Exit",
		"quick_exit",
		"__assert_fail",
		"__stack_chk_fail",
		"__chk_fail",
		"__fortify_fail",
		"__cxa_throw",
		"__cxa_rethrow",
		"_Unwind_Resume",
		"__cxa_bad_cast",
		"longjmp",
		"siglongjmp",
		"pthread_exit",
		"_ZSt9terminatev",
		"__libc_fatal",
		"_longjmp",
		"__longjmp_chk",
		"__cxa_bad_typeid",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	/* std::__throw_bad_alloc() and similar ones, __cxa_throw_bad_array_new_length() */
	return !strncmp(name, "_ZSt", 4) ? strstr(name, "__throw_") != NULL
					 : !strncmp(name, "__cxa_throw_", 12);
}

/* An allocation function may jump to these at its end, to fill its block (C17 7.24). */
static bool returns_first_argument(const char *name)
{
	static const char *const names[] = {"memset",       "memcpy",       "memmove",
					    "__memset_chk", "__memcpy_chk", "__memmove_chk"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

struct wanted {
	const char *name;
	size_t len;
	u64 vaddr;
};

static int find_definition(void *arg, const struct elf_symbol *symbol)
{
	struct wanted *w = arg;

	if (symbol->type != STT_FUNC || strncmp(symbol->name, w->name, w->len) != 0 ||
	    (symbol->name[w->len] && symbol->name[w->len] != '@'))
		return 0;
	w->vaddr = symbol->vaddr;
	return 1;
}

/* A library nearly always means its own function by its name; 0 if it is in another file. */
static u64 definition(const struct search *s, const char *name)
{
	struct wanted w = {.name = name, .len = strlen(name)};

	return elf_symbols_visit(s->file->f, ".dynsym", find_definition, &w) == 1 ? w.vaddr : 0;
}

/* Returns the import that a jump or call through a slot goes to; NULL if it is not one. */
static const char *slot_of(const struct search *s, const struct arch_insn *d)
{
	const char *name;

	if (!s->file->plt || !d->has_slot)
		return NULL;
	name = plt_slot_name(s->file->plt, d->slot);
	return name && strnlen(name, NAME_MAX_) < NAME_MAX_ ? name : NULL;
}

static bool decode(const struct search *s, u64 vaddr, struct arch_insn *d)
{
	if (!budget_take(elf_file_budget(s->file->f), BUDGET_CODE, DECODE_STEPS)) {
		s->g->too_large = true;
		return false;
	}
	return arch_insn_decode(elf_file_loaded(s->file->f, vaddr, ARCH_INSN_BYTES_MAX), vaddr, d);
}

/*
 * Returns the import of the procedure linkage table stub at `vaddr`; NULL if it is not a stub.
 */
static const char *stub_of(const struct search *s, u64 vaddr)
{
	struct arch_insn d;

	if (!decode(s, vaddr, &d))
		return NULL;
	if (d.is_landing_pad && !decode(s, vaddr + d.length, &d))
		return NULL;
	return d.flow == INSN_JUMP ? slot_of(s, &d) : NULL;
}

/* ---- nodes ---- */

/* Returns NULL without memory. Beyond the limit a node is not followed. */
static struct code_node *node_at(struct search *s, u64 vaddr)
{
	struct code_node *n;

	HASH_FIND(hh, s->g->nodes, &vaddr, sizeof(vaddr), n);
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->vaddr = vaddr;
	n->kind = CODE_PLAIN;
	n->condition = ARCH_CONDITION_NONE;
	n->moved_from = n->moved_to = n->cleared = ARCH_REG_NONE;
	if (HASH_CNT(hh, s->g->nodes) >= CODE_NODES_MAX) {
		s->g->too_large = true;
		n->kind = CODE_UNKNOWN;
	} else if (is_stopper(s, vaddr)) {
		n->kind = CODE_STOPPER;
	}
	HASH_ADD(hh, s->g->nodes, vaddr, sizeof(n->vaddr), n);
	if (HASH_ADDED(n))
		return n;
	free(n);
	return NULL;
}

static int link_to(struct search *s, u64 vaddr, struct code_node **out)
{
	*out = node_at(s, vaddr);
	return *out ? 0 : -ENOMEM;
}

/* ---- what an instruction does to registers ---- */

static void fill_effects(const struct search *s, struct code_node *n, const struct arch_insn *d)
{
	n->length = d->length;
	n->probeable = arch_probe_cost(d, false, s->file->request.kernel, &n->cost);
	n->written = d->written;
	n->moved_from = d->moved_from;
	n->moved_to = d->moved_to;
	n->cleared = d->cleared;
	n->stack_known = d->stack_known && d->stack_change >= INT16_MIN &&
			 d->stack_change <= INT32_MAX;
	n->stack_change = n->stack_known ? (s32)d->stack_change : 0;
	n->switches_stack = d->switches_stack;
	n->enters_kernel = d->enters_kernel;
}

/* ---- successors ---- */

/* If a call is the last instruction of its function's code, control does not continue after it,
 * because the called function does not return. */
static int go_on(struct search *s, struct code_node *n, enum code_kind at_end)
{
	u64 next = n->vaddr + n->length, end = function_end(s, n->vaddr);

	if (end && next < end)
		return link_to(s, next, &n->next);
	n->kind = end ? at_end : CODE_UNKNOWN;
	return 0;
}

/* Recognizes the tables of a switch. */
static bool is_table_jump(const struct search *s, const struct code_node *n,
			  const struct arch_insn *d)
{
	struct arch_insn before;

	if (d->is_table_jump)
		return true;
	return d->jump_reg != ARCH_REG_NONE && n->vaddr >= d->sum_bytes &&
	       decode(s, n->vaddr - d->sum_bytes, &before) && before.length == d->sum_bytes &&
	       before.sum_reg == d->jump_reg;
}

/* Every instruction of the function may be the next one. */
static int sweep(struct search *s, struct code_node *n)
{
	u64 at = function_start(s, n->vaddr), end = function_end(s, n->vaddr);
	struct arch_insn d;

	n->kind = end ? CODE_TABLE : CODE_UNKNOWN;
	while (end && at < end && !s->g->too_large) {
		struct code_node *to;

		if (!decode(s, at, &d)) {
			n->kind = CODE_UNKNOWN;
			return 0;
		}
		to = node_at(s, at);
		if (!to)
			return -ENOMEM;
		to->root = true;
		at += d.length;
	}
	return 0;
}

static int follow_import(struct search *s, struct code_node *n, const char *name)
{
	u64 vaddr = definition(s, name);

	if (never_returns(name)) {
		n->kind = CODE_STOPS;
		return 0;
	}
	n->kind = CODE_UNKNOWN;
	if (!vaddr && s->file->request.imports && allocator_is_c_name(name))
		n->kind = CODE_STOPPER;
	else if (!vaddr && returns_first_argument(name))
		n->kind = CODE_FIRST_ARGUMENT;
	if (!vaddr)
		return 0;
	n->kind = CODE_JUMP;
	return link_to(s, vaddr, &n->target);
}

static int follow_jump(struct search *s, struct code_node *n, const struct arch_insn *d)
{
	const char *name;

	if (d->has_target) {
		n->kind = CODE_JUMP;
		return link_to(s, d->target, &n->target);
	}
	name = slot_of(s, d);
	if (name)
		return follow_import(s, n, name);
	if (is_table_jump(s, n, d))
		return sweep(s, n);
	n->kind = CODE_UNKNOWN;
	return 0;
}

static int follow_call(struct search *s, struct code_node *n, const struct arch_insn *d)
{
	const char *name = d->has_target ? stub_of(s, d->target) : slot_of(s, d);
	u64 target = d->target;

	n->kind = CODE_CALL;
	n->written = 0;
	n->stack_known = true;
	n->stack_change = 0;
	if (name && never_returns(name)) {
		n->kind = CODE_STOPS;
		return 0;
	}
	if (name)
		target = definition(s, name);
	n->calls_stopper = target && is_stopper(s, target);
	return go_on(s, n, CODE_STOPS);
}

static int follow_branch(struct search *s, struct code_node *n, const struct arch_insn *d)
{
	int err;

	n->kind = CODE_BRANCH;
	n->condition = d->condition;
	err = link_to(s, d->target, &n->target);
	return err ? err : go_on(s, n, CODE_UNKNOWN);
}

static int follow(struct search *s, struct code_node *n, const struct arch_insn *d)
{
	switch (d->flow) {
	case INSN_RETURN:
		n->kind = CODE_RETURN;
		return 0;
	case INSN_OTHER_RETURN:
		n->kind = CODE_UNKNOWN;
		return 0;
	case INSN_JUMP:
		return follow_jump(s, n, d);
	case INSN_CALL:
		return follow_call(s, n, d);
	case INSN_BRANCH:
		return follow_branch(s, n, d);
	case INSN_STOPS:
		n->kind = CODE_STOPS;
		return 0;
	default:
		return go_on(s, n, CODE_UNKNOWN);
	}
}

static int expand(struct search *s, struct code_node *n)
{
	struct arch_insn d;

	if (n->kind != CODE_PLAIN)
		return 0;
	if (!elf_file_is_code(s->file->f, n->vaddr) || !decode(s, n->vaddr, &d)) {
		n->kind = CODE_UNKNOWN;
		return 0;
	}
	fill_effects(s, n, &d);
	return follow(s, n, &d);
}

int code_graph_build(struct code_file *file, u64 vaddr, u64 size, struct code_graph *out)
{
	struct search s = {.file = file, .g = out, .entry = vaddr};
	int err = 0;

	*out = (struct code_graph){0};
	if (!elf_file_is_code(file->f, vaddr))
		return -ENOENT;
	if (__builtin_add_overflow(vaddr, size, &s.entry_end))
		s.entry_end = vaddr;
	out->entry = node_at(&s, vaddr);
	if (!out->entry)
		return -ENOMEM;
	out->entry->root = true;
	/* Nodes that are found on the way are appended. */
	for (struct code_node *n = out->nodes; n && !err; n = n->hh.next)
		err = expand(&s, n);
	if (err)
		code_graph_release(out);
	return err;
}

void code_graph_release(struct code_graph *g)
{
	struct code_node *n, *next;

	HASH_ITER(hh, g->nodes, n, next) {
		HASH_DEL(g->nodes, n);
		free(n);
	}
	g->entry = NULL;
}
