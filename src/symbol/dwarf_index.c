/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the functions, inlined functions and lines of a sorted batch of addresses in DWARF. */
#include "symbol/dwarf_index.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "symbol/dwarf_qualify.h"

#define NO_SCOPE UINT32_MAX
#define NO_UNIT UINT32_MAX
#define MAX_DEPTH 512u /* levels of the tree, blocks and namespaces included */
/*
 * Ranges looked at, addresses marked and DIEs stepped over (32 bytes counting as one) in one batch: some
 * seconds. A program with a gigabyte of DWARF stays below.
 */
#define WORK_MAX (500u << 20)

struct dwarf_index {
	Dwarf *dwarf, *alt;
};

/* A function or an inlined function that covers some wanted address. */
struct scope {
	Dwarf_Die die;
	u32 parent; /* the scope it is inlined into; NO_SCOPE: a physical function */
	u32 depth; /* scopes above it */
	bool described; /* the strings below are filled in */
	const char *name, *linkage_name, *file;
	u32 start_line;
	const char *call_file; /* where the parent calls it */
	u32 call_line;
	u64 low_pc;
};

struct unit {
	Dwarf_Die die;
	bool walked, wanted, has_ranges;
};

struct batch {
	const u64 *vaddrs;
	size_t n;
	u32 *scope_of; /* the innermost scope of each address */
	u32 *unit_of;
	VEC(struct scope) scopes;
	VEC(struct unit) units;
	Dwarf_Off last; /* the last DIE entered: only later ones may follow */
	u64 work;
	struct dwarf_qualifier *qualifier; /* owns the names it made */
	bool everywhere; /* also look into types and functions without code */
};

/* zlib reaches some 20:1 on debug sections; a claim beyond this would make a megabyte cost gigabytes. */
#define INFLATE_RATIO_MAX 200ull

struct contents {
	bool info, alt_link, bomb;
};

/* What a file holds, by its section names only: reading the data is left to libdw. */
static struct contents contents_of(Elf *elf)
{
	struct contents c = {0};
	size_t names;
	Elf_Scn *scn = NULL;

	if (elf_getshdrstrndx(elf, &names))
		return c;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name;
		GElf_Shdr shdr; /* a copy: libelf lends headers as they lie, unaligned if need be */
		GElf_Chdr chdr;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, names, shdr.sh_name);
		if (!name)
			continue;
		c.info |= !strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info");
		c.alt_link |= !strcmp(name, ".gnu_debugaltlink");
		if (shdr.sh_flags & SHF_COMPRESSED)
			c.bomb |= !gelf_getchdr(scn, &chdr) ||
				  chdr.ch_size / INFLATE_RATIO_MAX > shdr.sh_size;
	}
	return c;
}

int dwarf_index_new(struct elf_file *f, struct elf_file *alt, struct dwarf_index **out)
{
	struct contents c = contents_of(elf_file_handle(f));
	struct dwarf_index *index;

	/* Left to itself libdw would open the path that the link names, as root and whatever is there. */
	if (!c.info || c.bomb || (c.alt_link && !alt))
		return -ENOENT;
	if (alt && contents_of(elf_file_handle(alt)).bomb)
		return -ENOENT;
	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->dwarf = dwarf_begin_elf(elf_file_handle(f), DWARF_C_READ, NULL);
	if (alt)
		index->alt = dwarf_begin_elf(elf_file_handle(alt), DWARF_C_READ, NULL);
	if (!index->dwarf || (alt && !index->alt)) {
		dwarf_index_free(index);
		return -ENOENT;
	}
	if (index->alt)
		dwarf_setalt(index->dwarf, index->alt);
	*out = index;
	return 0;
}

void dwarf_index_free(struct dwarf_index *index)
{
	if (!index)
		return;
	dwarf_end(index->dwarf);
	dwarf_end(index->alt);
	free(index);
}

static size_t lower_bound(const struct batch *b, u64 vaddr)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->vaddrs[mid] < vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Sets `marks` to `mark` for all addresses that the DIE's ranges cover. -1: it has no ranges; else how many. */
static long mark_ranges(struct batch *b, Dwarf_Die *die, u32 *marks, u32 mark)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	long marked = 0;
	bool any = false;

	while (b->work < WORK_MAX && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		size_t i = lower_bound(b, start);

		any = true;
		b->work++;
		for (; i < b->n && b->vaddrs[i] < end; i++, marked++, b->work++)
			marks[i] = mark;
	}
	return any ? marked : -1;
}

static int walk(struct batch *b, Dwarf_Die *parent, u32 scope, u32 depth);

/* A function or inlined function: kept and entered when it covers a wanted address. */
static int visit_code(struct batch *b, Dwarf_Die *die, u32 parent, u32 depth)
{
	u32 number = (u32)b->scopes.len;
	struct scope s = {.die = *die, .parent = parent};
	long marked;

	if (parent != NO_SCOPE) {
		s.depth = b->scopes.data[parent].depth + 1;
		if (s.depth >= DWARF_MAX_INLINES)
			return 0;
	}
	marked = mark_ranges(b, die, b->scope_of, number);
	if (marked > 0)
		return vec_push(&b->scopes, s) ? -ENOMEM : walk(b, die, number, depth);
	return marked < 0 && b->everywhere ? walk(b, die, NO_SCOPE, depth) : 0;
}

static bool covers_wanted(struct batch *b, Dwarf_Die *die)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	bool any = false;

	while (b->work < WORK_MAX && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		size_t i = lower_bound(b, start);

		any = true;
		b->work++;
		if (i < b->n && b->vaddrs[i] < end)
			return true;
	}
	return !any; /* without ranges of its own it is as wide as its parent */
}

static int visit(struct batch *b, Dwarf_Die *die, u32 scope, u32 depth)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		return visit_code(b, die, NO_SCOPE, depth);
	case DW_TAG_inlined_subroutine:
		return scope == NO_SCOPE ? 0 : visit_code(b, die, scope, depth);
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		if (b->everywhere || (scope != NO_SCOPE && covers_wanted(b, die)))
			return walk(b, die, scope, depth);
		return 0;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return scope == NO_SCOPE || b->everywhere ? walk(b, die, NO_SCOPE, depth) : 0;
	default:
		return 0;
	}
}

static int walk(struct batch *b, Dwarf_Die *parent, u32 scope, u32 depth)
{
	Dwarf_Off before = dwarf_dieoffset(parent);
	Dwarf_Die die;

	if (depth >= MAX_DEPTH || dwarf_child(parent, &die))
		return 0;
	do {
		Dwarf_Off off = dwarf_dieoffset(&die);
		int err;

		/* DW_AT_sibling may point anywhere; going forward only ends, and sees each DIE once. */
		if (off <= b->last || b->work >= WORK_MAX)
			return 0;
		b->last = off;
		b->work += (off - before) / 32;
		before = off;
		err = visit(b, &die, scope, depth + 1);
		if (err)
			return err;
	} while (!dwarf_siblingof(&die, &die));
	return 0;
}

static int walk_unit(struct batch *b, struct unit *u)
{
	b->last = dwarf_dieoffset(&u->die);
	return walk(b, &u->die, NO_SCOPE, 0);
}

/* Lists the units and finds out which address belongs to which. */
static int list_units(struct batch *b, Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;

	while (!dwarf_get_units(dwarf, cu, &cu, &version, &type, &die, NULL)) {
		struct unit u = {.die = die};
		long marked;

		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		marked = mark_ranges(b, &die, b->unit_of, (u32)b->units.len);
		u.has_ranges = marked >= 0;
		if (vec_push(&b->units, u))
			return -ENOMEM;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (b->unit_of[i] != NO_UNIT)
			b->units.data[b->unit_of[i]].wanted = true;
	}
	return 0;
}

static bool unit_is_unresolved(const struct batch *b, u32 unit)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->unit_of[i] == unit && b->scope_of[i] == NO_SCOPE)
			return true;
	}
	return false;
}

static bool any_without_unit(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->unit_of[i] == NO_UNIT)
			return true;
	}
	return false;
}

/*
 * Units that say where their code is, then (rarely) those that do not. Methods of local classes may hide
 * inside types and abstract functions, which are entered only for units with addresses left over.
 */
static int walk_units(struct batch *b)
{
	int err = 0;

	for (u32 i = 0; i < b->units.len && !err; i++) {
		struct unit *u = &b->units.data[i];

		if (!u->wanted)
			continue;
		err = walk_unit(b, u);
		if (!err && unit_is_unresolved(b, i)) {
			b->everywhere = true;
			err = walk_unit(b, u);
			b->everywhere = false;
		}
	}
	for (u32 i = 0; i < b->units.len && !err && any_without_unit(b); i++) {
		if (!b->units.data[i].has_ranges)
			err = walk_unit(b, &b->units.data[i]);
	}
	return err;
}

static const char *call_file_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	Dwarf_Word number;
	Dwarf_Die unit;

	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attr), &number))
		return NULL;
	if (!dwarf_diecu(die, &unit, NULL, NULL) || dwarf_getsrcfiles(&unit, &files, NULL))
		return NULL;
	return dwarf_filesrc(files, number, NULL, NULL);
}

static void describe(struct batch *b, struct scope *s)
{
	Dwarf_Attribute attr;
	Dwarf_Word line;
	int decl_line;

	if (s->described)
		return;
	s->described = true;
	s->name = dwarf_diename(&s->die);
	s->linkage_name =
		dwarf_formstring(dwarf_attr_integrate(&s->die, DW_AT_linkage_name, &attr));
	if (!s->linkage_name)
		s->linkage_name = dwarf_formstring(
			dwarf_attr_integrate(&s->die, DW_AT_MIPS_linkage_name, &attr));
	if (!s->linkage_name && s->name) {
		const char *full = dwarf_qualify(b->qualifier, &s->die, s->name);

		if (full)
			s->name = full;
	}
	s->file = dwarf_decl_file(&s->die);
	if (!dwarf_decl_line(&s->die, &decl_line) && decl_line > 0)
		s->start_line = (u32)decl_line;
	if (s->parent == NO_SCOPE) {
		if (dwarf_lowpc(&s->die, &s->low_pc))
			s->low_pc = 0;
		return;
	}
	s->call_file = call_file_of(&s->die);
	if (!dwarf_formudata(dwarf_attr(&s->die, DW_AT_call_line, &attr), &line) &&
	    line <= INT32_MAX)
		s->call_line = (u32)line;
}

static bool unit_of(struct batch *b, size_t which, Dwarf_Die *unit)
{
	u32 scope = b->scope_of[which];

	if (scope != NO_SCOPE)
		return dwarf_diecu(&b->scopes.data[scope].die, unit, NULL, NULL) != NULL;
	*unit = b->units.data[b->unit_of[which]].die;
	return true;
}

static void set_line(Dwarf_Die *unit, u64 vaddr, struct dwarf_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, vaddr);
	int number;

	if (!line || dwarf_lineno(line, &number) || number < 0)
		return;
	frame->line = (u32)number;
	frame->file = dwarf_linesrc(line, NULL, NULL);
}

/* Version 5 line tables name directories below the compiler's own, which libdw does not put in front. */
static void set_directories(Dwarf_Die *unit, struct dwarf_frame *frames, u32 n)
{
	Dwarf_Attribute attr;

	for (u32 i = 0; i < n; i++) {
		if (frames[i].file && frames[i].file[0] != '/')
			frames[i].directory =
				dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attr));
	}
}

/* Fills `frames` (DWARF_MAX_INLINES of them) for one address; how many. */
static u32 frames_of(struct batch *b, size_t which, struct dwarf_frame *frames)
{
	u32 number = b->scope_of[which], n = 0;
	Dwarf_Die unit;

	frames[0] = (struct dwarf_frame){0};
	if (!unit_of(b, which, &unit))
		return 0;
	set_line(&unit, b->vaddrs[which], &frames[0]);
	if (number == NO_SCOPE && frames[0].line)
		n = 1;
	while (number != NO_SCOPE && n < DWARF_MAX_INLINES) {
		struct scope *s = &b->scopes.data[number];
		struct dwarf_frame *f = &frames[n++];

		describe(b, s);
		f->name = s->name;
		f->linkage_name = s->linkage_name;
		f->start_line = s->start_line;
		f->low_pc = s->low_pc;
		if (!f->file)
			f->file = s->file;
		if (s->parent != NO_SCOPE && n < DWARF_MAX_INLINES)
			frames[n] =
				(struct dwarf_frame){.file = s->call_file, .line = s->call_line};
		number = s->parent;
	}
	set_directories(&unit, frames, n);
	return n;
}

static int report(struct batch *b, dwarf_found_fn found, void *arg)
{
	struct dwarf_frame *frames = calloc(DWARF_MAX_INLINES, sizeof(*frames));
	int err = frames ? 0 : -ENOMEM;

	for (size_t i = 0; i < b->n && !err; i++) {
		u32 n;

		if (b->scope_of[i] == NO_SCOPE && b->unit_of[i] == NO_UNIT)
			continue;
		n = frames_of(b, i, frames);
		if (n)
			err = found(arg, i, frames, n);
	}
	free(frames);
	return err;
}

int dwarf_index_resolve(struct dwarf_index *index, const u64 *vaddrs, size_t n,
			dwarf_found_fn found, void *arg)
{
	struct batch b = {.vaddrs = vaddrs, .n = n};
	int err = -ENOMEM;

	if (!n)
		return 0;
	b.scope_of = malloc(n * sizeof(*b.scope_of));
	b.unit_of = malloc(n * sizeof(*b.unit_of));
	if (!b.scope_of || !b.unit_of || dwarf_qualifier_new(&b.qualifier))
		goto out;
	memset(b.scope_of, 0xff, n * sizeof(*b.scope_of));
	memset(b.unit_of, 0xff, n * sizeof(*b.unit_of));
	err = list_units(&b, index->dwarf);
	if (!err)
		err = walk_units(&b);
	if (!err)
		err = report(&b, found, arg);
out:
	dwarf_qualifier_free(b.qualifier);
	vec_release(&b.scopes);
	vec_release(&b.units);
	free(b.scope_of);
	free(b.unit_of);
	return err;
}
