/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an ELF symbol table into an array that is searched by address. */
#include "symbol/symtab.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "base/vec.h"
#include "elf/symbols.h"

#define SYMBOL_STEPS 20
#define UNDERSCORES_MAX 8u /* more underscores do not make a name worse */
#define NAME_COMPARED 4096u /* how many bytes of two names for one address are compared */
#define NO_SYMBOL UINT32_MAX

struct candidate {
	struct symbol symbol;
	/* where its section ends, because a symbol without a size does not extend beyond it */
	u64 limit;
	u8 rank, underscores; /* lower is better */
};

/* From here to the next piece all addresses belong to one symbol. */
struct piece {
	u64 start;
	u32 symbol; /* NO_SYMBOL if they belong to none */
};

struct symtab {
	VEC(struct candidate) symbols; /* sorted by start, one for each start */
	VEC(struct piece) pieces; /* sorted by start, which are distinct */
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
	/* Assembly often omits the type. The linker's marks are STT_NOTYPE as well, and is_mark
	 * drops them. */
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	       (type == STT_NOTYPE && sym->st_shndx < SHN_LORESERVE);
}

/*
 * Recognizes the mapping symbols of ARM's and RISC-V's ABIs, which say what follows ("$x", "$d.3").
 * Other names may begin with '$' as well, such as Swift's ("$s4shop...").
 */
static bool is_mapping_symbol(const char *name)
{
	return name[0] == '$' && name[1] && strchr("adtx", name[1]) && (!name[2] || name[2] == '.');
}

/* Recognizes names that are not functions: mapping symbols, assembler labels, edges of sections. */
static bool is_mark(const char *name)
{
	static const char *const edges[] = {"_end",      "_edata",     "_etext",      "__bss_start",
					    "_fini_end", "data_start", "__data_start"};

	if (!name[0] || is_mapping_symbol(name) || !strncmp(name, ".L", 2))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		if (!strcmp(name, edges[i]))
			return true;
	}
	return false;
}

static u8 underscores(const char *name)
{
	u8 n = 0;

	while (n < UNDERSCORES_MAX && name[n] == '_')
		n++;
	return n;
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

static bool candidate_of(struct elf_file *f, const Elf64_Sym *sym, struct bytes names,
			 struct candidate *c)
{
	const char *name = elf_name_at(names, sym->st_name);

	/* Debug files keep the segments of the stripped file, so this holds for them as well. */
	if (!is_code(sym) || !name || is_mark(name) || !in_code(f, sym->st_value))
		return false;
	c->symbol.start = sym->st_value;
	c->symbol.name = name;
	c->symbol.sized = sym->st_size != 0;
	c->symbol.typed = ELF64_ST_TYPE(sym->st_info) != STT_NOTYPE;
	if (__builtin_add_overflow(sym->st_value, sym->st_size, &c->symbol.end))
		c->symbol.end = sym->st_value;
	c->limit = section_end(f, sym);
	c->rank = rank_of(sym) + (ELF64_ST_TYPE(sym->st_info) == STT_NOTYPE ? 4 : 0);
	c->underscores = underscores(name);
	return true;
}

static int collect(struct symtab *t, struct elf_file *f, struct bytes syms, struct bytes names)
{
	struct budget *budget = elf_file_budget(f);
	const struct elf_segment *segments;
	u64 steps = SYMBOL_STEPS + elf_file_segments(f, &segments);

	for (size_t at = 0; syms.len - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
		struct candidate c = {0};
		Elf64_Sym sym;

		if (!budget_take(budget, BUDGET_SYMBOLS, steps))
			return -E2BIG;
		memcpy(&sym, syms.data + at, sizeof(sym));
		if (!candidate_of(f, &sym, names, &c))
			continue;
		/* Up to half of each vector may be unused. */
		if (!budget_reserve(budget, BUDGET_SYMBOLS, 2 * sizeof(c)))
			return -E2BIG;
		if (vec_push(&t->symbols, c))
			return -ENOMEM;
	}
	return 0;
}

/* ---- aliases --------------------------------------------------------------------------------- */

/*
 * Sorts by address and, at one address, puts those first that are more likely to name it. Names are
 * not compared, because they may be a megabyte long each.
 */
static int compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->symbol.start != y->symbol.start)
		return x->symbol.start < y->symbol.start ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->underscores != y->underscores)
		return x->underscores < y->underscores ? -1 : 1;
	return x->symbol.name < y->symbol.name ? -1 : x->symbol.name > y->symbol.name;
}

/* Returns whether `c`, of the same address, is a better name than `best`, which was sorted before
 * it. */
static bool is_better(struct budget *budget, const struct candidate *c,
		      const struct candidate *best)
{
	const char *x = c->symbol.name, *y = best->symbol.name;
	size_t n = 0;

	if (c->rank != best->rank || c->underscores != best->underscores || x == y)
		return false;
	while (n < NAME_COMPARED && x[n] && x[n] == y[n])
		n++;
	return budget_take(budget, BUDGET_SYMBOLS, n + 1) && n < NAME_COMPARED &&
	       (u8)x[n] < (u8)y[n];
}

/* Keeps the best name of each address, with the longest size that any of them claims. */
static void drop_aliases(struct symtab *t, struct budget *budget)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->symbols.len; i++) {
		struct candidate *c = &t->symbols.data[i];
		struct candidate *last = kept ? &t->symbols.data[kept - 1] : NULL;
		u64 end;

		if (!last || last->symbol.start != c->symbol.start) {
			t->symbols.data[kept++] = *c;
			continue;
		}
		end = c->symbol.end > last->symbol.end ? c->symbol.end : last->symbol.end;
		if (is_better(budget, c, last))
			last->symbol.name = c->symbol.name;
		last->symbol.end = end;
		last->symbol.sized |= c->symbol.sized;
		last->symbol.typed |= c->symbol.typed;
	}
	t->symbols.len = kept;
}

/* NASM gives a local label the name of its function, a dot and its own name. */
static bool is_label_of(const struct symbol *s, const struct symbol *function,
			struct budget *budget)
{
	const char *x = function->name, *y = s->name;
	size_t n = 0;

	while (n < NAME_COMPARED && x[n] && x[n] == y[n])
		n++;
	return budget_take(budget, BUDGET_SYMBOLS, n + 1) && n < NAME_COMPARED && !x[n] &&
	       y[n] == '.';
}

/*
 * Labels have neither a type nor a size. Those inside a function that has a size, and those that
 * bear the name of the function before them, are targets of jumps in the code of that function.
 */
static void drop_labels(struct symtab *t, struct budget *budget)
{
	const struct symbol *function = NULL; /* the last one that is not a label */
	u64 sized_end = 0; /* where the functions with a size that began so far end */
	size_t kept = 0;

	for (size_t i = 0; i < t->symbols.len; i++) {
		const struct candidate c = t->symbols.data[i];

		if (!c.symbol.typed && !c.symbol.sized &&
		    (c.symbol.start < sized_end ||
		     (function && function->typed && is_label_of(&c.symbol, function, budget))))
			continue;
		if (c.symbol.typed && c.symbol.sized && c.symbol.end > sized_end)
			sized_end = c.symbol.end;
		t->symbols.data[kept] = c;
		function = &t->symbols.data[kept++].symbol;
	}
	t->symbols.len = kept;
}

static void set_ends(struct symtab *t)
{
	for (size_t i = 0; i < t->symbols.len; i++) {
		struct symbol *s = &t->symbols.data[i].symbol;

		if (s->sized && s->end != s->start)
			continue;
		s->end = t->symbols.data[i].limit;
		if (i + 1 < t->symbols.len && t->symbols.data[i + 1].symbol.start < s->end)
			s->end = t->symbols.data[i + 1].symbol.start;
	}
}

/* ---- which addresses belong to which symbol -------------------------------------------------- */

static void put_piece(struct symtab *t, u64 start, u32 symbol)
{
	struct piece *last = t->pieces.len ? &t->pieces.data[t->pieces.len - 1] : NULL;

	if (last && last->start == start)
		last->symbol = symbol;
	else if (!last || last->symbol != symbol)
		t->pieces.data[t->pieces.len++] = (struct piece){start, symbol};
}

/*
 * The innermost open symbol ends at `upto` or before, and the one below it that continues gets a
 * piece. Symbols below it that have ended meanwhile are skipped.
 */
static void close_symbols(struct symtab *t, u32 *open, size_t *nopen, u64 upto)
{
	while (*nopen && t->symbols.data[open[*nopen - 1]].symbol.end <= upto) {
		u64 end = t->symbols.data[open[--*nopen]].symbol.end;

		while (*nopen && t->symbols.data[open[*nopen - 1]].symbol.end <= end)
			--*nopen;
		put_piece(t, end, *nopen ? open[*nopen - 1] : NO_SYMBOL);
	}
}

/*
 * A function may lie inside another one's range (hand-written assembly), and then the one that
 * begins last is used. Searching for it among all that began before could take as many steps as
 * there are symbols, so the ranges are cut into pieces once; each symbol begins one and ends one.
 */
static int cut_pieces(struct symtab *t, struct budget *budget)
{
	u32 *open;
	size_t nopen = 0;

	if (t->symbols.len >= NO_SYMBOL ||
	    !budget_reserve(budget, BUDGET_SYMBOLS,
			    t->symbols.len * (2 * sizeof(*t->pieces.data) + sizeof(*open))))
		return -E2BIG;
	open = malloc(t->symbols.len * sizeof(*open));
	if (!open || vec_reserve(&t->pieces, 2 * t->symbols.len)) {
		free(open);
		return -ENOMEM;
	}
	for (u32 i = 0; i < t->symbols.len; i++) {
		const struct symbol *s = &t->symbols.data[i].symbol;

		close_symbols(t, open, &nopen, s->start);
		put_piece(t, s->start, i);
		open[nopen++] = i;
	}
	close_symbols(t, open, &nopen, UINT64_MAX);
	free(open);
	return 0;
}

static int build(struct symtab *t, struct elf_file *f, struct bytes syms, struct bytes strings)
{
	struct budget *budget = elf_file_budget(f);
	int err = collect(t, f, syms, elf_terminated(strings));

	if (err)
		return err;
	if (!t->symbols.len)
		return -ENOENT;
	qsort(t->symbols.data, t->symbols.len, sizeof(*t->symbols.data), compare);
	drop_aliases(t, budget);
	drop_labels(t, budget);
	if (!budget_look(budget, BUDGET_SYMBOLS, t->symbols.len))
		return -E2BIG;
	set_ends(t);
	return cut_pieces(t, budget);
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
	err = build(t, f, syms.data, strings.data);
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
	vec_release(&t->pieces);
	free(t);
}

const struct symbol *symtab_find(const struct symtab *t, u64 vaddr)
{
	size_t behind = sorted_behind_by(t->pieces.data, t->pieces.len, start, vaddr);

	if (!behind || t->pieces.data[behind - 1].symbol == NO_SYMBOL)
		return NULL;
	return &t->symbols.data[t->pieces.data[behind - 1].symbol].symbol;
}
