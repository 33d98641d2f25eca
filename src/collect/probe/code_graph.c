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

#define INSN_MAX 15 /* in bytes (Intel SDM volume 2, 2.3.11) */
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

/* Returns the import that `jmp *slot(%rip)` or `call *slot(%rip)` goes to; NULL if it is not
 * one. */
static const char *slot_of(const struct search *s, const struct probe_insn *d, u64 vaddr)
{
	const ZydisDecodedOperand *op = &d->operands[0];
	const char *name;

	if (!s->file->plt || op->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    op->mem.base != ZYDIS_REGISTER_RIP || op->mem.index != ZYDIS_REGISTER_NONE)
		return NULL;
	name = plt_slot_name(s->file->plt, vaddr + d->insn.length + (u64)op->mem.disp.value);
	return name && strnlen(name, NAME_MAX_) < NAME_MAX_ ? name : NULL;
}

static bool decode(const struct search *s, u64 vaddr, struct probe_insn *d)
{
	if (!budget_take(elf_file_budget(s->file->f), BUDGET_CODE, DECODE_STEPS)) {
		s->g->too_large = true;
		return false;
	}
	return probe_insn_decode(elf_file_loaded(s->file->f, vaddr, INSN_MAX), 0, d);
}

/*
 * Returns the import of the procedure linkage table stub at `vaddr`; NULL if it is not a stub.
 */
static const char *stub_of(const struct search *s, u64 vaddr)
{
	struct probe_insn d;

	if (!decode(s, vaddr, &d))
		return NULL;
	if (d.insn.mnemonic == ZYDIS_MNEMONIC_ENDBR64) {
		vaddr += d.insn.length;
		if (!decode(s, vaddr, &d))
			return NULL;
	}
	return d.insn.mnemonic == ZYDIS_MNEMONIC_JMP ? slot_of(s, &d, vaddr) : NULL;
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
	n->condition = CODE_NO_CONDITION;
	n->moved_from = n->moved_to = n->cleared = -1;
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

static s8 single(u16 set)
{
	return set ? (s8)__builtin_ctz(set) : -1;
}

static bool is_same_register(const struct probe_insn *d)
{
	return d->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->operands[0].reg.value == d->operands[1].reg.value;
}

/* This is xor %eax,%eax or mov $0,%eax. */
static bool clears(const struct probe_insn *d)
{
	ZydisRegisterClass class;

	if (d->operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	class = ZydisRegisterGetClass(d->operands[0].reg.value);
	if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32)
		return false;
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_SUB:
		return is_same_register(d);
	case ZYDIS_MNEMONIC_MOV:
		return d->operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		       !d->operands[1].imm.value.u;
	default:
		return false;
	}
}

/* Aligning it, and going back to the frame pointer, stay on the same stack. */
static bool switches_stack(const struct probe_insn *d)
{
	const ZydisDecodedOperand *op = d->operands;
	s64 change;

	if (probe_insn_stack(d, &change))
		return false;
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_LEAVE:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_RET:
		return false;
	case ZYDIS_MNEMONIC_LEA:
		return op[1].mem.base != ZYDIS_REGISTER_RBP && op[1].mem.base != ZYDIS_REGISTER_RSP;
	case ZYDIS_MNEMONIC_MOV:
		return op[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
		       op[1].reg.value != ZYDIS_REGISTER_RBP;
	default:
		return true;
	}
}

static void fill_effects(const struct search *s, struct code_node *n, const struct probe_insn *d)
{
	s64 change;

	n->length = d->insn.length;
	n->probeable = probe_insn_cost(d, n->vaddr, false, s->file->request.kernel, &n->cost);
	n->written = probe_insn_written(d);
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
		n->moved_to = single(probe_insn_register(&d->operands[0]));
		n->moved_from = single(probe_insn_register(&d->operands[1]));
	}
	if (n->moved_to < 0 || n->moved_from < 0)
		n->moved_to = n->moved_from = -1;
	if (clears(d))
		n->cleared = (s8)__builtin_ctz(n->written);
	n->stack_known = probe_insn_stack(d, &change) && change >= INT16_MIN && change <= INT32_MAX;
	n->stack_change = n->stack_known ? (s32)change : 0;
	n->switches_stack = switches_stack(d);
	n->enters_kernel = probe_insn_leaves(d);
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

/* Recognizes the tables of a switch: jmp *table(,%rax,8), notrack jmp *%rax, or add %rdx,%rax; jmp
 * *%rax. */
static bool is_table_jump(const struct search *s, const struct code_node *n,
			  const struct probe_insn *d)
{
	const ZydisDecodedOperand *op = &d->operands[0];
	struct probe_insn before;

	if (d->insn.attributes & ZYDIS_ATTRIB_HAS_NOTRACK)
		return true;
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return op->mem.index != ZYDIS_REGISTER_NONE && op->mem.scale == 8;
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER || n->vaddr < 3 ||
	    !decode(s, n->vaddr - 3, &before))
		return false;
	return before.insn.length == 3 && before.insn.mnemonic == ZYDIS_MNEMONIC_ADD &&
	       before.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       before.operands[0].reg.value == op->reg.value;
}

/* Every instruction of the function may be the next one. */
static int sweep(struct search *s, struct code_node *n)
{
	u64 at = function_start(s, n->vaddr), end = function_end(s, n->vaddr);
	struct probe_insn d;

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
		at += d.insn.length;
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

static int follow_jump(struct search *s, struct code_node *n, const struct probe_insn *d)
{
	const char *name;
	u64 target;

	if (probe_insn_target(d, n->vaddr, &target)) {
		n->kind = CODE_JUMP;
		return link_to(s, target, &n->target);
	}
	name = slot_of(s, d, n->vaddr);
	if (name)
		return follow_import(s, n, name);
	if (is_table_jump(s, n, d))
		return sweep(s, n);
	n->kind = CODE_UNKNOWN;
	return 0;
}

static int follow_call(struct search *s, struct code_node *n, const struct probe_insn *d)
{
	const char *name = NULL;
	u64 target = 0;

	n->kind = CODE_CALL;
	n->written = 0;
	n->stack_known = true;
	n->stack_change = 0;
	if (probe_insn_target(d, n->vaddr, &target))
		name = stub_of(s, target);
	else
		name = slot_of(s, d, n->vaddr);
	if (name && never_returns(name)) {
		n->kind = CODE_STOPS;
		return 0;
	}
	if (name)
		target = definition(s, name);
	n->calls_stopper = target && is_stopper(s, target);
	return go_on(s, n, CODE_STOPS);
}

static int follow_branch(struct search *s, struct code_node *n, const struct probe_insn *d,
			 u64 target)
{
	int err;

	n->kind = CODE_BRANCH;
	if (n->cost == PROBE_COST_EMULATED)
		n->condition = d->insn.opcode & 15;
	err = link_to(s, target, &n->target);
	return err ? err : go_on(s, n, CODE_UNKNOWN);
}

static int follow(struct search *s, struct code_node *n, const struct probe_insn *d)
{
	u64 target;

	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_RET:
		n->kind = d->insn.mnemonic == ZYDIS_MNEMONIC_RET && !d->insn.operand_count_visible
				  ? CODE_RETURN
				  : CODE_UNKNOWN;
		return 0;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return follow_jump(s, n, d);
	case ZYDIS_CATEGORY_CALL:
		return follow_call(s, n, d);
	default:
		break;
	}
	if (probe_insn_target(d, n->vaddr, &target))
		return follow_branch(s, n, d, target);
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
		n->kind = CODE_STOPS;
		return 0;
	default:
		return go_on(s, n, CODE_UNKNOWN);
	}
}

static int expand(struct search *s, struct code_node *n)
{
	struct probe_insn d;

	if (n->kind != CODE_PLAIN)
		return 0;
	if (!elf_vaddr_is_code(s->file->f, n->vaddr) || !decode(s, n->vaddr, &d)) {
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
	if (!elf_vaddr_is_code(file->f, vaddr))
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
