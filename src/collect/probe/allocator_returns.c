/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where functions return that must not have a return probe: see probe_file_impl.h. */
#include <errno.h>
#include <stdlib.h>

#include "collect/probe/probe_file_impl.h"
#include "collect/probe/probe_site.h"

static int compare_addresses(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Without code (because its budget ran out) every function hides its returns. */
int reading_find_code(struct file_reading *in, const struct allocator *a)
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

static bool has_result(const struct file_reading *in, const struct return_site *site)
{
	vec_for_each(&in->results, r) {
		if (r->vaddr == site->vaddr && r->taken == site->taken &&
		    r->passed == site->passed && r->stack_bytes == site->stack_bytes)
			return true;
	}
	return false;
}

static int result_add(struct file_reading *in, const struct return_site *at)
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
	return reading_put_site(in, &site, at->file_offset, &in->f->results);
}

int reading_put_results(struct file_reading *in, const struct alloc_function *function,
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

static void say_hidden(const struct file_reading *in, const struct alloc_function *function,
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
static enum function_returns judge(const struct file_reading *in,
				   const struct alloc_function *function,
				   const struct return_sites *sites)
{
	bool cheap = sites->answer == RETURN_SEEN && !sites->stepped, sessions = !in->r->returns;

	if (sites->delegated && function->kind == ALLOC_NEW && !function->named)
		return RETURNS_ELSEWHERE;
	if (!cheap && sites->closed && sessions)
		return RETURNS_PROBED;
	return sites->answer == RETURN_SEEN ? RETURNS_AT_RESULTS : RETURNS_HIDDEN;
}

int reading_find_returns(struct file_reading *in, const struct alloc_function *function,
			 u64 entry_site, enum function_returns *out)
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
		err = reading_put_results(in, function, &sites);
	else if (*out == RETURNS_HIDDEN)
		say_hidden(in, function, &sites);
	return_sites_release(&sites);
	return err;
}
