/* SPDX-License-Identifier: Apache-2.0 */
/* Finds places for probes on the functions of an allocator: see probe_file_impl.h. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collect/probe/probe_file_impl.h"
#include "collect/probe/probe_site.h"
#include "elf/dynamic_flags.h"

/* ---- what a place means ---- */

static struct heap_arg register_arg(const struct probe_site *at, s8 argument)
{
	return (struct heap_arg){
		.kind = HEAP_ARG_REG, .size = 8, .reg = heap_register(at->arg_reg[argument])};
}

static void fill_site(struct heap_site *site, const struct alloc_function *function,
		      const struct probe_site *at)
{
	const struct alloc_signature *sig = alloc_signature(function->kind);

	*site = (struct heap_site){.function = ALLOC_FN_ALLOC, .stack_bytes = at->stack_bytes};
	if (!sig->allocates) {
		site->function = ALLOC_FN_FREE;
		site->args[0] = register_arg(at, sig->old);
		return;
	}
	site->args[0] = register_arg(at, sig->size);
	if (sig->count >= 0) {
		site->flags |= ALLOC_FN_PRODUCT;
		site->args[1] = register_arg(at, sig->count);
	}
	if (sig->block >= 0) {
		site->flags |= ALLOC_FN_STORED;
		site->args[2] = register_arg(at, sig->block);
	}
	if (sig->old >= 0) {
		site->function = ALLOC_FN_REALLOC;
		site->args[2] = register_arg(at, sig->old);
	}
	if (function->kind == ALLOC_PVALLOC)
		site->flags |= ALLOC_FN_PAGES;
	if (function->kind != ALLOC_MALLOC || function->named)
		site->flags |= ALLOC_FN_JUMPS;
}

static u32 args_needed(const struct alloc_signature *sig)
{
	u32 mask = 0;

	mask |= sig->size >= 0 ? 1u << sig->size : 0;
	mask |= sig->count >= 0 ? 1u << sig->count : 0;
	mask |= sig->old >= 0 ? 1u << sig->old : 0;
	mask |= sig->block >= 0 ? 1u << sig->block : 0;
	return mask;
}

static void note_cost(struct probe_file *f, enum alloc_kind kind, u32 ns)
{
	if (kind == ALLOC_MALLOC && ns > f->alloc_ns)
		f->alloc_ns = ns;
	if (kind == ALLOC_FREE && ns > f->free_ns)
		f->free_ns = ns;
}

/* ---- every function ---- */

/*
 * An unknown allocator may be left in any way, whatever its functions are called: a malloc that
 * throws at its limit, or that signal handlers may call while it runs.
 */
static bool needs_results(const struct allocator *a, const struct alloc_function *function)
{
	return function->may_throw || a->id == ALLOCATOR_UNKNOWN || a->id == ALLOCATOR_NAMED;
}

static uprobe_places *places_of(struct probe_file *f, const struct alloc_signature *sig,
				enum function_returns returns)
{
	if (!sig->allocates)
		return &f->frees;
	return returns == RETURNS_PROBED ? &f->allocs : &f->entries;
}

static int function_put(struct file_reading *in, const struct alloc_function *function,
			const struct probe_site *at, enum function_returns returns)
{
	const struct alloc_signature *sig = alloc_signature(function->kind);
	struct probe_file *f = in->f;
	struct code_span code = {function->offset,
				 function->offset + (function->size ? function->size : 1)};
	struct heap_site site;
	int err;

	fill_site(&site, function, at);
	site.flags |= returns == RETURNS_AT_RESULTS ? ALLOC_FN_RESULTS : 0;
	site.flags |= returns == RETURNS_HIDDEN ? ALLOC_FN_UNSEEN : 0;
	note_cost(f, function->kind,
		  probe_cost_ns(at->cost, returns == RETURNS_PROBED && sig->allocates &&
							  (in->r->returns || in->first)
						  ? PROBE_RETURN
						  : PROBE_ENTRY));
	err = reading_put_site(in, &site, at->file_offset, places_of(f, sig, returns));
	if (!err)
		err = vec_push(&f->base.probed, code);
	return err || !sig->allocates ? err : vec_push(&f->ranges, code);
}

/* Finds places for its entry and for all its returns, single-stepped or not. Returns -ENOTSUP if
 * there are none. */
static int find_apart(struct file_reading *in, const struct allocator *a,
		      const struct alloc_function *function, const struct probe_request *request,
		      bool stepped, struct probe_site *at)
{
	struct return_request returns = {.vaddr = function->vaddr,
					 .size = function->size,
					 .in_memory = alloc_signature(function->kind)->block >= 0};
	struct return_sites sites = {0};
	int err;

	if (probe_site_in_file(in->elf, function->vaddr, function->size, request, at) ||
	    (at->cost == PROBE_COST_STEPPED && !stepped))
		return -ENOTSUP;
	err = reading_find_code(in, a);
	if (err || !in->code)
		return err ? err : -ENOTSUP;
	returns.entry_site = function->vaddr + at->offset;
	err = return_sites_find(in->code, &returns, &sites);
	if (!err && (sites.answer != RETURN_SEEN || (sites.stepped && !stepped)))
		err = -ENOTSUP;
	if (!err)
		err = reading_put_results(in, function, &sites);
	return_sites_release(&sites);
	return err;
}

static bool has_place(const uprobe_places *places, u64 offset)
{
	vec_for_each(places, place) {
		if (place->offset == offset)
			return true;
	}
	return false;
}

/* A signal handler does not call a known allocator while it runs, so a return probe for each call
 * is only an overhead. */
static int apart_add(struct file_reading *in, const struct allocator *a,
		     const struct alloc_function *function, struct probe_request request,
		     const struct probe_site *first)
{
	bool known = !needs_results(a, function);
	struct probe_site at;
	int err;

	if (!has_place(&in->first->allocs, first->file_offset))
		return 0;
	request.purpose = PROBE_ENTRY;
	request.min_offset = first->offset + 1;
	err = find_apart(in, a, function, &request, !known, &at);
	if (err == -ENOTSUP && known) {
		log_info(in->r->log, "%s of %s: each call has a return probe", function->name,
			 in->path);
		return function_put(in, function, first, RETURNS_PROBED);
	}
	if (err == -ENOTSUP) {
		log_warn(in->r->log,
			 "%s of %s: its calls are not seen, since another recording has return "
			 "probes on it",
			 function->name, in->path);
		return 0;
	}
	if (err)
		return err;
	log_info(in->r->log, "%s+%u: %s (%s)", function->name, at.offset, at.text,
		 probe_cost_name(at.cost));
	return function_put(in, function, &at, RETURNS_AT_RESULTS);
}

static int function_add(struct file_reading *in, const struct allocator *a,
			const struct alloc_function *function)
{
	const struct alloc_signature *sig = alloc_signature(function->kind);
	struct probe_request request = {
		.args = args_needed(sig),
		.moved_args = true,
		.purpose = sig->allocates ? PROBE_RETURN : PROBE_ENTRY,
		.kernel = in->r->kernel,
	};
	enum function_returns returns = RETURNS_PROBED;
	struct probe_site at;
	int err = probe_site_in_file(in->elf, function->vaddr, function->size, &request, &at);

	if (err) {
		log_warn(in->r->log, "no probe fits on %s of %s: its calls are not seen",
			 function->name, in->path);
		return 0;
	}
	if (in->first)
		return apart_add(in, a, function, request, &at);
	if (sig->allocates && needs_results(a, function)) {
		err = reading_find_code(in, a);
		if (!err)
			err = reading_find_returns(in, function, function->vaddr + at.offset,
						   &returns);
	}
	if (err || returns == RETURNS_ELSEWHERE)
		return err;
	log_info(in->r->log, "%s+%u: %s (%s)", function->name, at.offset, at.text,
		 probe_cost_name(at.cost));
	return function_put(in, function, &at, returns);
}

/* Those of glibc and musl only call realloc, whose probe sees them. */
static bool is_covered(const struct allocator *a, const struct alloc_function *function)
{
	return function->kind == ALLOC_REALLOCARRAY &&
	       (a->id == ALLOCATOR_GLIBC || a->id == ALLOCATOR_MUSL);
}

/* A user would expect an allocator in the program and in a C library. */
static bool is_expected(const struct file_reading *in)
{
	const char *base = strrchr(in->path, '/');

	return elf_file_type(in->elf) == ET_EXEC || (base && !strncmp(base, "/libc", 5));
}

int reading_find_allocator(struct file_reading *in)
{
	struct probe_file *f = in->f;
	struct allocator a = {0};
	int err = allocator_find(in->elf, in->r->names, &a);

	if (!err && elf_has_text_relocations(in->elf)) {
		/* The kernel would execute unrelocated instructions as they are. */
		log_warn(in->r->log,
			 "no probes in %s: the dynamic linker changes its code (text relocations)",
			 in->path);
		allocator_release(&a);
		return 0;
	}
	if (err == -ENOENT) {
		err = 0;
		if (is_expected(in) && asprintf(&f->searched, "%s: %s", in->path, a.searched) < 0)
			err = -ENOMEM;
	} else if (!err && asprintf(&f->title, "%s (%s)", a.text, in->path) < 0) {
		err = -ENOMEM;
	}
	vec_for_each(&a.functions, function) {
		if (!err && !is_covered(&a, function) &&
		    (in->r->live || alloc_signature(function->kind)->allocates))
			err = function_add(in, &a, function);
	}
	allocator_release(&a);
	return err;
}
