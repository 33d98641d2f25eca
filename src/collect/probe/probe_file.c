/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the functions of one file: see probe_file.h. */
#include "collect/probe/probe_file.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/machine.h"
#include "collect/probe/probe_site.h"
#include "collect/probe/return_site.h"
#include "elf/symbols.h"
#include "elf/text_relocations.h"
#include "elf/usdt.h"

#define PROVIDER "otel_memory"

struct reading {
	struct function_reader *r;
	struct elf_file *elf;
	const char *path;
	struct probe_file *f;
	const struct probe_file
		*first; /* the file with other places, if `f` is kept apart from them; or NULL */
	/* for functions without a return probe; NULL if there was none yet */
	struct code_file *code;
	VEC(u64) entries; /* of the allocating functions, sorted */
	/* that already have a probe, because functions share their ends */
	VEC(struct return_site) results;
};

static int site_put(struct reading *in, struct heap_site *site, u64 offset, uprobe_places *places)
{
	int err = site_table_put(&in->r->sites, site);

	if (err)
		return err;
	err = vec_push(places, (struct uprobe_place){.offset = offset, .cookie = site->number});
	if (err)
		site_table_give_back(&in->r->sites, site->number);
	return err ? err : code_spans_add_place(&in->f->base.probed, offset);
}

/* ---- an allocator's functions ---- */

static u8 heap_register(u8 dwarf)
{
	int offset = arch_pt_regs_offset(dwarf);

	return offset < 0 ? ARCH_WORD_NONE : (u8)(offset / 8);
}

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

/* ---- functions that must not have a return probe ---- */

static int compare_addresses(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Without code (because its budget ran out) every function hides its returns. */
static int code_begin(struct reading *in, const struct allocator *a)
{
	int err;

	if (in->code || in->entries.len)
		return 0;
	vec_for_each(&a->functions, function) {
		if (alloc_signature(function->kind)->allocates &&
		    vec_push(&in->entries, function->vaddr))
			return -ENOMEM;
	}
	qsort(in->entries.data, in->entries.len, sizeof(*in->entries.data), compare_addresses);
	err = code_file_new(in->elf,
			    &(struct code_request){.stoppers = in->entries.data,
						   .nstoppers = in->entries.len,
						   .imports = !in->r->alone,
						   .kernel = in->r->kernel},
			    &in->code);
	return err == -E2BIG ? 0 : err;
}

static struct heap_arg result_arg(u8 dwarf)
{
	if (dwarf == RETURN_REG_NONE)
		return (struct heap_arg){.kind = HEAP_ARG_NONE};
	return (struct heap_arg){.kind = HEAP_ARG_REG, .size = 8, .reg = heap_register(dwarf)};
}

static bool has_result(const struct reading *in, const struct return_site *site)
{
	vec_for_each(&in->results, r) {
		if (r->vaddr == site->vaddr && r->taken == site->taken &&
		    r->passed == site->passed && r->stack_bytes == site->stack_bytes)
			return true;
	}
	return false;
}

static int result_add(struct reading *in, const struct return_site *at)
{
	struct heap_site site = {
		.function = ALLOC_FN_RESULT,
		.args = {result_arg(at->taken), result_arg(at->passed)},
		.condition = at->condition,
		.stack_bytes = at->stack_bytes,
		.cost_ns = probe_cost_ns(at->cost, PROBE_ENTRY),
	};

	if (has_result(in, at))
		return 0;
	if (vec_push(&in->results, *at))
		return -ENOMEM;
	return site_put(in, &site, at->file_offset, &in->f->results);
}

/* Says how the returns of a function are seen. */
enum function_returns {
	RETURNS_PROBED, /* by a return probe, because it cannot be left in another way */
	RETURNS_AT_RESULTS, /* by probes where its result is known */
	RETURNS_HIDDEN, /* not at all, so it counts when it is called */
	/* everything that it returns comes from another function, whose returns are seen */
	RETURNS_ELSEWHERE,
};

static int add_results(struct reading *in, const struct alloc_function *function,
		       const struct return_sites *sites)
{
	int err = 0;

	vec_for_each(&sites->sites, site) {
		log_info(in->r->log, "%s returns at %#llx: %s (%s)", function->name,
			 (unsigned long long)site->vaddr, site->text, probe_cost_name(site->cost));
		if (!err)
			err = result_add(in, site);
	}
	return err;
}

static void say_hidden(const struct reading *in, const struct alloc_function *function,
		       const struct return_sites *sites)
{
	if (!in->r->live)
		return;
	log_warn(in->r->log,
		 "%s of %s: its allocations are counted, but not followed until they are freed: a "
		 "return probe would be fatal if it is left in another way than by a return, and "
		 "%s (at %#llx) hides where it returns; \"cprof allocs\" needs no more, and "
		 "--alloc malloc=NAME can name the function that it calls",
		 function->name, in->path, sites->why, (unsigned long long)sites->where);
}

/*
 * A function that an exception or a switch of stacks may leave gets no return probe, because that
 * would be fatal. But single-stepping every return costs twenty times as much, so closed code may
 * have one: only a signal handler can come between, and the session's program detects that
 * (bpf/heap_return.bpf.h).
 */
static enum function_returns judge(const struct reading *in, const struct alloc_function *function,
				   const struct return_sites *sites)
{
	bool cheap = sites->answer == RETURN_SEEN && !sites->stepped, sessions = !in->r->returns;

	if (sites->delegated && function->kind == ALLOC_NEW && !function->named)
		return RETURNS_ELSEWHERE;
	if (!cheap && sites->closed && sessions)
		return RETURNS_PROBED;
	return sites->answer == RETURN_SEEN ? RETURNS_AT_RESULTS : RETURNS_HIDDEN;
}

static int find_returns(struct reading *in, const struct alloc_function *function, u64 entry_site,
			enum function_returns *out)
{
	const struct return_request request = {
		.vaddr = function->vaddr,
		.size = function->size,
		.entry_site = entry_site,
		.in_memory = alloc_signature(function->kind)->block >= 0,
	};
	struct return_sites sites = {
		.answer = RETURN_UNSEEN, .why = "too much code", .where = function->vaddr};
	int err = in->code ? return_sites_find(in->code, &request, &sites) : 0;

	if (err)
		return err;
	*out = judge(in, function, &sites);
	if (*out == RETURNS_AT_RESULTS)
		err = add_results(in, function, &sites);
	else if (*out == RETURNS_HIDDEN)
		say_hidden(in, function, &sites);
	return_sites_release(&sites);
	return err;
}

/*
 * An unknown allocator may be left in any way, whatever its functions are called: a malloc that
 * throws at its limit, or that signal handlers may call while it runs.
 */
static bool needs_results(const struct allocator *a, const struct alloc_function *function)
{
	return function->may_throw || a->id == ALLOCATOR_UNKNOWN || a->id == ALLOCATOR_NAMED;
}

/* ---- every function ---- */

static uprobe_places *places_of(struct probe_file *f, const struct alloc_signature *sig,
				enum function_returns returns)
{
	if (!sig->allocates)
		return &f->frees;
	return returns == RETURNS_PROBED ? &f->allocs : &f->entries;
}

static int function_put(struct reading *in, const struct alloc_function *function,
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
	err = site_put(in, &site, at->file_offset, places_of(f, sig, returns));
	if (!err)
		err = vec_push(&f->base.probed, code);
	return err || !sig->allocates ? err : vec_push(&f->ranges, code);
}

/* Finds places for its entry and for all its returns, single-stepped or not. Returns -ENOTSUP if
 * there are none. */
static int find_apart(struct reading *in, const struct allocator *a,
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
	err = code_begin(in, a);
	if (err || !in->code)
		return err ? err : -ENOTSUP;
	returns.entry_site = function->vaddr + at->offset;
	err = return_sites_find(in->code, &returns, &sites);
	if (!err && (sites.answer != RETURN_SEEN || (sites.stepped && !stepped)))
		err = -ENOTSUP;
	if (!err)
		err = add_results(in, function, &sites);
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
static int apart_add(struct reading *in, const struct allocator *a,
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

static int function_add(struct reading *in, const struct allocator *a,
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
		err = code_begin(in, a);
		if (!err)
			err = find_returns(in, function, function->vaddr + at.offset, &returns);
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
static bool is_expected(const struct reading *in)
{
	const char *base = strrchr(in->path, '/');

	return elf_file_type(in->elf) == ET_EXEC || (base && !strncmp(base, "/libc", 5));
}

static int read_allocator(struct reading *in)
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

/* ---- the probes of a sampler ---- */

static struct heap_arg usdt_argument(const struct usdt_arg *arg)
{
	struct heap_arg out = {.size = arg->size,
			       .is_signed = arg->is_signed,
			       .reg = heap_register(arg->reg),
			       .shift = arg->shift,
			       .value = arg->value};

	switch (arg->kind) {
	case USDT_ARG_REG:
		out.kind = HEAP_ARG_REG;
		break;
	case USDT_ARG_CONST:
		out.kind = HEAP_ARG_CONST;
		break;
	case USDT_ARG_MEM:
		out.kind = HEAP_ARG_MEM;
		out.reg = heap_register(arg->base);
		out.index = heap_register(arg->index);
		out.scale = arg->scale;
		break;
	default:
		break;
	}
	return out;
}

static bool is_understood(const struct usdt_probe *probe, u8 nargs)
{
	for (u8 i = 0; i < nargs; i++) {
		if (i >= probe->argc || probe->args[i].kind == USDT_ARG_UNKNOWN)
			return false;
	}
	return true;
}

/* A five-byte nop inside a function must not have a probe on 6.18: see arch_probe_cost(). */
static bool takes_probe(const struct reading *in, const struct usdt_probe *probe)
{
	struct bytes code = elf_file_loaded(in->elf, probe->vaddr, ARCH_INSN_BYTES_MAX);
	enum probe_cost cost;
	struct arch_insn d;

	return arch_insn_decode(code, probe->vaddr, &d) &&
	       arch_probe_cost(&d, false, in->r->kernel, &cost);
}

static int usdt_add(struct reading *in, const struct usdt_probe *probe)
{
	bool alloc = !strcmp(probe->name, "alloc"), frees = !strcmp(probe->name, "free");
	struct heap_site site = {.function = alloc ? ALLOC_FN_USDT_ALLOC : ALLOC_FN_USDT_FREE};
	struct probe_file *f = in->f;
	u8 nargs = alloc ? 3 : 1;

	if (strcmp(probe->provider, PROVIDER) != 0 || (!alloc && !frees) || (frees && !in->r->live))
		return 0;
	if (!is_understood(probe, nargs) || probe->semaphore || !takes_probe(in, probe)) {
		log_warn(in->r->log, "cannot use the probe %s:%s of %s", probe->provider,
			 probe->name, in->path);
		return 0;
	}
	for (u8 i = 0; i < nargs; i++)
		site.args[i] = usdt_argument(&probe->args[i]);
	return site_put(in, &site, probe->offset, alloc ? &f->weighed : &f->frees);
}

static bool has_sampler(const struct usdt_list *list)
{
	vec_for_each(&list->probes, probe) {
		if (!strcmp(probe->provider, PROVIDER) && !strcmp(probe->name, "alloc"))
			return true;
	}
	return false;
}

static int read_sampler(struct reading *in, const struct usdt_list *list)
{
	int err = 0;

	in->f->base.exclusive = true;
	vec_for_each(&list->probes, probe) {
		if (!err)
			err = usdt_add(in, probe);
	}
	if (!err && asprintf(&in->f->title, "the sampler of %s", in->path) < 0)
		err = -ENOMEM;
	return err;
}

static int read_file(struct reading *in, struct probe_file **out)
{
	struct usdt_list list = {0};
	int err;

	in->f = calloc(1, sizeof(*in->f));
	if (!in->f)
		return -ENOMEM;
	if (!in->first && !usdt_read(in->elf, &list) && has_sampler(&list))
		err = read_sampler(in, &list);
	else
		err = read_allocator(in);
	usdt_release(&list);
	code_file_free(in->code);
	vec_release(&in->entries);
	vec_release(&in->results);
	if (err)
		probe_file_free(in->r, in->f);
	else
		*out = in->f;
	return err;
}

int probe_file_new(struct function_reader *r, struct elf_file *elf, const char *path,
		   struct probe_file **out)
{
	struct reading in = {.r = r, .elf = elf, .path = path};

	return read_file(&in, out);
}

int probe_file_set_apart(struct function_reader *r, struct elf_file *elf, const char *path,
			 struct probe_file *f)
{
	struct reading in = {.r = r, .elf = elf, .path = path, .first = f};
	int err = read_file(&in, &f->apart);

	if (err)
		return err;
	free(f->apart->title); /* it was printed */
	f->apart->title = NULL;
	return 0;
}

void probe_file_free(struct function_reader *r, struct probe_file *f)
{
	uprobe_places *places[] = {&f->allocs, &f->frees, &f->weighed, &f->entries, &f->results};

	if (f->apart)
		probe_file_free(r, f->apart);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		site_table_give_back_all(&r->sites, places[i]);
		vec_release(places[i]);
	}
	vec_release(&f->ranges);
	vec_release(&f->base.probed);
	free(f->title);
	free(f->searched);
	free(f);
}
