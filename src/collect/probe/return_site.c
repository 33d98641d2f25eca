/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where the result of a function is known: see return_site.h. */
#include "collect/probe/return_site.h"

#include <errno.h>
#include <stddef.h>

#include "arch/calls.h"

/* Values of code_node.value: the register whose contents at the node will be returned. */
enum value {
	VALUE_ZERO = 32, /* no register, because the result is 0 */
	VALUE_NONE, /* not in a single register yet */
	VALUE_ANY, /* nothing is returned from here */
};

enum depth_state { DEPTH_UNKNOWN, DEPTH_KNOWN, DEPTH_VARIES };

static bool is_register(u8 value)
{
	return value < VALUE_ZERO;
}

/* ---- what is returned, seen from each node ---- */

static u8 value_meet(u8 a, u8 b)
{
	if (a == VALUE_ANY)
		return b;
	return b == VALUE_ANY || a == b ? a : VALUE_NONE;
}

/* Compares a register of code_node, which may be none, with a known one. */
static bool is_same(s8 reg, u8 value)
{
	return reg >= 0 && (u8)reg == value;
}

static u8 value_before(const struct code_node *n, u8 after)
{
	if (!is_register(after))
		return after;
	if (n->kind == CODE_CALL)
		return arch_calls.preserved & 1u << after ? after : VALUE_NONE;
	if (is_same(n->moved_to, after))
		return (u8)n->moved_from;
	if (is_same(n->cleared, after))
		return VALUE_ZERO;
	return n->written & 1u << after ? VALUE_NONE : after;
}

static u8 value_of(const struct code_node *n)
{
	u8 after = VALUE_ANY;

	switch (n->kind) {
	case CODE_RETURN:
		return arch_calls.result;
	case CODE_FIRST_ARGUMENT:
		return arch_calls.argument[0];
	case CODE_TABLE:
	case CODE_UNKNOWN:
		return VALUE_NONE;
	case CODE_STOPS:
	case CODE_STOPPER:
		return VALUE_ANY;
	default:
		break;
	}
	if (n->target)
		after = value_meet(after, n->target->value);
	if (n->next)
		after = value_meet(after, n->next->value);
	return value_before(n, after);
}

/* The list is walked backwards, because what follows a node was mostly found after it. */
static struct code_node *last_node(const struct code_graph *g)
{
	return ELMT_FROM_HH(g->nodes->hh.tbl, g->nodes->hh.tbl->tail);
}

/* Begins a pass over all nodes; false if the last one changed nothing, or the budget is used up. */
static bool next_pass(struct code_file *file, struct code_graph *g, bool changed)
{
	if (changed && !code_file_pay(file, HASH_CNT(hh, g->nodes)))
		g->too_large = true;
	return changed && !g->too_large;
}

static void find_values(struct code_file *file, struct code_graph *g)
{
	bool changed = true;

	for (struct code_node *n = g->nodes; n; n = n->hh.next)
		n->value = VALUE_ANY;
	while (next_pass(file, g, changed)) {
		changed = false;
		for (struct code_node *n = last_node(g); n; n = n->hh.prev) {
			u8 value = value_of(n);

			changed |= value != n->value;
			n->value = value;
		}
	}
}

/* ---- how deep the stack is at each node ---- */

static bool depth_flows(struct code_node *to, enum depth_state state, s64 depth)
{
	if (to->depth_state == DEPTH_VARIES)
		return false;
	if (depth < 0 || depth > INT32_MAX)
		state = DEPTH_VARIES;
	if (to->depth_state == DEPTH_KNOWN && (state == DEPTH_VARIES || to->depth != depth)) {
		to->depth_state = DEPTH_VARIES;
		return true;
	}
	if (to->depth_state == DEPTH_KNOWN)
		return false;
	to->depth_state = (u8)state;
	to->depth = state == DEPTH_KNOWN ? (s32)depth : 0;
	return true;
}

static void find_depths(struct code_file *file, struct code_graph *g)
{
	bool changed = true;

	g->entry->depth_state = DEPTH_KNOWN;
	while (next_pass(file, g, changed)) {
		changed = false;
		for (struct code_node *n = g->nodes; n; n = n->hh.next) {
			enum depth_state state = n->stack_known ? n->depth_state : DEPTH_VARIES;
			s64 depth = (s64)n->depth + n->stack_change;

			if (n->depth_state == DEPTH_UNKNOWN)
				continue;
			if (n->target)
				changed |= depth_flows(n->target, state, depth);
			if (n->next)
				changed |= depth_flows(n->next, state, depth);
		}
	}
}

/* ---- which return paths have a place where the result is known ---- */

/* A function that is jumped to finds the return address where its entry expects it, whatever led
 * there. */
static bool is_at_return_address(const struct code_node *to)
{
	return to->kind == CODE_FIRST_ARGUMENT ||
	       (to->next && to->next->kind == CODE_FIRST_ARGUMENT); /* after a landing pad */
}

/* A cheap probe at `n` knows the result when control continues at `to`. */
static bool is_candidate(const struct code_node *n, const struct code_node *to,
			 const struct return_request *request)
{
	if (request->in_memory || !n->probeable || n->cost == PROBE_COST_STEPPED ||
	    n->vaddr == request->entry_site)
		return false;
	if (n->depth_state != DEPTH_KNOWN && !is_at_return_address(to))
		return false;
	if (n->kind == CODE_BRANCH && n->condition == ARCH_CONDITION_NONE)
		return false;
	return is_register(to->value) && is_register(value_before(n, to->value));
}

static bool edge_covered(const struct code_node *n, const struct code_node *to,
			 const struct return_request *request)
{
	return !to || to->covered || is_candidate(n, to, request);
}

/* Execution leaves the known code here, and the result with it. */
static bool leaves(const struct code_node *n)
{
	return n->kind == CODE_RETURN || n->kind == CODE_FIRST_ARGUMENT || n->kind == CODE_TABLE ||
	       n->kind == CODE_UNKNOWN;
}

/* The probes of the function at which the graph stops see this call return as well. */
static bool is_left_to_others(const struct code_node *n)
{
	return n->kind == CODE_STOPS || n->kind == CODE_STOPPER;
}

/* A call that fails needs no probe, because the next one finds what it leaves behind. If the result
 * is in memory, 0 does not mean failure. */
static bool has_failed(const struct code_node *n, const struct return_request *request)
{
	return n->value == VALUE_ZERO && !request->in_memory;
}

static bool is_covered(const struct code_node *n, const struct return_request *request)
{
	if (has_failed(n, request) || is_left_to_others(n))
		return true;
	return !leaves(n) && edge_covered(n, n->target, request) &&
	       edge_covered(n, n->next, request);
}

/* A mark of nodes, and what is true of a node that keeps it. It may depend on the marks of the
 * nodes that follow. */
struct node_mark {
	size_t offset; /* of a bool in struct code_node */
	bool (*holds)(const struct code_node *n, const struct return_request *request);
};

static bool *mark_in(struct code_node *n, const struct node_mark *mark)
{
	return (bool *)((char *)n + mark->offset);
}

/* Marks all nodes, and then takes the mark from those that may not keep it, until none is left. */
static void find_marked(struct code_file *file, struct code_graph *g, const struct node_mark *mark,
			const struct return_request *request)
{
	bool changed = true;

	for (struct code_node *n = g->nodes; n; n = n->hh.next)
		*mark_in(n, mark) = true;
	while (next_pass(file, g, changed)) {
		changed = false;
		for (struct code_node *n = last_node(g); n; n = n->hh.prev) {
			if (*mark_in(n, mark) && !mark->holds(n, request)) {
				*mark_in(n, mark) = false;
				changed = true;
			}
		}
	}
}

static const struct node_mark covered = {offsetof(struct code_node, covered), is_covered};

/* ---- whether another function's probes suffice ---- */

static bool is_delegated(const struct code_node *n, const struct return_request *request)
{
	if (leaves(n))
		return false;
	if (is_left_to_others(n) || n->calls_stopper || has_failed(n, request))
		return true;
	return (!n->target || n->target->delegated) && (!n->next || n->next->delegated);
}

static const struct node_mark delegated = {offsetof(struct code_node, delegated), is_delegated};

static bool reaches_stopper(const struct code_graph *g)
{
	for (const struct code_node *n = g->nodes; n; n = n->hh.next) {
		if (n->kind == CODE_STOPPER || n->calls_stopper)
			return true;
	}
	return false;
}

static bool all_delegated(struct code_file *file, struct code_graph *g,
			  const struct return_request *request)
{
	if (!reaches_stopper(g))
		return false;
	find_marked(file, g, &delegated, request);
	for (const struct code_node *n = g->nodes; n; n = n->hh.next) {
		if (n->root && !n->delegated)
			return false;
	}
	return true;
}

static bool is_closed(const struct code_graph *g)
{
	for (const struct code_node *n = g->nodes; n; n = n->hh.next) {
		if (n->kind == CODE_CALL || n->kind == CODE_STOPPER || n->kind == CODE_UNKNOWN ||
		    n->kind == CODE_FIRST_ARGUMENT || n->kind == CODE_STOPS || n->switches_stack ||
		    n->enters_kernel)
			return false;
	}
	return true;
}

/* ---- the choice ---- */

/* Picks the last places on each path, which the fewest other paths have in common. */
static bool pick_edge(const struct code_node *n, struct code_node *to,
		      const struct return_request *request)
{
	if (!to)
		return false;
	if (is_candidate(n, to, request) && !to->covered)
		return true;
	to->open = true;
	return false;
}

static void pick(struct code_file *file, struct code_graph *g, const struct return_request *request)
{
	bool changed = true;

	for (struct code_node *n = g->nodes; n; n = n->hh.next)
		n->open = n->root;
	while (next_pass(file, g, changed)) {
		changed = false;
		for (struct code_node *n = g->nodes; n; n = n->hh.next) {
			if (!n->open || n->expanded)
				continue;
			changed = n->expanded = true;
			if (n->value == VALUE_ZERO && !request->in_memory)
				continue;
			n->pick_target = pick_edge(n, n->target, request);
			n->pick_next = pick_edge(n, n->next, request);
		}
	}
}

static u8 dwarf_of(const struct code_node *n, const struct code_node *to, bool picked)
{
	u8 value = picked ? value_before(n, to->value) : VALUE_NONE;

	return is_register(value) ? value : RETURN_REG_NONE;
}

static void unseen(struct return_sites *out, u64 vaddr, const char *why)
{
	if (out->answer == RETURN_UNSEEN)
		return;
	out->answer = RETURN_UNSEEN;
	out->why = why;
	out->where = vaddr;
}

static int add_site(struct code_file *file, const struct code_node *n, struct return_sites *out)
{
	struct elf_file *f = code_file_elf(file);
	struct return_site site = {.vaddr = n->vaddr, .condition = n->condition, .cost = n->cost};

	if (!elf_file_vaddr_to_offset(f, n->vaddr, &site.file_offset)) {
		unseen(out, n->vaddr, "code that is not in the file");
		return 0;
	}
	if (n->kind == CODE_RETURN) {
		site.taken = site.passed = arch_calls.result;
	} else {
		site.stack_bytes = n->depth_state == DEPTH_KNOWN ? (u32)n->depth : 0;
		site.taken = dwarf_of(n, n->target, n->pick_target);
		site.passed = dwarf_of(n, n->next, n->pick_next);
		if (n->kind != CODE_BRANCH)
			site.taken = site.passed = n->pick_target ? site.taken : site.passed;
	}
	arch_insn_text(elf_file_loaded(f, n->vaddr, n->length), n->vaddr, site.text,
		       sizeof(site.text));
	out->stepped |= n->cost == PROBE_COST_STEPPED;
	return vec_push(&out->sites, site);
}

static int collect(struct code_file *file, const struct code_graph *g, struct return_sites *out)
{
	int err = 0;

	for (const struct code_node *n = g->nodes; n && !err; n = n->hh.next) {
		if (n->pick_next || n->pick_target)
			err = add_site(file, n, out);
		if (!n->open || n->value == VALUE_ZERO)
			continue;
		if (n->kind == CODE_UNKNOWN || n->kind == CODE_FIRST_ARGUMENT)
			unseen(out, n->vaddr, "a jump to where it is not known");
		else if (n->kind == CODE_RETURN && !n->probeable)
			unseen(out, n->vaddr, "a return that takes no probe");
		else if (n->kind == CODE_RETURN)
			err = add_site(file, n, out);
	}
	if (!err && !out->sites.len && !reaches_stopper(g))
		unseen(out, g->entry->vaddr, "no return at all");
	return err;
}

int return_sites_find(struct code_file *file, const struct return_request *request,
		      struct return_sites *out)
{
	struct code_graph g;
	int err;

	*out = (struct return_sites){.answer = RETURN_SEEN};
	err = code_graph_build(file, request->vaddr, request->size, &g);
	if (err == -ENOENT) {
		unseen(out, request->vaddr, "no code");
		return 0;
	}
	if (err)
		return err;
	find_values(file, &g);
	find_depths(file, &g);
	find_marked(file, &g, &covered, request);
	out->closed = is_closed(&g);
	out->delegated = all_delegated(file, &g, request);
	pick(file, &g, request);
	if (g.too_large) {
		out->closed = out->delegated = false;
		unseen(out, request->vaddr, "too much code");
	} else {
		err = collect(file, &g, out);
	}
	code_graph_release(&g);
	return err;
}

void return_sites_release(struct return_sites *sites)
{
	vec_release(&sites->sites);
}
