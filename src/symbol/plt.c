/* SPDX-License-Identifier: Apache-2.0 */
/* Names for the stubs of the procedure linkage table: see plt.h. */
#include "symbol/plt.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define STUB_STEP 8 /* .plt.got has stubs of 8 bytes, the other sections of 16 */
#define JUMP_BYTES 6 /* ff 25 rel32: jmp *slot(%rip) */
#define MAX_STUBS (1u << 20)

struct slot { /* of the GOT */
	u64 vaddr;
	const char *name; /* lent by the elf_file */
};

struct plt {
	VEC(struct slot) slots; /* by vaddr */
	VEC(struct symbol) stubs; /* by start; names are owned */
};

static int compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/* The name of dynamic symbol `index`; NULL when there is none. */
static const char *symbol_name(struct bytes syms, struct bytes strings, u64 index)
{
	Elf64_Sym sym;
	const char *name;

	if (index == 0 || index >= syms.len / sizeof(sym))
		return NULL;
	memcpy(&sym, syms.data + index * sizeof(sym), sizeof(sym));
	if (sym.st_name >= strings.len)
		return NULL;
	name = (const char *)strings.data + sym.st_name;
	return memchr(name, 0, strings.len - sym.st_name) && *name ? name : NULL;
}

static int read_slots(struct plt *p, struct elf_file *f, const char *section)
{
	struct elf_section rela, syms, strings;

	if (elf_file_section(f, section, &rela) || elf_file_section(f, ".dynsym", &syms) ||
	    elf_file_section(f, ".dynstr", &strings))
		return 0;
	for (size_t at = 0; rela.data.len - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela)) {
		struct slot slot;
		Elf64_Rela r;
		u32 type;

		memcpy(&r, rela.data.data + at, sizeof(r));
		type = ELF64_R_TYPE(r.r_info);
		if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
			continue;
		slot.vaddr = r.r_offset;
		slot.name = symbol_name(syms.data, strings.data, ELF64_R_SYM(r.r_info));
		if (slot.name && vec_push(&p->slots, slot))
			return -ENOMEM;
	}
	return 0;
}

static const char *slot_name(const struct plt *p, u64 vaddr)
{
	struct slot key = {.vaddr = vaddr};
	const struct slot *found =
		bsearch(&key, p->slots.data, p->slots.len, sizeof(key), compare_slots);

	return found ? found->name : NULL;
}

/* Where the indirect jump at `at` finds its target; false when there is no such jump. */
static bool jump_slot(const struct elf_section *s, size_t at, u64 *slot)
{
	s32 distance;

	if (s->data.len - at < JUMP_BYTES || s->data.data[at] != 0xff ||
	    s->data.data[at + 1] != 0x25)
		return false;
	memcpy(&distance, s->data.data + at + 2, sizeof(distance));
	*slot = s->vaddr + at + JUMP_BYTES + (u64)(s64)distance;
	return true;
}

static int add_stub(struct plt *p, u64 start, u64 end, const char *name)
{
	struct symbol stub = {.start = start, .end = end};
	char *text;

	if (asprintf(&text, "%s@plt", name) < 0)
		return -ENOMEM;
	stub.name = text;
	if (!vec_push(&p->stubs, stub))
		return 0;
	free(text);
	return -ENOMEM;
}

/* A jump may follow endbr64 or a bnd prefix, so every byte of a stub may begin it. */
static int read_stubs(struct plt *p, struct elf_file *f, const char *section, size_t size)
{
	struct elf_section s;

	if (elf_file_section(f, section, &s))
		return 0;
	for (size_t stub = 0; stub + STUB_STEP <= s.data.len && p->stubs.len < MAX_STUBS;
	     stub += size) {
		for (size_t i = 0; i < size && stub + i < s.data.len; i++) {
			const char *name;
			u64 slot;
			int err;

			if (!jump_slot(&s, stub + i, &slot))
				continue;
			name = slot_name(p, slot);
			err = name ? add_stub(p, s.vaddr + stub, s.vaddr + stub + size, name) : 0;
			if (err)
				return err;
			break;
		}
	}
	return 0;
}

static int compare_stubs(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int plt_new(struct elf_file *f, struct plt **out)
{
	struct plt *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = read_slots(p, f, ".rela.plt");
	if (!err)
		err = read_slots(p, f, ".rela.dyn");
	if (!err && p->slots.len) {
		qsort(p->slots.data, p->slots.len, sizeof(*p->slots.data), compare_slots);
		err = read_stubs(p, f, ".plt", 16);
		err = err ? err : read_stubs(p, f, ".plt.sec", 16);
		err = err ? err : read_stubs(p, f, ".plt.got", 8);
	}
	if (!err && !p->stubs.len)
		err = -ENOENT;
	if (err) {
		plt_free(p);
		return err;
	}
	qsort(p->stubs.data, p->stubs.len, sizeof(*p->stubs.data), compare_stubs);
	*out = p;
	return 0;
}

void plt_free(struct plt *p)
{
	if (!p)
		return;
	vec_for_each(&p->stubs, stub)
		free((char *)stub->name);
	vec_release(&p->stubs);
	vec_release(&p->slots);
	free(p);
}

const struct symbol *plt_find(const struct plt *p, u64 vaddr)
{
	size_t lo = 0, hi = p->stubs.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->stubs.data[mid].start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && vaddr < p->stubs.data[lo - 1].end ? &p->stubs.data[lo - 1] : NULL;
}
