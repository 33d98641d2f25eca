/* SPDX-License-Identifier: Apache-2.0 */
/* Go's own function table, compared with the symbols of the same program, and damaged. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/gopclntab.h"
#include "elf_fixture.h"
#include "fixture.h"
#include "unit.h"

static const char source[] = "package main\n"
			     "import \"fmt\"\n"
			     "//go:noinline\n"
			     "func work(n int) int {\n"
			     "\treturn n * 3\n"
			     "}\n"
			     "func main() { fmt.Println(work(4)) }\n";

static struct elf_file *build(const char *flags)
{
	fixture_write("t.go", source, sizeof(source) - 1);
	fixture_run("go version > go.log");
	fixture_run(
		"export GOCACHE=\"${GOCACHE:-/tmp/cprof-unit-go-cache}\" GO111MODULE=off GOFLAGS= "
		"CGO_ENABLED=0; go build %s -o t t.go",
		flags);
	return elf_fixture_open(fixture_path("t"));
}

/* Symbols of assembly functions end in ".abi0", which the table leaves out. */
static bool same_name(const char *symbol, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(symbol, name, len) && (!symbol[len] || !strcmp(symbol + len, ".abi0"));
}

static void check_symbols(const char *flags)
{
	struct elf_file *elf = build(flags);
	struct elf_section symtab, strtab;
	struct gopclntab *t;
	size_t seen = 0;

	CHECK_INT(gopclntab_new(elf, &t), 0);
	CHECK_INT(elf_file_section(elf, ".symtab", &symtab), 0);
	CHECK_INT(elf_file_section(elf, ".strtab", &strtab), 0);
	for (size_t at = 0; at + sizeof(Elf64_Sym) <= symtab.data.len; at += sizeof(Elf64_Sym)) {
		struct go_line found;
		const char *name;
		Elf64_Sym sym;

		memcpy(&sym, symtab.data.data + at, sizeof(sym));
		name = (const char *)strtab.data.data + sym.st_name;
		if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC || !sym.st_size ||
		    (strncmp(name, "main.", 5) && strncmp(name, "fmt.", 4) &&
		     strncmp(name, "strconv.", 8)))
			continue;
		CHECK(gopclntab_find(t, sym.st_value + sym.st_size / 2, &found));
		if (!same_name(name, found.name))
			unit_fail(__FILE__, __LINE__, "%s is called %s", name, found.name);
		CHECK_INT(found.start, sym.st_value);
		CHECK(found.file && found.line);
		if (!strcmp(name, "main.work")) {
			CHECK(strstr(found.file, "t.go"));
			CHECK_INT(found.line, 5);
		}
		seen++;
	}
	CHECK(seen > 50);
	gopclntab_free(t);
	elf_file_free(elf);
}

TEST(gopclntab, names_functions_as_the_symbol_table_does)
{
	check_symbols("");
}

TEST(gopclntab, position_independent_programs_keep_it_elsewhere)
{
	check_symbols("-buildmode=pie");
}

TEST(gopclntab, is_there_in_stripped_programs)
{
	struct elf_file *elf = build("-ldflags='-s -w'");
	struct go_function fn = {0};
	struct gopclntab *t;
	bool found = false;

	CHECK_INT(gopclntab_new(elf, &t), 0);
	for (u64 i = 0; i < gopclntab_count(t) && !found; i++)
		found = gopclntab_function(t, i, &fn) && fn.name && !strcmp(fn.name, "main.work");
	CHECK(found);
	gopclntab_free(t);
	elf_file_free(elf);
}

static int count_rows(void *arg, u64 pc, s64 distance)
{
	(*(size_t *)arg)++;
	return 0;
}

/* Bytes of the table are overwritten everywhere. Wrong answers are allowed, but not wild reads or
 * endless loops. */
TEST(gopclntab, survives_damage)
{
	struct elf_file *elf = build("-ldflags='-s -w'");
	struct elf_section section;
	unsigned char *image;
	size_t len, rows = 0;

	CHECK_INT(elf_file_section(elf, ".gopclntab", &section), 0);
	image = fixture_read(fixture_path("t"), &len);
	CHECK(section.offset + section.data.len <= len);
	srand(1);
	for (int round = 0; round < 12; round++) {
		struct elf_file *damaged;
		struct gopclntab *t;
		struct go_line line;
		struct go_function fn;

		for (size_t i = 0; i < section.data.len;
		     i += 1 + (size_t)rand() % (round < 4 ? 64 : 4096))
			image[section.offset + i + (round & 1 ? 8 : 64) % section.data.len] ^=
				(unsigned char)rand();
		CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &damaged), 0);
		if (!gopclntab_new(damaged, &t)) {
			u64 n = gopclntab_count(t) < 3000 ? gopclntab_count(t) : 3000;

			for (u64 i = 0; i < n; i++) {
				gopclntab_function(t, i, &fn);
				gopclntab_sp(t, i, count_rows, &rows);
				gopclntab_find(t, fn.start + 1, &line);
			}
			gopclntab_free(t);
		}
		elf_file_free(damaged);
	}
	free(image);
	elf_file_free(elf);
}

/* All functions share a table that never advances, so it would be walked once for each. */
TEST(gopclntab, steps_that_go_nowhere_end_a_table)
{
	struct elf_file *elf = build("-ldflags='-s -w'"), *damaged;
	struct elf_section section;
	struct gopclntab *t;
	unsigned char *image;
	u64 pcs, functions;
	size_t len, rows = 0;

	CHECK_INT(elf_file_section(elf, ".gopclntab", &section), 0);
	image = fixture_read(fixture_path("t"), &len);
	/* The last words of the header give where the pc tables and the functions are. */
	memcpy(&pcs, image + section.offset + 8 + 6 * 8, sizeof(pcs));
	memcpy(&functions, image + section.offset + 8 + 7 * 8, sizeof(functions));
	CHECK(pcs < functions && functions < section.data.len);
	for (u64 at = pcs; at + 1 < functions; at += 2) {
		image[section.offset + at] = 2; /* the value increases by one */
		image[section.offset + at + 1] = 0; /* up to the same pc */
	}
	CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &damaged), 0);
	CHECK_INT(gopclntab_new(damaged, &t), 0);
	for (u64 i = 0; i < gopclntab_count(t); i++)
		gopclntab_sp(t, i, count_rows, &rows);
	CHECK(rows <= gopclntab_count(t));
	gopclntab_free(t);
	elf_file_free(damaged);
	free(image);
	elf_file_free(elf);
}

/* Half of a table would leave functions without names and rows that exist. */
TEST(gopclntab, is_left_out_when_the_budget_ends)
{
	struct elf_file *elf = build("-ldflags=-s");
	struct gopclntab *t;
	struct go_line found;
	u64 before, vaddr;

	CHECK_INT(gopclntab_new(elf, &t), 0);
	vaddr = elf_file_entry(elf);
	before = elf_file_budget(elf)->steps[BUDGET_GO];
	CHECK(gopclntab_find(t, vaddr, &found));
	CHECK(before > elf_file_budget(elf)->steps[BUDGET_GO]);
	budget_limit(elf_file_budget(elf), 3, 1 << 30);
	found.line = 0;
	CHECK(!gopclntab_find(t, vaddr, &found) || !found.line);
	CHECK_INT(budget_lost(elf_file_budget(elf), BUDGET_GO), BUDGET_STEPS);
	gopclntab_free(t);
	elf_file_free(elf);
}
