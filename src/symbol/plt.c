/* SPDX-License-Identifier: Apache-2.0 */
/* Names for the stubs of the procedure linkage table: see plt.h. */
#include "symbol/plt.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/plt.h"
#include "base/sorted.h"
#include "base/vec.h"
#include "elf/symbols.h"

#define STUB_BYTES_MIN 8
#define MAX_STUBS (1u << 20)
#define RELOCATION_STEPS 10

struct slot { /* of the GOT */
	u64 vaddr;
	const char *name; /* borrowed from the elf_file */
};

typedef VEC(struct slot) slot_vec;

struct stub {
	struct symbol symbol; /* its name is NULL until it is first requested, and then owned */
	const char *function;
};

struct plt {
	struct budget *budget;
	slot_vec slots; /* by vaddr */
	/* by vaddr: functions that choose an implementation when the file is loaded */
	slot_vec resolvers;
	VEC(struct stub) stubs; /* by start */
};

static int compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/* Returns the name of dynamic symbol `index`; NULL if there is none. */
static const char *symbol_name(struct bytes syms, struct bytes names, u64 index)
{
	Elf64_Sym sym;
	const char *name;

	if (index == 0 || index >= syms.len / sizeof(sym))
		return NULL;
	memcpy(&sym, syms.data + index * sizeof(sym), sizeof(sym));
	name = elf_name_at(names, sym.st_name);
	return name && *name ? name : NULL;
}

/* Reads the resolvers of memset and similar functions, of which a C library has one implementation
 * for each kind of processor. */
static int read_resolvers(struct plt *p, struct elf_file *f)
{
	struct elf_section syms, strings;
	struct bytes names;

	if (elf_file_section(f, ".dynsym", &syms) || elf_file_section(f, ".dynstr", &strings))
		return 0;
	names = elf_terminated(strings.data);
	for (u64 i = 0; i < syms.data.len / sizeof(Elf64_Sym); i++) {
		struct slot resolver;
		Elf64_Sym sym;

		if (!budget_take(p->budget, BUDGET_SYMBOLS, 1))
			return -E2BIG;
		memcpy(&sym, syms.data.data + i * sizeof(sym), sizeof(sym));
		if (ELF64_ST_TYPE(sym.st_info) != STT_GNU_IFUNC || sym.st_shndx == SHN_UNDEF)
			continue;
		resolver.vaddr = sym.st_value;
		resolver.name = symbol_name(syms.data, names, i);
		if (resolver.name && vec_push(&p->resolvers, resolver))
			return -ENOMEM;
	}
	if (p->resolvers.len)
		qsort(p->resolvers.data, p->resolvers.len, sizeof(*p->resolvers.data),
		      compare_slots);
	return 0;
}

static const char *name_at(const slot_vec *slots, u64 vaddr)
{
	struct slot key = {.vaddr = vaddr};
	const struct slot *found =
		slots->len ? bsearch(&key, slots->data, slots->len, sizeof(key), compare_slots)
			   : NULL;

	return found ? found->name : NULL;
}

static int read_slots(struct plt *p, struct elf_file *f, const char *section)
{
	struct elf_section rela, syms, strings;
	struct bytes names;

	if (elf_file_section(f, section, &rela) || elf_file_section(f, ".dynsym", &syms) ||
	    elf_file_section(f, ".dynstr", &strings))
		return 0;
	names = elf_terminated(strings.data);
	for (size_t at = 0; rela.data.len - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela)) {
		struct slot slot;
		Elf64_Rela r;
		enum arch_slot kind;

		if (!budget_take(p->budget, BUDGET_SYMBOLS, RELOCATION_STEPS))
			return -E2BIG;
		memcpy(&r, rela.data.data + at, sizeof(r));
		kind = arch_slot_kind(ELF64_R_TYPE(r.r_info));
		if (kind == ARCH_SLOT_NONE)
			continue;
		slot.vaddr = r.r_offset;
		slot.name = kind == ARCH_SLOT_RESOLVED
				    ? name_at(&p->resolvers, (u64)r.r_addend)
				    : symbol_name(syms.data, names, ELF64_R_SYM(r.r_info));
		if (slot.name && vec_push(&p->slots, slot))
			return -ENOMEM;
	}
	return 0;
}

const char *plt_slot_name(const struct plt *p, u64 vaddr)
{
	return name_at(&p->slots, vaddr);
}

static struct bytes rest_of(struct bytes code, size_t at)
{
	return (struct bytes){code.data + at, code.len - at};
}

static int read_stubs(struct plt *p, struct elf_file *f, const struct arch_plt *plt)
{
	size_t size = plt->stub_bytes;
	struct elf_section s;

	if (!size || elf_file_section(f, plt->section, &s))
		return 0;
	if (!budget_take(p->budget, BUDGET_SYMBOLS, s.data.len + 1))
		return -E2BIG;
	for (size_t at = 0; at + STUB_BYTES_MIN <= s.data.len && p->stubs.len < MAX_STUBS;
	     at += size) {
		struct stub found = {.symbol = {.start = s.vaddr + at, .end = s.vaddr + at + size}};
		u64 slot;

		if (!arch_plt_slot(rest_of(s.data, at), size, s.vaddr + at, &slot))
			continue;
		found.function = plt_slot_name(p, slot);
		if (found.function && vec_push(&p->stubs, found))
			return -ENOMEM;
	}
	return 0;
}

static int compare_stubs(const void *a, const void *b)
{
	const struct stub *x = a, *y = b;

	return x->symbol.start < y->symbol.start ? -1 : x->symbol.start > y->symbol.start;
}

int plt_new(struct elf_file *f, struct plt **out)
{
	struct plt *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->budget = elf_file_budget(f);
	err = read_resolvers(p, f);
	if (!err)
		err = read_slots(p, f, ".rela.plt");
	if (!err)
		err = read_slots(p, f, ".rela.dyn");
	if (!err && p->slots.len) {
		qsort(p->slots.data, p->slots.len, sizeof(*p->slots.data), compare_slots);
		for (const struct arch_plt *plt = arch_plts; !err && plt->section; plt++)
			err = read_stubs(p, f, plt);
	}
	if (!err && !p->slots.len)
		err = -ENOENT;
	if (err) {
		plt_free(p);
		return err;
	}
	if (p->stubs.len)
		qsort(p->stubs.data, p->stubs.len, sizeof(*p->stubs.data), compare_stubs);
	*out = p;
	return 0;
}

void plt_free(struct plt *p)
{
	if (!p)
		return;
	vec_for_each(&p->stubs, stub)
		free((char *)stub->symbol.name);
	vec_release(&p->stubs);
	vec_release(&p->slots);
	vec_release(&p->resolvers);
	free(p);
}

/* The name is built only now, because a file may have a million stubs whose names are a megabyte
 * long each. */
static const struct symbol *with_name(const struct plt *p, struct stub *stub)
{
	char *text;

	if (stub->symbol.name)
		return &stub->symbol;
	if (!budget_reserve(p->budget, BUDGET_NAMES, strnlen(stub->function, ELF_NAME_MAX)) ||
	    asprintf(&text, "%.*s@plt", (int)ELF_NAME_MAX, stub->function) < 0)
		return NULL;
	stub->symbol.name = text;
	return &stub->symbol;
}

const struct symbol *plt_find(struct plt *p, u64 vaddr)
{
	size_t behind = sorted_behind_by(p->stubs.data, p->stubs.len, symbol.start, vaddr);
	struct stub *stub = behind ? &p->stubs.data[behind - 1] : NULL;

	return stub && vaddr < stub->symbol.end ? with_name(p, stub) : NULL;
}
