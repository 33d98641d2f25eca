/* SPDX-License-Identifier: Apache-2.0 */
/* Finds an allocator's functions by their names. allocator_identify.c finds out which allocator it
 * is. */
#include "target/allocator.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symbols.h"
#include "target/allocator_identify.h"

/* All known names are shorter, while the names of a hostile file may have any length. */
#define NAME_LONGEST 128u
/* This bounds a hostile file; no allocator has as many functions. */
#define FUNCTIONS_MAX 256

static const struct alloc_signature signatures[ALLOC_KINDS] = {
	[ALLOC_MALLOC] = {"malloc", 0, -1, -1, -1, true, false},
	[ALLOC_CALLOC] = {"calloc", 1, 0, -1, -1, true, false},
	[ALLOC_REALLOC] = {"realloc", 1, -1, 0, -1, true, true},
	[ALLOC_REALLOCARRAY] = {"reallocarray", 2, 1, 0, -1, true, true},
	[ALLOC_FREE] = {"free", -1, -1, 0, -1, false, true},
	[ALLOC_POSIX_MEMALIGN] = {"posix_memalign", 2, -1, -1, 0, true, false},
	[ALLOC_ALIGNED] = {"aligned_alloc", 1, -1, -1, -1, true, false},
	[ALLOC_VALLOC] = {"valloc", 0, -1, -1, -1, true, false},
	[ALLOC_PVALLOC] = {"pvalloc", 0, -1, -1, -1, true, false},
	[ALLOC_NEW] = {"new", 0, -1, -1, -1, true, false},
	[ALLOC_DELETE] = {"delete", -1, -1, 0, -1, false, true},
};

/* Ranks names: of several at one address, the best one is kept. */
enum rank {
	RANK_NAMED, /* given by --alloc */
	RANK_PLAIN, /* malloc */
	RANK_OPERATOR, /* _Znwm */
	RANK_PREFIXED, /* je_malloc */
	/* __libc_malloc: the same function as malloc, used if that name is not found */
	RANK_LAST_RESORT,
};

struct function_name {
	const char *name;
	enum alloc_kind kind;
};

struct candidate {
	struct alloc_function function;
	enum rank rank;
	bool prefixed; /* a known allocator's own name is at this address as well */
};

struct search {
	struct elf_file *f;
	const struct alloc_names *names;
	VEC(struct candidate) found;
	struct allocator_marks marks;
	size_t longest; /* a name with this many bytes is not one of those wanted */
	u32 functions; /* of the table that is being read */
	u32 ifuncs;
};

/* These occur with and without an allocator's prefix: je_malloc, tc_memalign, mi_free. */
static const struct function_name c_names[] = {
	{"malloc", ALLOC_MALLOC},
	{"calloc", ALLOC_CALLOC},
	{"realloc", ALLOC_REALLOC},
	{"reallocarray", ALLOC_REALLOCARRAY},
	{"free", ALLOC_FREE},
	{"cfree", ALLOC_FREE},
	{"free_sized", ALLOC_FREE}, /* C23 7.24.3.4 and .5 */
	{"free_aligned_sized", ALLOC_FREE},
	{"posix_memalign", ALLOC_POSIX_MEMALIGN},
	{"aligned_alloc", ALLOC_ALIGNED},
	{"memalign", ALLOC_ALIGNED},
	{"valloc", ALLOC_VALLOC},
	{"pvalloc", ALLOC_PVALLOC},
	{"mallocx", ALLOC_MALLOC}, /* jemalloc */
	{"rallocx", ALLOC_REALLOC},
	{"dallocx", ALLOC_FREE},
	{"sdallocx", ALLOC_FREE},
};

/* These occur only with a prefix and belong to gperftools and mimalloc. */
static const struct function_name own_names[] = {
	{"new", ALLOC_NEW},
	{"new_n", ALLOC_CALLOC},
	{"new_nothrow", ALLOC_NEW},
	{"new_aligned", ALLOC_NEW},
	{"new_aligned_nothrow", ALLOC_NEW},
	{"newarray", ALLOC_NEW},
	{"newarray_nothrow", ALLOC_NEW},
	{"newarray_aligned", ALLOC_NEW},
	{"newarray_aligned_nothrow", ALLOC_NEW},
	{"delete", ALLOC_DELETE},
	{"delete_nothrow", ALLOC_DELETE},
	{"delete_sized", ALLOC_DELETE},
	{"delete_aligned", ALLOC_DELETE},
	{"delete_sized_aligned", ALLOC_DELETE},
	{"delete_aligned_nothrow", ALLOC_DELETE},
	{"deletearray", ALLOC_DELETE},
	{"deletearray_nothrow", ALLOC_DELETE},
	{"deletearray_sized", ALLOC_DELETE},
	{"deletearray_aligned", ALLOC_DELETE},
	{"deletearray_sized_aligned", ALLOC_DELETE},
	{"deletearray_aligned_nothrow", ALLOC_DELETE},
	{"zalloc", ALLOC_MALLOC},
	{"malloc_small", ALLOC_MALLOC},
	{"zalloc_small", ALLOC_MALLOC},
	{"mallocn", ALLOC_CALLOC},
	{"reallocn", ALLOC_REALLOCARRAY},
	{"reallocf", ALLOC_REALLOC},
	{"rezalloc", ALLOC_REALLOC},
	{"recalloc", ALLOC_REALLOCARRAY},
	{"malloc_aligned", ALLOC_MALLOC},
	{"zalloc_aligned", ALLOC_MALLOC},
	{"calloc_aligned", ALLOC_CALLOC},
	{"realloc_aligned", ALLOC_REALLOC},
	{"free_size", ALLOC_FREE},
	{"free_size_aligned", ALLOC_FREE},
	{"free_aligned", ALLOC_FREE},
};

/* _rjem_ is jemalloc in Rust programs. */
static const char *const prefixes[] = {"je_", "_rjem_", "tc_", "mi_", "rp", "dl"};
static const char *const last_resorts[] = {"__libc_", "__interceptor_"};

const struct alloc_signature *alloc_signature(enum alloc_kind kind)
{
	return &signatures[kind];
}

/* ---- what a name means */

static bool name_equals(const char *name, size_t len, const char *want)
{
	return strlen(want) == len && !memcmp(name, want, len);
}

static bool lookup(const struct function_name *names, size_t n, const char *name, size_t len,
		   enum alloc_kind *kind)
{
	for (size_t i = 0; i < n; i++) {
		if (name_equals(name, len, names[i].name)) {
			*kind = names[i].kind;
			return true;
		}
	}
	return false;
}

static bool lookup_prefixed(const char *const *known, size_t n, const char *name, size_t len,
			    bool own, enum alloc_kind *kind)
{
	for (size_t i = 0; i < n; i++) {
		size_t skip = strlen(known[i]);

		if (len <= skip || memcmp(name, known[i], skip) != 0)
			continue;
		if (lookup(c_names, ARRAY_LEN(c_names), name + skip, len - skip, kind) ||
		    (own && lookup(own_names, ARRAY_LEN(own_names), name + skip, len - skip, kind)))
			return true;
	}
	return false;
}

/* Recognizes je_malloc, but not mi_zalloc, whose kind is that of malloc. */
static bool is_malloc_of_prefix(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t skip = strlen(prefixes[i]);

		if (!strncmp(name, prefixes[i], skip) &&
		    name_equals(name + skip, elf_name_length(name + skip, NAME_LONGEST), "malloc"))
			return true;
	}
	return false;
}

/*
 * Looks up operator new and delete as the standard library declares them (their names follow
 * Itanium C++ ABI 5.1.3). Placement forms and a program's own overloads do not count.
 */
static bool lookup_operator(const char *name, size_t len, enum alloc_kind *kind)
{
	static const struct function_name heads[] = {{"_Znwm", ALLOC_NEW},
						     {"_Znam", ALLOC_NEW},
						     {"_ZdlPv", ALLOC_DELETE},
						     {"_ZdaPv", ALLOC_DELETE}};
	static const char *const tails[] = {"",
					    "m",
					    "RKSt9nothrow_t",
					    "St11align_val_t",
					    "mSt11align_val_t",
					    "St11align_val_tRKSt9nothrow_t"};

	for (size_t h = 0; h < ARRAY_LEN(heads); h++) {
		size_t skip = strlen(heads[h].name);

		if (len < skip || memcmp(name, heads[h].name, skip) != 0)
			continue;
		*kind = heads[h].kind;
		for (size_t t = 0; t < ARRAY_LEN(tails); t++) {
			if (name_equals(name + skip, len - skip, tails[t]))
				return true;
		}
	}
	return false;
}

static bool lookup_named(const struct alloc_names *names, const char *name, size_t len,
			 enum alloc_kind *kind)
{
	for (size_t i = 0; names && i < names->names.len; i++) {
		if (name_equals(name, len, names->names.data[i].name)) {
			*kind = names->names.data[i].kind;
			return true;
		}
	}
	return false;
}

static bool classify_known(const char *name, size_t len, struct candidate *c)
{
	enum alloc_kind *kind = &c->function.kind;

	if (lookup(c_names, ARRAY_LEN(c_names), name, len, kind))
		c->rank = RANK_PLAIN;
	else if (lookup_operator(name, len, kind))
		c->rank = RANK_OPERATOR;
	else if (lookup_prefixed(prefixes, ARRAY_LEN(prefixes), name, len, true, kind))
		c->rank = RANK_PREFIXED;
	else if (lookup_prefixed(last_resorts, ARRAY_LEN(last_resorts), name, len, false, kind))
		c->rank = RANK_LAST_RESORT;
	else
		return false;
	return true;
}

/* mimalloc's mi_new_n() counts like calloc. */
static bool throws(const struct alloc_function *function, const char *name, size_t len)
{
	return function->kind == ALLOC_NEW || (len > 6 && !memcmp(name + len - 6, "_new_n", 6));
}

static bool classify(const struct search *s, const char *name, size_t len, struct candidate *c)
{
	bool known = classify_known(name, len, c);

	c->prefixed = known && c->rank == RANK_PREFIXED;
	c->function.may_throw = known && throws(&c->function, name, len);
	if (!lookup_named(s->names, name, len, &c->function.kind))
		return known;
	c->rank = RANK_NAMED;
	c->function.named = !known;
	c->function.may_throw |= !known;
	return true;
}

/* ---- the symbol tables */

static int visit(void *arg, const struct elf_symbol *symbol)
{
	struct search *s = arg;
	size_t len = elf_name_length(symbol->name, s->longest);
	struct candidate c = {.function = {.vaddr = symbol->vaddr, .size = symbol->size}};

	allocator_marks_note(&s->marks, symbol->name, len, symbol->vaddr);
	if (symbol->type != STT_FUNC && symbol->type != STT_GNU_IFUNC)
		return 0;
	s->functions++;
	if (!classify(s, symbol->name, len, &c) || !elf_file_is_code(s->f, symbol->vaddr) ||
	    !elf_file_vaddr_to_offset(s->f, symbol->vaddr, &c.function.offset))
		return 0;
	if (symbol->type == STT_GNU_IFUNC) {
		s->ifuncs++;
		return 0;
	}
	if (s->found.len == FUNCTIONS_MAX)
		return 0;
	c.function.name = symbol->name;
	return vec_push(&s->found, c);
}

static int search_table(struct search *s, const char *table, char *text, size_t size)
{
	int err;

	s->functions = 0;
	err = elf_symbols_visit(s->f, table, visit, s);
	if (err == -ENOMEM)
		return err;
	if (err == -E2BIG)
		snprintf(text, size, "%s is too large", table);
	else if (err)
		snprintf(text, size, "no %s", table);
	else
		snprintf(text, size, "%u functions in %s", s->functions, table);
	return 0;
}

static int search_tables(struct search *s, char *searched, size_t size)
{
	char dynamic[40] = "", all[40] = "";
	int err = search_table(s, ".dynsym", dynamic, sizeof(dynamic));

	if (!err)
		err = search_table(s, ".symtab", all, sizeof(all));
	snprintf(searched, size, "%s, %s", dynamic, all);
	return err;
}

/* ---- which symbols are functions */

/* The usual name is free, although some libraries also call the same function cfree. */
static bool is_usual_name(const struct alloc_function *function)
{
	return name_equals(function->name, elf_name_length(function->name, NAME_LONGEST),
			   signatures[function->kind].name);
}

static int compare_places(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->function.vaddr != y->function.vaddr)
		return x->function.vaddr < y->function.vaddr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->function.kind != y->function.kind)
		return x->function.kind < y->function.kind ? -1 : 1;
	if (is_usual_name(&x->function) != is_usual_name(&y->function))
		return is_usual_name(&x->function) ? -1 : 1;
	return strcmp(x->function.name, y->function.name);
}

static int compare_kinds(const void *a, const void *b)
{
	const struct alloc_function *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static void drop_aliases(struct search *s)
{
	size_t kept = 0;

	if (!s->found.len)
		return;
	qsort(s->found.data, s->found.len, sizeof(*s->found.data), compare_places);
	for (size_t i = 0; i < s->found.len; i++) {
		struct candidate *c = &s->found.data[i];
		struct candidate *last = kept ? &s->found.data[kept - 1] : NULL;

		if (!last || last->function.vaddr != c->function.vaddr) {
			s->found.data[kept++] = *c;
			continue;
		}
		if (!last->function.size)
			last->function.size = c->function.size;
		last->function.may_throw |=
			c->function.may_throw; /* linkers fold equal functions */
		last->prefixed |= c->prefixed;
	}
	s->found.len = kept;
}

/*
 * Returns whether the program's own malloc calls a function such as je_malloc in the same file.
 * Nothing is known about that malloc, although the allocator is known.
 */
static bool wraps_an_allocator(const struct search *s)
{
	bool plain = false, other = false;

	vec_for_each(&s->found, c) {
		if (c->function.kind != ALLOC_MALLOC)
			continue;
		plain |= c->rank == RANK_PLAIN && !c->prefixed;
		other |= c->rank == RANK_PREFIXED && is_malloc_of_prefix(c->function.name);
	}
	return plain && other;
}

static void distrust_wrappers(struct search *s)
{
	if (!wraps_an_allocator(s))
		return;
	vec_for_each(&s->found, c)
		c->function.may_throw |= c->rank == RANK_PLAIN;
}

/* Returns whether one function allocates memory and one frees it, both under C's names. */
static bool makes_an_allocator(const struct search *s)
{
	bool allocates = false, frees = false;

	vec_for_each(&s->found, c) {
		if (c->rank == RANK_NAMED || c->rank == RANK_OPERATOR)
			continue;
		allocates |= signatures[c->function.kind].allocates;
		frees |= c->function.kind == ALLOC_FREE;
	}
	return allocates && frees;
}

static bool has_plain(const struct search *s, enum alloc_kind kind)
{
	vec_for_each(&s->found, c) {
		if (c->rank == RANK_PLAIN && c->function.kind == kind)
			return true;
	}
	return false;
}

static bool is_function(const struct search *s, const struct candidate *c, enum allocator_id id)
{
	switch (c->rank) {
	case RANK_NAMED:
		return true;
	/* A C library defines no operators, so this one comes from a statically linked C++
	 * library. */
	case RANK_OPERATOR:
		return id != ALLOCATOR_NAMED && id != ALLOCATOR_GLIBC && id != ALLOCATOR_MUSL;
	case RANK_LAST_RESORT:
		return id != ALLOCATOR_NAMED && !has_plain(s, c->function.kind);
	default:
		return id != ALLOCATOR_NAMED;
	}
}

static int keep_functions(const struct search *s, struct allocator *out)
{
	vec_for_each(&s->found, c) {
		if (is_function(s, c, out->id) && vec_push(&out->functions, c->function))
			return -ENOMEM;
	}
	if (!out->functions.len)
		return -ENOENT;
	qsort(out->functions.data, out->functions.len, sizeof(*out->functions.data), compare_kinds);
	return 0;
}

static size_t longest_name(const struct alloc_names *names)
{
	size_t longest = NAME_LONGEST;

	for (size_t i = 0; names && i < names->names.len; i++) {
		size_t len = strlen(names->names.data[i].name);

		longest = len < longest ? longest : len + 1;
	}
	return longest;
}

int allocator_find(struct elf_file *f, const struct alloc_names *names, struct allocator *out)
{
	struct search s = {.f = f, .names = names, .longest = longest_name(names)};
	int err;

	*out = (struct allocator){.id = ALLOCATOR_NAMED, .text = "named functions"};
	err = search_tables(&s, out->searched, sizeof(out->searched));
	if (!err) {
		out->ifuncs = s.ifuncs;
		drop_aliases(&s);
		distrust_wrappers(&s);
		if (makes_an_allocator(&s) && !allocator_is_dynamic_linker(&s.marks))
			out->id = allocator_identify(f, &s.marks, out->text, sizeof(out->text));
		err = keep_functions(&s, out);
	}
	vec_release(&s.found);
	return err;
}

bool allocator_is_c_name(const char *name)
{
	enum alloc_kind kind;

	return lookup(c_names, ARRAY_LEN(c_names), name, strlen(name), &kind);
}

void allocator_release(struct allocator *a)
{
	vec_release(&a->functions);
}
