/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of one file: see door_file.h. */
#include "collect/door_file.h"

#include <bpf/bpf.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/probe_site.h"
#include "elf/symbols.h"
#include "elf/usdt.h"

#define PROVIDER "otel_memory"

struct reading {
	struct door_reader *r;
	struct elf_file *elf;
	const char *path;
	struct door_file *f;
};

static int site_put(struct reading *in, struct heap_site *site, u64 offset, uprobe_places *places)
{
	struct door_reader *r = in->r;
	u32 number = r->nsites;

	if (number >= HEAP_MAX_SITES)
		return -ENOSPC;
	site->number = number;
	if (bpf_map_update_elem(r->sites_fd, &number, site, BPF_ANY))
		return -errno;
	r->nsites++;
	return vec_push(places, (struct uprobe_place){.offset = offset, .cookie = number});
}

/* ---- an allocator's functions ---- */

static u8 heap_register(u8 dwarf)
{
	int offset = usdt_reg_pt_regs_offset(dwarf);

	return offset < 0 ? HEAP_REG_NONE : (u8)(offset / 8);
}

static struct heap_arg register_arg(const struct probe_site *at, s8 argument)
{
	return (struct heap_arg){
		.kind = HEAP_ARG_REG, .size = 8, .reg = heap_register(at->arg_reg[argument])};
}

static void fill_site(struct heap_site *site, const struct alloc_door *door,
		      const struct probe_site *at)
{
	const struct alloc_signature *sig = alloc_signature(door->kind);

	*site = (struct heap_site){.door = HEAP_DOOR_ALLOC};
	if (!sig->allocates) {
		site->door = HEAP_DOOR_FREE;
		site->args[0] = register_arg(at, sig->old);
		return;
	}
	site->args[0] = register_arg(at, sig->size);
	if (sig->count >= 0) {
		site->flags |= HEAP_DOOR_PRODUCT;
		site->args[1] = register_arg(at, sig->count);
	}
	if (sig->block >= 0) {
		site->flags |= HEAP_DOOR_STORED;
		site->args[2] = register_arg(at, sig->block);
	}
	if (sig->old >= 0) {
		site->door = HEAP_DOOR_REALLOC;
		site->args[2] = register_arg(at, sig->old);
	}
	if (door->kind == ALLOC_NEW)
		site->flags |= HEAP_DOOR_THROWS;
	if (door->kind == ALLOC_PVALLOC)
		site->flags |= HEAP_DOOR_PAGES;
	if (door->kind != ALLOC_MALLOC)
		site->flags |= HEAP_DOOR_JUMPS;
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

static void note_cost(struct door_file *f, enum alloc_kind kind, u32 ns)
{
	if (kind == ALLOC_MALLOC && ns > f->alloc_ns)
		f->alloc_ns = ns;
	if (kind == ALLOC_FREE && ns > f->free_ns)
		f->free_ns = ns;
}

static int door_add(struct reading *in, const struct alloc_door *door)
{
	const struct alloc_signature *sig = alloc_signature(door->kind);
	struct probe_request request = {
		.args = args_needed(sig),
		.moved_args = true,
		.purpose = sig->allocates ? PROBE_RETURN : PROBE_ENTRY,
		.kernel = in->r->kernel,
	};
	struct door_file *f = in->f;
	uprobe_places *places;
	struct probe_site at;
	struct heap_site site;
	int err = probe_site_in_file(in->elf, door->vaddr, door->size, &request, &at);

	if (err) {
		log_warn(in->r->log, "no probe fits on %s of %s: its calls are not seen",
			 door->name, in->path);
		return 0;
	}
	fill_site(&site, door, &at);
	log_info(in->r->log, "%s+%u: %s (%s)", door->name, at.offset, at.text,
		 probe_cost_name(at.cost));
	note_cost(f, door->kind,
		  probe_cost_ns(at.cost,
				sig->allocates && in->r->returns ? PROBE_RETURN : PROBE_ENTRY));
	places = sig->allocates ? &f->allocs : &f->frees;
	if (door->kind == ALLOC_NEW)
		places = &f->news;
	err = site_put(in, &site, at.file_offset, places);
	if (err || !sig->allocates)
		return err;
	return vec_push(
		&f->ranges,
		(struct door_range){door->offset, door->offset + (door->size ? door->size : 1)});
}

/* glibc's and musl's only call realloc, whose probe sees them. */
static bool is_covered(const struct allocator *a, const struct alloc_door *door)
{
	return door->kind == ALLOC_REALLOCARRAY &&
	       (a->id == ALLOCATOR_GLIBC || a->id == ALLOCATOR_MUSL);
}

/* Where a user would look for an allocator: in the program, and in a C library. */
static bool is_expected(const struct reading *in)
{
	const char *base = strrchr(in->path, '/');

	return elf_file_type(in->elf) == ET_EXEC || (base && !strncmp(base, "/libc", 5));
}

static int read_allocator(struct reading *in)
{
	struct door_file *f = in->f;
	struct allocator a = {0};
	int err = allocator_find(in->elf, in->r->names, &a);

	if (err == -ENOENT) {
		err = 0;
		if (is_expected(in) && asprintf(&f->searched, "%s: %s", in->path, a.searched) < 0)
			err = -ENOMEM;
	} else if (!err && asprintf(&f->title, "%s (%s)", a.text, in->path) < 0) {
		err = -ENOMEM;
	}
	vec_for_each(&a.doors, door) {
		if (!err && !is_covered(&a, door) &&
		    (in->r->live || alloc_signature(door->kind)->allocates))
			err = door_add(in, door);
	}
	allocator_release(&a);
	return err;
}

/* ---- a sampler's probes ---- */

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

static int usdt_add(struct reading *in, const struct usdt_probe *probe)
{
	bool alloc = !strcmp(probe->name, "alloc"), frees = !strcmp(probe->name, "free");
	struct heap_site site = {.door = alloc ? HEAP_DOOR_USDT_ALLOC : HEAP_DOOR_USDT_FREE};
	struct door_file *f = in->f;
	u8 nargs = alloc ? 3 : 1;

	if (strcmp(probe->provider, PROVIDER) != 0 || (!alloc && !frees) || (frees && !in->r->live))
		return 0;
	if (!is_understood(probe, nargs) || probe->semaphore) {
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

	in->f->sampler = true;
	vec_for_each(&list->probes, probe) {
		if (!err)
			err = usdt_add(in, probe);
	}
	if (!err && asprintf(&in->f->title, "the sampler of %s", in->path) < 0)
		err = -ENOMEM;
	return err;
}

/* ---- exceptions */

static int find_unwinder(void *arg, const struct elf_symbol *symbol)
{
	static const char name[] = "_Unwind_RaiseException";
	struct elf_symbol *found = arg;

	if (symbol->type != STT_FUNC || strncmp(symbol->name, name, sizeof(name) - 1) != 0 ||
	    (symbol->name[sizeof(name) - 1] && symbol->name[sizeof(name) - 1] != '@'))
		return 0;
	*found = *symbol;
	return 1;
}

static int read_unwinder(struct reading *in)
{
	static const char *const tables[] = {".dynsym", ".symtab"};
	const struct probe_request request = {.purpose = PROBE_ENTRY, .kernel = in->r->kernel};
	struct elf_symbol found;
	struct probe_site at;

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		if (elf_symbols_visit(in->elf, tables[i], find_unwinder, &found) != 1)
			continue;
		if (probe_site_in_file(in->elf, found.vaddr, found.size, &request, &at))
			return 0;
		return vec_push(&in->f->unwinders, (struct uprobe_place){.offset = at.file_offset});
	}
	return 0;
}

int door_file_new(struct door_reader *r, struct elf_file *elf, const char *path,
		  struct door_file **out)
{
	struct reading in = {.r = r, .elf = elf, .path = path};
	struct usdt_list list = {0};
	int err;

	in.f = calloc(1, sizeof(*in.f));
	if (!in.f)
		return -ENOMEM;
	if (!usdt_read(elf, &list) && has_sampler(&list))
		err = read_sampler(&in, &list);
	else
		err = read_allocator(&in);
	if (!err)
		err = read_unwinder(&in);
	usdt_release(&list);
	if (err)
		door_file_free(in.f);
	else
		*out = in.f;
	return err;
}

void door_file_free(struct door_file *f)
{
	if (!f)
		return;
	vec_release(&f->allocs);
	vec_release(&f->frees);
	vec_release(&f->weighed);
	vec_release(&f->news);
	vec_release(&f->unwinders);
	vec_release(&f->ranges);
	free(f->title);
	free(f->searched);
	free(f);
}
