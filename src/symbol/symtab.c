/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an ELF symbol table into an array that is searched by address. */
#include "symbol/symtab.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

struct candidate {
	struct symbol symbol;
	u64 limit; /* where its section ends: no symbol without a size reaches further */
	u8 rank; /* lower is better */
};

struct symtab {
	VEC(struct candidate) symbols; /* sorted by start, one per start */
	u64 *reach; /* reach[i]: the highest end of symbols 0..i, so that a search can stop */
};

static u8 rank_of(const Elf64_Sym *sym)
{
	switch (ELF64_ST_BIND(sym->st_info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		return 0;
	case STB_WEAK:
		return 1;
	default:
		return 2;
	}
}

static bool is_code(const Elf64_Sym *sym)
{
	u8 type = ELF64_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || !sym->st_value)
		return false;
	/* Assembly often forgets the type; STT_NOTYPE also has the linker's marks, dropped by is_mark. */
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	       (type == STT_NOTYPE && sym->st_shndx < SHN_LORESERVE);
}

/* Names that are not functions: mapping symbols ("$x"), assembler labels, edges of sections. */
static bool is_mark(const char *name)
{
	static const char *const edges[] = {"_end",      "_edata",     "_etext",      "__bss_start",
					    "_fini_end", "data_start", "__data_start"};

	if (!name[0] || name[0] == '$' || !strncmp(name, ".L", 2))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		if (!strcmp(name, edges[i]))
			return true;
	}
	return false;
}

static bool in_code(const struct elf_file *f, u64 vaddr)
{
	const struct elf_segment *seg;
	size_t n = elf_file_segments(f, &seg);

	for (size_t i = 0; i < n; i++) {
		if ((seg[i].flags & PF_X) && vaddr >= seg[i].vaddr &&
		    vaddr - seg[i].vaddr < seg[i].memsz)
			return true;
	}
	return false;
}

static u64 segment_end(const struct elf_file *f, u64 vaddr)
{
	const struct elf_segment *seg;
	size_t n = elf_file_segments(f, &seg);
	u64 end;

	for (size_t i = 0; i < n; i++) {
		if (vaddr >= seg[i].vaddr && vaddr - seg[i].vaddr < seg[i].memsz &&
		    !__builtin_add_overflow(seg[i].vaddr, seg[i].memsz, &end))
			return end;
	}
	return vaddr;
}

static u64 section_end(struct elf_file *f, const Elf64_Sym *sym)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	if (sym->st_shndx < SHN_LORESERVE)
		scn = elf_getscn(elf_file_handle(f), sym->st_shndx);
	if (scn && gelf_getshdr(scn, &shdr) && sym->st_value - shdr.sh_addr < shdr.sh_size)
		return sym->st_value + (shdr.sh_size - (sym->st_value - shdr.sh_addr));
	return segment_end(f, sym->st_value);
}

static int collect(struct symtab *t, struct elf_file *f, struct bytes syms, struct bytes strings)
{
	for (size_t at = 0; syms.len - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
		struct candidate c = {0};
		Elf64_Sym sym;
		const char *name;

		memcpy(&sym, syms.data + at, sizeof(sym));
		if (!is_code(&sym) || sym.st_name >= strings.len)
			continue;
		name = (const char *)strings.data + sym.st_name;
		if (!memchr(name, 0, strings.len - sym.st_name) || is_mark(name))
			continue;
		/* Debug files keep the segments of the stripped file, so this holds for them too. */
		if (!in_code(f, sym.st_value))
			continue;
		c.symbol.start = sym.st_value;
		c.symbol.name = name;
		if (__builtin_add_overflow(sym.st_value, sym.st_size, &c.symbol.end))
			c.symbol.end = sym.st_value;
		c.limit = section_end(f, &sym);
		c.rank = rank_of(&sym) + (ELF64_ST_TYPE(sym.st_info) == STT_NOTYPE ? 4 : 0);
		if (vec_push(&t->symbols, c))
			return -ENOMEM;
	}
	return 0;
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* By address; at one address the best name first. */
static int compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	size_t ux, uy;

	if (x->symbol.start != y->symbol.start)
		return x->symbol.start < y->symbol.start ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	ux = underscores(x->symbol.name);
	uy = underscores(y->symbol.name);
	if (ux != uy)
		return ux < uy ? -1 : 1;
	return strcmp(x->symbol.name, y->symbol.name);
}

/* Keeps the best name of each address, with the longest size any of them claims. */
static void drop_aliases(struct symtab *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->symbols.len; i++) {
		struct candidate *c = &t->symbols.data[i];
		struct candidate *last = kept ? &t->symbols.data[kept - 1] : NULL;

		if (!last || last->symbol.start != c->symbol.start)
			t->symbols.data[kept++] = *c;
		else if (last->symbol.end < c->symbol.end)
			last->symbol.end = c->symbol.end;
	}
	t->symbols.len = kept;
}

static int set_ends(struct symtab *t)
{
	u64 reach = 0;

	t->reach = malloc(t->symbols.len * sizeof(*t->reach));
	if (!t->reach)
		return -ENOMEM;
	for (size_t i = 0; i < t->symbols.len; i++) {
		struct symbol *s = &t->symbols.data[i].symbol;

		if (s->end == s->start) {
			s->end = t->symbols.data[i].limit;
			if (i + 1 < t->symbols.len && t->symbols.data[i + 1].symbol.start < s->end)
				s->end = t->symbols.data[i + 1].symbol.start;
		}
		if (s->end > reach)
			reach = s->end;
		t->reach[i] = reach;
	}
	return 0;
}

int symtab_new(struct elf_file *f, const char *section, struct symtab **out)
{
	const char *strings_name = !strcmp(section, ".dynsym") ? ".dynstr" : ".strtab";
	struct elf_section syms, strings;
	struct symtab *t;
	int err;

	err = elf_file_section(f, section, &syms);
	if (!err)
		err = elf_file_section(f, strings_name, &strings);
	if (err)
		return err;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	err = collect(t, f, syms.data, strings.data);
	if (!err && !t->symbols.len)
		err = -ENOENT;
	if (!err) {
		qsort(t->symbols.data, t->symbols.len, sizeof(*t->symbols.data), compare);
		drop_aliases(t);
		err = set_ends(t);
	}
	if (err) {
		symtab_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void symtab_free(struct symtab *t)
{
	if (!t)
		return;
	vec_release(&t->symbols);
	free(t->reach);
	free(t);
}

const struct symbol *symtab_find(const struct symtab *t, u64 vaddr)
{
	size_t lo = 0, hi = t->symbols.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->symbols.data[mid].symbol.start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* A function may lie inside another one's range (hand-written assembly): the inner one wins. */
	while (lo-- && t->reach[lo] > vaddr) {
		const struct symbol *s = &t->symbols.data[lo].symbol;

		if (vaddr < s->end)
			return s;
	}
	return NULL;
}
