/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol tables: which name an address gets, sizes that are missing, and tables that lie. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symbols.h"
#include "elf_fixture.h"
#include "elf_patch.h"
#include "fixture.h"
#include "name_fixture.h"
#include "symbol/data_symbol.h"
#include "symbol/symtab.h"
#include "unit.h"

static const char source[] =
	".text\n"
	".globl sized\n.type sized,@function\nsized: nop; nop; nop; nop\n.size sized,4\n"
	"nop; nop; nop; nop\n"
	".globl sizeless\n.type sizeless,@function\nsizeless: nop; nop\n"
	"plain: nop; nop\n"
	".type local_alias,@function\nlocal_alias:\n.weak weak_alias\n.type weak_alias,@function\n"
	"weak_alias:\n.globl the_name\n.type the_name,@function\nthe_name:\n"
	".globl __the_name\n.type __the_name,@function\n__the_name: nop; nop\n"
	".size the_name,2\n"
	".globl outer\n.type outer,@function\nouter: nop; nop\n"
	".type nested,@function\nnested: nop\n.size nested,1\n"
	"nop; nop\n.size outer,5\n"
	".data\n.globl object\n.type object,@object\nobject: .quad 1\n.size object,8\n";

static struct elf_file *build(const char *flags)
{
	fixture_write("a.s", source, sizeof(source) - 1);
	fixture_run("gcc -shared -nostdlib %s -o a.so a.s", flags);
	return elf_fixture_open(fixture_path("a.so"));
}

static const char *name_at(const struct symtab *t, u64 vaddr)
{
	const struct symbol *s = symtab_find(t, vaddr);

	return s ? s->name : NULL;
}

TEST(symtab, names_addresses)
{
	struct elf_file *elf = build("");
	u64 base = vaddr_of("a.so", "sized");
	struct symtab *t;

	CHECK_INT(symtab_new(elf, ".symtab", &t), 0);
	CHECK_STR(name_at(t, base), "sized");
	CHECK_STR(name_at(t, base + 3), "sized");
	CHECK_STR(name_at(t, base + 4), NULL); /* padding */
	CHECK_STR(name_at(t, base + 8), "sizeless");
	CHECK_STR(name_at(t, base + 9), "sizeless");
	CHECK_STR(name_at(t, base + 10), "plain");
	CHECK_STR(name_at(t, base + 12), "the_name");
	CHECK_STR(name_at(t, base + 14), "outer");
	CHECK_STR(name_at(t, base + 16), "nested");
	CHECK_STR(name_at(t, base + 17), "outer");
	CHECK_STR(name_at(t, base + 19), NULL);
	CHECK_STR(name_at(t, vaddr_of("a.so", "object")), NULL);
	CHECK_STR(name_at(t, 0), NULL);
	CHECK_STR(name_at(t, UINT64_MAX), NULL);
	symtab_free(t);
	elf_file_free(elf);
}

static const char labels[] =
	".text\n"
	".globl loops\n.type loops,@function\nloops: nop\nloops_head: nop\n"
	".globl loops_tail\nloops_tail: nop\n"
	".type second_entry,@function\nsecond_entry: nop\n.size loops,4\n"
	".type nasm,@function\nnasm: nop\nnasm.loop: nop\nnasm.loop2.end: nop\n"
	"nasm_other: nop\nother.loop: nop\n"
	"$a: nop\n$x.1: nop\n$s4shop9InventoryC5priceSiyF: nop\n$t: nop\n$d.realm: nop\n";

/* Labels inside a function are no functions, nor are the mapping symbols of other processors. */
TEST(symtab, labels_belong_to_their_function)
{
	static const char *const want[] = {
		"loops",      "loops",      "loops",      "second_entry",
		"nasm",       "nasm",       "nasm",       "nasm_other",
		"other.loop", "other.loop", "other.loop", "$s4shop9InventoryC5priceSiyF"};
	struct elf_file *elf;
	struct symtab *t;
	u64 base;

	fixture_write("l.s", labels, sizeof(labels) - 1);
	fixture_run("gcc -shared -nostdlib -o l.so l.s");
	elf = elf_fixture_open(fixture_path("l.so"));
	base = vaddr_of("l.so", "loops");
	CHECK_INT(symtab_new(elf, ".symtab", &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		CHECK_STR(name_at(t, base + i), want[i]);
	symtab_free(t);
	elf_file_free(elf);
}

TEST(symtab, dynsym_of_a_stripped_library)
{
	struct elf_file *elf = build("-s");
	u64 base = vaddr_of("a.so", "sized");
	struct symtab *t;

	CHECK_INT(symtab_new(elf, ".symtab", &t), -ENOENT);
	CHECK_INT(symtab_new(elf, ".dynsym", &t), 0);
	CHECK_STR(name_at(t, base), "sized");
	CHECK_STR(name_at(t, base + 16), "outer");
	symtab_free(t);
	elf_file_free(elf);
}

/* Every byte of the table and its strings is changed in turn, and nothing may be read outside
 * them. */
TEST(symtab, survives_damage)
{
	struct elf_file *elf = build("");
	size_t len;
	u8 *image = fixture_read(fixture_path("a.so"), &len);
	struct elf_section s;
	struct symtab *t;

	CHECK_INT(elf_file_section(elf, ".symtab", &s), 0);
	for (u64 at = s.offset; at < len; at++) {
		struct elf_file *broken;
		u8 was = image[at];

		image[at] ^= 0xff;
		if (!elf_file_open_memory((struct bytes){image, len}, &broken)) {
			if (!symtab_new(broken, ".symtab", &t)) {
				for (u64 vaddr = 0; vaddr < 0x5000; vaddr += 3)
					name_at(t, vaddr);
				symtab_free(t);
			}
			elf_file_free(broken);
		}
		image[at] = was;
	}
	free(image);
	elf_file_free(elf);
}

TEST(symtab, a_variable_by_name_and_distance)
{
	static const char big[] =
		".data\n.globl big\n.type big,@object\nbig: .zero 128\n.size big,128\n"
		".globl small\n.type small,@object\nsmall: .zero 56\n.size small,56\n";
	struct demangler *d;
	struct elf_file *elf;
	char name[32], tight[4];
	u64 at;

	fixture_write("d.s", big, sizeof(big) - 1);
	fixture_run("gcc -shared -nostdlib -s -o d.so d.s");
	elf = elf_fixture_open(fixture_path("d.so"));
	fixture_run("gcc -shared -nostdlib -o d.so d.s");
	at = vaddr_of("d.so", "big");
	CHECK_INT(demangler_new(&d), 0);
	CHECK(data_symbol_name(elf, at, d, name, sizeof(name)));
	CHECK_STR(name, "big");
	CHECK(data_symbol_name(elf, at + 40, d, name, sizeof(name)));
	CHECK_STR(name, "big+0x28");
	CHECK(data_symbol_name(elf, at + 128 + 8, d, name, sizeof(name)));
	CHECK_STR(name, "small");
	CHECK(!data_symbol_name(elf, at + 128 + 56, d, name, sizeof(name)));
	CHECK(!data_symbol_name(elf, at - 1, d, name, sizeof(name)));
	CHECK(data_symbol_name(elf, at, d, tight, sizeof(tight)));
	CHECK_STR(tight, "big");
	demangler_free(d);
	elf_file_free(elf);
}

TEST(symtab, variables_survive_damage)
{
	struct elf_file *elf = build("");
	size_t len;
	u8 *image = fixture_read(fixture_path("a.so"), &len);
	struct elf_section s;
	struct demangler *d;
	char name[64];

	CHECK_INT(demangler_new(&d), 0);
	CHECK_INT(elf_file_section(elf, ".symtab", &s), 0);
	for (u64 at = s.offset; at < len; at++) {
		struct elf_file *broken;
		u8 was = image[at];

		image[at] ^= 0xff;
		if (!elf_file_open_memory((struct bytes){image, len}, &broken)) {
			for (u64 vaddr = 0; vaddr < 0x5000; vaddr += 64)
				data_symbol_name(broken, vaddr, d, name, sizeof(name));
			elf_file_free(broken);
		}
		image[at] = was;
	}
	free(image);
	demangler_free(d);
	elf_file_free(elf);
}

/* ---- what a table may cost ------------------------------------------------------------------- */

#define SYMBOLS 50000u
#define NAME_BYTES (1u << 20)

/* The names are the tails of one name of a megabyte, so reading each would be 26 GB. */
static struct elf_file *build_tails(struct elf_patch *p, void (*make)(Elf64_Sym *, size_t, u64))
{
	struct elf_file *elf = build("");
	const struct elf_segment *code;
	Elf64_Sym *symbols = calloc(SYMBOLS, sizeof(*symbols));
	char *name = malloc(NAME_BYTES + 2);

	CHECK(symbols && name);
	for (elf_file_segments(elf, &code); !(code->flags & PF_X);)
		code++;
	memset(name, 'N', NAME_BYTES + 1);
	name[0] = name[NAME_BYTES + 1] = '\0';
	for (size_t i = 1; i < SYMBOLS; i++) {
		symbols[i] = (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					 .st_name = 1 + (Elf64_Word)i,
					 .st_shndx = 1};
		make(&symbols[i], i, code->vaddr);
	}
	elf_file_free(elf);
	elf_patch_init(p, fixture_path("a.so"));
	elf_patch_replace(p, ".symtab", symbols, SYMBOLS * sizeof(*symbols));
	elf_patch_replace(p, ".strtab", name, NAME_BYTES + 2);
	free(symbols);
	free(name);
	CHECK_INT(elf_file_open_memory((struct bytes){p->image, p->len}, &elf), 0);
	return elf;
}

static void at_one_address(Elf64_Sym *symbol, size_t i, u64 code)
{
	symbol->st_value = code;
	symbol->st_size = 16;
}

static int count_symbol(void *arg, const struct elf_symbol *symbol)
{
	*(size_t *)arg += elf_name_length(symbol->name, 64) == 64;
	return 0;
}

TEST(symtab, tails_of_one_long_name_are_not_read_for_each_symbol)
{
	struct elf_patch p;
	struct elf_file *elf = build_tails(&p, at_one_address);
	struct budget *budget = elf_file_budget(elf);
	u64 before = budget->steps[BUDGET_SYMBOLS];
	size_t symbols = 0;
	struct symtab *t;

	CHECK_INT(elf_symbols_visit(elf, ".symtab", count_symbol, &symbols), 0);
	CHECK_INT(symbols, SYMBOLS - 1);
	CHECK(before - budget->steps[BUDGET_SYMBOLS] < SYMBOLS * 100);
	/* Aliases are compared, but not to their ends. */
	CHECK_INT(symtab_new(elf, ".symtab", &t), 0);
	CHECK(before - budget->steps[BUDGET_SYMBOLS] < SYMBOLS * 5000ull);
	symtab_free(t);
	elf_file_free(elf);
	elf_patch_release(&p);
}

TEST(symtab, is_left_out_when_the_budget_ends)
{
	struct elf_patch p;
	struct elf_file *elf = build_tails(&p, at_one_address);
	size_t symbols = 0;
	struct symtab *t;

	budget_limit(elf_file_budget(elf), SYMBOLS, 1ull << 30);
	CHECK_INT(symtab_new(elf, ".symtab", &t), -E2BIG);
	CHECK_INT(elf_symbols_visit(elf, ".symtab", count_symbol, &symbols), -E2BIG);
	CHECK_INT(budget_lost(elf_file_budget(elf), BUDGET_SYMBOLS), BUDGET_STEPS);
	elf_file_free(elf);
	elf_patch_release(&p);
}

/* Each begins one byte after the one before and ends one byte before it. */
static void nested(Elf64_Sym *symbol, size_t i, u64 code)
{
	symbol->st_value = code + i / 2;
	symbol->st_size = 2 * SYMBOLS - i;
}

/* A plain search would look at all of them for an address after the innermost ones. */
TEST(symtab, nesting_takes_no_time_to_search)
{
	struct elf_patch p;
	struct elf_file *elf = build_tails(&p, nested);
	const struct elf_segment *segments;
	size_t n = elf_file_segments(elf, &segments);
	struct symtab *t;
	size_t found = 0;

	/* The code is as long as the table says. */
	for (size_t i = 0; i < n; i++)
		((struct elf_segment *)&segments[i])->memsz += 2 * SYMBOLS;
	CHECK_INT(symtab_new(elf, ".symtab", &t), 0);
	for (u64 round = 0; round < 20; round++) {
		for (u64 vaddr = 0; vaddr < 4 * SYMBOLS; vaddr++)
			found += symtab_find(t, vaddr) != NULL;
	}
	CHECK(found > 20 * SYMBOLS);
	symtab_free(t);
	elf_file_free(elf);
	elf_patch_release(&p);
}

struct overlap {
	u64 start, size;
};

/* The innermost symbol is the one that begins last, whatever begins and ends around it. */
TEST(symtab, overlapping_functions_by_a_plain_search)
{
	static const struct overlap list[] = {{0, 100}, {10, 20}, {15, 40}, {20, 5},  {20, 60},
					      {50, 5},  {54, 3},  {60, 40}, {70, 50}, {99, 1}};
	struct elf_patch p;
	struct elf_file *elf = build_tails(&p, at_one_address);
	Elf64_Sym symbols[1 + ARRAY_LEN(list)] = {0};
	const struct elf_segment *code;
	struct symtab *t;
	u64 base;

	for (elf_file_segments(elf, &code); !(code->flags & PF_X);)
		code++;
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		symbols[i + 1] = (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					     .st_name = 1,
					     .st_shndx = SHN_ABS,
					     .st_value = code->vaddr + list[i].start,
					     .st_size = list[i].size};
	base = code->vaddr;
	elf_file_free(elf);
	elf_patch_replace(&p, ".symtab", symbols, sizeof(symbols));
	CHECK_INT(elf_file_open_memory((struct bytes){p.image, p.len}, &elf), 0);
	for (elf_file_segments(elf, &code); !(code->flags & PF_X);)
		code++;
	((struct elf_segment *)code)->memsz = 4096;
	CHECK_INT(symtab_new(elf, ".symtab", &t), 0);
	for (u64 at = 0; at < 130; at++) {
		const struct symbol *have = symtab_find(t, base + at);
		u64 want = UINT64_MAX;

		/* At 20, the longer of two ends counts for both. */
		for (size_t i = 0; i < ARRAY_LEN(list); i++) {
			u64 size = list[i].start == 20 ? 60 : list[i].size;

			if (list[i].start <= at && at < list[i].start + size)
				want = list[i].start;
		}
		CHECK_INT(have ? have->start - base : UINT64_MAX, want);
	}
	symtab_free(t);
	elf_file_free(elf);
	elf_patch_release(&p);
}
