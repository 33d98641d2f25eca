/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares line tables with libdw's on all addresses of real programs, and reads damaged and
 * endless ones.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "elf/symbols.h"
#include "elf_fixture.h"
#include "elf_patch.h"
#include "fixture.h"
#include "symbol/line_table.h"
#include "symbol/source_path.h"
#include "unit.h"

static const char program[] = "#include <map>\n#include <string>\n#include <vector>\n"
			      "#include \"sub/./part.h\"\n"
			      "int main(int argc, char **argv)\n{\n"
			      "	std::map<std::string, std::vector<int>> m;\n"
			      "	for (int i = 0; i < argc; i++)\n"
			      "		m[argv[i]].push_back(part(i));\n"
			      "	return (int)m.size();\n}\n";
static const char part[] = "static int part(int n)\n{\n	return n * 3 + 1;\n}\n";

static struct line_sections sections_of(struct elf_file *f)
{
	struct line_sections s = {0};
	struct elf_section e;

	if (!elf_file_section(f, ".debug_line", &e))
		s.line = e.data;
	if (!elf_file_section(f, ".debug_line_str", &e))
		s.line_str = elf_terminated(e.data);
	if (!elf_file_section(f, ".debug_str", &e))
		s.str = elf_terminated(e.data);
	return s;
}

static struct elf_file *open_file(const char *name)
{
	return elf_fixture_open(fixture_path(name));
}

/* ---- compared with libdw --------------------------------------------------------------------- */

static bool same_path(const char *ours, const char *theirs, const char *directory)
{
	char a[4096], b[4096], joined[8192];

	snprintf(joined, sizeof(joined), "%s%s%s", ours[0] == '/' ? "" : directory,
		 ours[0] == '/' ? "" : "/", ours);
	source_path_tidy(joined, a, sizeof(a));
	snprintf(joined, sizeof(joined), "%s%s%s", theirs[0] == '/' ? "" : directory,
		 theirs[0] == '/' ? "" : "/", theirs);
	source_path_tidy(joined, b, sizeof(b));
	return !strcmp(a, b);
}

/*
 * A last row without a length is at the end of its sequence. libdw sorts the end before it, so the
 * row extends over the padding up to the next function.
 */
static bool is_padding(Dwarf_Die *unit, Dwarf_Line *line)
{
	Dwarf_Addr address, end;
	Dwarf_Lines *lines;
	bool ends;
	size_t n;

	dwarf_lineaddr(line, &address);
	CHECK_INT(dwarf_getsrclines(unit, &lines, &n), 0);
	for (size_t i = 0; i < n; i++) {
		Dwarf_Line *other = dwarf_onesrcline(lines, i);

		dwarf_lineaddr(other, &end);
		dwarf_lineendsequence(other, &ends);
		if (ends && end == address)
			return true;
	}
	return false;
}

static size_t compare_unit(struct elf_file *f, const struct line_sections *s, Dwarf_Die *unit,
			   const u64 *vaddrs, size_t n)
{
	struct line_row *rows = calloc(n, sizeof(*rows));
	const char *directory;
	struct line_table *t;
	Dwarf_Attribute attr;
	Dwarf_Word offset;
	size_t known = 0;

	if (dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attr), &offset)) {
		free(rows);
		return 0;
	}
	directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attr));
	CHECK_INT(line_table_new(s, offset, elf_file_budget(f), &t), 0);
	line_table_find(t, vaddrs, n, rows);
	for (size_t i = 0; i < n; i++) {
		Dwarf_Line *line = dwarf_getsrc_die(unit, vaddrs[i]);
		int number = 0;

		if (!line || !rows[i].found) {
			CHECK(!rows[i].found);
			CHECK(!line || is_padding(unit, line));
			continue;
		}
		known++;
		dwarf_lineno(line, &number);
		CHECK_INT(rows[i].line, number);
		CHECK(same_path(line_table_file(t, rows[i].file), dwarf_linesrc(line, NULL, NULL),
				directory));
	}
	line_table_free(t);
	free(rows);
	return known;
}

static void compare_with_libdw(const char *compile)
{
	struct elf_section text;
	struct line_sections s;
	struct elf_file *f;
	size_t known = 0, units = 0;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	Dwarf *dwarf;
	u64 *vaddrs;
	int fd;

	fixture_write("prog.cc", program, sizeof(program) - 1);
	fixture_run("mkdir -p sub");
	fixture_write("sub/part.h", part, sizeof(part) - 1);
	fixture_run("%s -o prog prog.cc", compile);
	f = open_file("prog");
	s = sections_of(f);
	CHECK_INT(elf_file_section(f, ".text", &text), 0);
	vaddrs = malloc(text.data.len * sizeof(*vaddrs));
	for (size_t i = 0; i < text.data.len; i++)
		vaddrs[i] = text.vaddr + i;
	fd = open(fixture_path("prog"), O_RDONLY | O_CLOEXEC);
	dwarf = dwarf_begin(fd, DWARF_C_READ);
	CHECK(dwarf);
	while (!dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL)) {
		known += compare_unit(f, &s, &unit, vaddrs, text.data.len);
		units++;
	}
	CHECK(units > 0 && known > 2000);
	dwarf_end(dwarf);
	close(fd);
	free(vaddrs);
	elf_file_free(f);
}

TEST(line_table, agrees_with_libdw_on_gcc_dwarf5)
{
	compare_with_libdw("g++ -O2 -gdwarf-5");
}

TEST(line_table, agrees_with_libdw_on_gcc_dwarf4)
{
	compare_with_libdw("g++ -O2 -gdwarf-4");
}

TEST(line_table, agrees_with_libdw_on_gcc_dwarf2)
{
	compare_with_libdw("g++ -O1 -gdwarf-2 -gstrict-dwarf");
}

TEST(line_table, agrees_with_libdw_on_function_sections)
{
	compare_with_libdw("g++ -O2 -g -ffunction-sections -Wl,--gc-sections");
}

TEST(line_table, agrees_with_libdw_on_clang)
{
	compare_with_libdw("clang++ -O2 -gdwarf-5");
}

TEST(line_table, agrees_with_libdw_on_clang_dwarf4)
{
	compare_with_libdw("clang++ -O2 -gdwarf-4");
}

/* ---- hostile ones ---------------------------------------------------------------------------- */

/* Builds a version 4 header with one file, and space for `size` bytes of program after it. */
static u8 *build_table(size_t size, size_t *len, u8 **code)
{
	static const u8 header[] = {1,   1,   1,   (u8)-5, 14, 13, /* opcodes */
				    0,   1,   1,   1,      1,  0,  0, 0,
				    1,   0,   0,   1, /* their operands */
				    0, /* no directories */
				    'a', '.', 'c', 0,      0,  0,  0, 0};
	const u32 unit = (u32)(2 + 4 + sizeof(header) + size), rest = sizeof(header);
	const u16 version = 4;
	u8 *table = calloc(1, 4 + unit);

	CHECK(table);
	memcpy(table, &unit, 4);
	memcpy(table + 4, &version, 2);
	memcpy(table + 6, &rest, 4);
	memcpy(table + 10, header, sizeof(header));
	*code = table + 10 + sizeof(header);
	*len = 4 + unit;
	return table;
}

#define ROWS (8u << 20)

/* libdw would use 150 bytes for each of these rows. */
TEST(line_table, needs_no_memory_for_rows)
{
	static const u8 begin[] = {0, 9, DW_LNE_set_address, 0, 0x10, 0, 0, 0, 0, 0, 0};
	const u64 wanted[] = {0xfff, 0x1000, 0x1001, 0x1000 + ROWS / 2, 0x1000 + ROWS + 1};
	struct line_row rows[ARRAY_LEN(wanted)];
	struct line_sections s = {0};
	struct rusage before, after;
	struct line_table *t;
	struct budget budget;
	size_t len;
	u8 *code, *table = build_table(sizeof(begin) + ROWS + 3, &len, &code);

	memcpy(code, begin, sizeof(begin));
	memset(code + sizeof(begin), 13 + 14 + 5 + 1, ROWS); /* line + 1, address + 1, a row */
	memcpy(code + sizeof(begin) + ROWS, (const u8[]){0, 1, DW_LNE_end_sequence}, 3);
	s.line = (struct bytes){table, len};
	budget_init(&budget, len);
	getrusage(RUSAGE_SELF, &before);
	CHECK_INT(line_table_new(&s, 0, &budget, &t), 0);
	line_table_find(t, wanted, ARRAY_LEN(wanted), rows);
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_maxrss - before.ru_maxrss < 8 << 10);
	CHECK(!rows[0].found && !rows[1].found && !rows[4].found);
	CHECK_INT(rows[2].line, 2);
	CHECK_INT(rows[3].line, 1 + ROWS / 2);
	CHECK_STR(line_table_file(t, rows[3].file), "a.c");
	CHECK_STR(line_table_file(t, 2), NULL);
	CHECK_STR(line_table_file(t, 0), NULL);
	CHECK_INT(budget_lost(&budget, BUDGET_LINES), BUDGET_OPEN);
	budget_limit(&budget, ROWS / 2, 1 << 30);
	line_table_find(t, wanted, ARRAY_LEN(wanted), rows);
	CHECK_INT(budget_lost(&budget, BUDGET_LINES), BUDGET_STEPS);
	CHECK(rows[2].found && !rows[3].found);
	line_table_free(t);
	free(table);
}

/* Directories of one letter each use 16 bytes of memory for two bytes of the file. */
TEST(line_table, pays_for_its_files)
{
	struct line_sections s = {0};
	struct line_table *t;
	struct budget budget;
	size_t len;
	u8 *code, *table = build_table(1 << 20, &len, &code);
	u32 rest = (u32)(len - 10);

	memcpy(table + 6, &rest, 4);
	for (size_t i = 10 + 18; i < len; i++)
		table[i] = i % 2 ? 0 : 'd';
	s.line = (struct bytes){table, len};
	budget_init(&budget, len);
	budget_limit(&budget, 1u << 30, 4 << 20);
	CHECK_INT(line_table_new(&s, 0, &budget, &t), -E2BIG);
	CHECK_INT(budget_lost(&budget, BUDGET_LINES), BUDGET_BYTES);
	free(table);
}

static void run_damaged(const struct line_sections *s, const u64 *vaddrs, size_t n)
{
	struct line_row rows[64];
	struct line_table *t;
	struct budget budget;

	budget_init(&budget, s->line.len);
	budget_limit(&budget, 1000000, 10 << 20);
	if (line_table_new(s, 0, &budget, &t))
		return;
	line_table_find(t, vaddrs, n, rows);
	for (size_t i = 0; i < n; i++)
		(void)line_table_file(t, rows[i].file);
	for (u64 i = 0; i < 300; i++)
		(void)line_table_file(t, i);
	line_table_free(t);
}

static void survive(const char *flags)
{
	struct elf_file *f;
	struct line_sections s, damaged;
	u64 vaddrs[64];
	u8 *copy;

	fixture_write("part.c", part, sizeof(part) - 1);
	fixture_run("gcc -O1 -Wno-unused-function -Dstatic= %s -shared -nostdlib -o part part.c",
		    flags);
	f = open_file("part");
	s = damaged = sections_of(f);
	CHECK(s.line.len > 40);
	for (size_t i = 0; i < ARRAY_LEN(vaddrs); i++)
		vaddrs[i] = 0x1000 + i;
	copy = malloc(s.line.len);
	memcpy(copy, s.line.data, s.line.len);
	damaged.line.data = copy;
	for (size_t at = 0; at < s.line.len; at++) {
		for (u32 value = 0; value < 256; value += at < 40 ? 1 : 15) {
			copy[at] = (u8)value;
			run_damaged(&damaged, vaddrs, ARRAY_LEN(vaddrs));
		}
		copy[at] = s.line.data[at];
		damaged.line.len = at; /* cut off there */
		run_damaged(&damaged, vaddrs, ARRAY_LEN(vaddrs));
		damaged.line.len = s.line.len;
	}
	free(copy);
	elf_file_free(f);
}

TEST(line_table, survives_damage)
{
	survive("-gdwarf-5");
	survive("-gdwarf-4");
}
