/* SPDX-License-Identifier: Apache-2.0 */
/* Compares every frame of a real C++ program with llvm-symbolizer's answer, and reads damaged
 * DWARF. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_fixture.h"
#include "fixture.h"
#include "name_fixture.h"
#include "symbol/dwarf_index.h"
#include "symbol/source_path.h"
#include "unit.h"

static const char program[] =
	"#include <algorithm>\n#include <map>\n#include <string>\n"
	"#include <vector>\n"
	"struct shape { virtual ~shape() {} virtual double area() const = 0; };\n"
	"struct square : shape { double a; square(double v) : a(v) {}\n"
	"	double area() const override { return a * a; } };\n"
	"static std::map<std::string, std::vector<int>> table;\n"
	"int fill(int n)\n{\n"
	"	struct local { static int pick(int v) { if (v > 4) throw v;\n"
	"		return v * 3; } };\n"
	"	std::vector<int> v;\n"
	"	for (int i = 0; i < n; i++)\n"
	"		try { v.push_back(local::pick(i)); } catch (int) {}\n"
	"	std::sort(v.begin(), v.end(), [](int a, int b) { return a > b; });\n"
	"	table[std::to_string(n)] = v;\n"
	"	return v.empty() ? 0 : v[0];\n}\n"
	"int main(int argc, char **)\n{\n"
	"	shape *s = new square(argc);\n"
	"	int r = fill(argc) + (int)s->area();\n"
	"	delete s;\n	return r;\n}\n";

struct text_range {
	u64 start, size;
};

static struct text_range text_of(const char *name)
{
	struct elf_section s;
	struct elf_file *elf = elf_fixture_open(fixture_path(name));
	struct text_range range;

	CHECK_INT(elf_file_section(elf, ".text", &s), 0);
	range = (struct text_range){s.vaddr, s.data.len};
	elf_file_free(elf);
	return range;
}

/* Prints one address as llvm-symbolizer does: linkage name and file:line for each frame, without
 * directories. */
static void print_ours(const struct named *named, u32 address, char *out, size_t size)
{
	const struct profile *p = named->profile;
	const struct profile_location *l = &p->locations.data[address];
	size_t len = 0;

	out[0] = 0;
	for (u32 i = 0; i < l->nlines; i++) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];
		const struct profile_function *f = &p->functions.data[line->function];
		const char *file = profile_text(p, f->filename), *slash = strrchr(file, '/');

		len += (size_t)snprintf(out + len, size - len, "%s %s:%lld\n",
					profile_text(p, f->system_name), slash ? slash + 1 : file,
					(long long)line->line);
	}
}

/* Reads the answer for one address; false if no function covers it. */
static bool read_theirs(FILE *f, char *out, size_t size)
{
	char name[4096], place[4096];
	bool known = true;
	size_t len = 0;

	out[0] = 0;
	while (fgets(name, sizeof(name), f) && name[0] != '\n') {
		char *base, *column;

		CHECK(fgets(place, sizeof(place), f));
		name[strcspn(name, "\n")] = 0;
		if (strstr(name, ".cold")) /* the symbol's name; DWARF has the function's */
			*strstr(name, ".cold") = 0;
		column = strrchr(place, ':');
		*column = 0;
		base = strrchr(place, '/');
		known &= strcmp(name, "??") != 0;
		len += (size_t)snprintf(out + len, size - len, "%s %s\n", name,
					base ? base + 1 : place);
	}
	return known;
}

/*
 * The comparison is line by line. If there is no linkage name, llvm-symbolizer leaves out the
 * scope, which we print: `std::sort<...>` instead of `sort<...>`.
 */
static bool same_frames(const char *ours, const char *theirs)
{
	while (*ours && *theirs) {
		size_t a = strcspn(ours, "\n"), b = strcspn(theirs, "\n");

		if (a < b || memcmp(ours + a - b, theirs, b) != 0)
			return false;
		if (a > b && (a < b + 2 || memcmp(ours + a - b - 2, "::", 2) != 0))
			return false;
		ours += a + 1;
		theirs += b + 1;
	}
	return !*ours && !*theirs;
}

/* Compiles the program, runs another command if it is not empty, and compares. */
static void compare_with_llvm(const char *compile, const char *then)
{
	enum { STEP = 3, MAX = 4000 };
	static u64 at[MAX];
	static char ours[1 << 16], theirs[1 << 16];
	struct text_range text;
	struct named named;
	u32 n = 0, compared = 0;
	FILE *f;

	fixture_write("prog.cc", program, sizeof(program) - 1);
	fixture_run("%s -o prog prog.cc", compile);
	if (then[0])
		fixture_run("%s", then);
	text = text_of("prog");
	f = fopen(fixture_path("addresses"), "we");
	for (u64 off = 0; off < text.size && n < MAX; off += STEP) {
		at[n] = text.start + off;
		fprintf(f, "0x%llx\n", (unsigned long long)at[n++]);
	}
	fclose(f);
	fixture_run("llvm-symbolizer --no-demangle -e prog < addresses > answers");
	name_addresses(&named, "prog", at, n, false);
	f = fopen(fixture_path("answers"), "re");
	for (u32 i = 0; i < n; i++) {
		bool known = read_theirs(f, theirs, sizeof(theirs));

		/* Code without DWARF (start-up files) is named by .symtab, for which it has other
		 * rules. */
		print_ours(&named, i, ours, sizeof(ours));
		if (!known || strstr(theirs, "??") || !strstr(ours, "prog.cc"))
			continue;
		if (!same_frames(ours, theirs))
			CHECK_STR(ours, theirs);
		compared++;
	}
	CHECK(compared > 300);
	fclose(f);
	named_release(&named);
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_gcc_dwarf5)
{
	compare_with_llvm("g++ -O2 -gdwarf-5", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_gcc_dwarf4)
{
	compare_with_llvm("g++ -O2 -gdwarf-4", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_clang)
{
	compare_with_llvm("clang++ -O2 -g", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_split_gcc_dwarf5)
{
	compare_with_llvm("g++ -O2 -gdwarf-5 -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_split_gcc_dwarf4)
{
	compare_with_llvm("g++ -O2 -gdwarf-4 -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_split_clang_dwarf5)
{
	compare_with_llvm("clang++ -O2 -gdwarf-5 -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_split_clang_dwarf4)
{
	compare_with_llvm("clang++ -O2 -gdwarf-4 -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_packages)
{
	compare_with_llvm("g++ -O2 -gdwarf-4 -gsplit-dwarf",
			  "dwp -e prog -o prog.dwp && rm -f ./*.dwo");
	compare_with_llvm("clang++ -O2 -gdwarf-5 -gsplit-dwarf",
			  "llvm-dwp -e prog -o prog.dwp && rm -f ./*.dwo");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_type_units)
{
	compare_with_llvm("g++ -O2 -gdwarf-5 -fdebug-types-section", "");
	compare_with_llvm("g++ -O2 -gdwarf-4 -fdebug-types-section", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_split_type_units)
{
	compare_with_llvm("g++ -O2 -gdwarf-5 -fdebug-types-section -gsplit-dwarf", "");
	compare_with_llvm("g++ -O2 -gdwarf-4 -fdebug-types-section -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_split_type_units_of_clang)
{
	compare_with_llvm("clang++ -O2 -gdwarf-5 -fdebug-types-section -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_the_64_bit_format)
{
	compare_with_llvm("g++ -O2 -gdwarf-5 -gdwarf64", "");
	compare_with_llvm("g++ -O2 -gdwarf-5 -gdwarf64 -gsplit-dwarf", "");
	compare_with_llvm("clang++ -O2 -gdwarf-5 -gdwarf64 -gsplit-dwarf", "");
}

TEST(dwarf, agrees_with_llvm_symbolizer_on_link_time_optimization)
{
	compare_with_llvm("g++ -O2 -g -flto", "");
}

static int ignore_frames(void *arg, size_t which, const struct dwarf_frame *frames, u32 n)
{
	size_t *total = arg;

	CHECK(n > 0 && n <= DWARF_MAX_INLINES);
	for (u32 i = 0; i < n; i++)
		*total += strlen(frames[i].name ? frames[i].name : "") +
			  strlen(frames[i].file ? frames[i].file : "");
	return 0;
}

static void resolve_image(const u8 *image, size_t len, const u64 *at, size_t n)
{
	struct dwarf_index *index;
	struct elf_file *elf;
	size_t total = 0;

	if (elf_file_open_memory((struct bytes){image, len}, &elf))
		return;
	if (!dwarf_index_new(elf, NULL, &index)) {
		CHECK_INT(dwarf_index_resolve(index, at, n, ignore_frames, &total), 0);
		dwarf_index_free(index);
	}
	elf_file_free(elf);
}

/* Bytes of the debug sections are changed one at a time. */
TEST(dwarf, survives_damage)
{
	static const char small[] = "static inline int in(int x) { return x * 3; }\n"
				    "int f(int x) { return in(x) + in(x + 1); }\n";
	static const char *const sections[] = {".debug_info", ".debug_abbrev", ".debug_line",
					       ".debug_rnglists", ".debug_str"};
	struct elf_file *elf;
	struct text_range text;
	u64 at[64];
	size_t len;
	u8 *image;

	fixture_write("a.c", small, sizeof(small) - 1);
	fixture_run("gcc -O2 -g -shared -nostdlib -o a.so a.c");
	text = text_of("a.so");
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		at[i] = text.start + i % text.size;
	image = fixture_read(fixture_path("a.so"), &len);
	CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &elf), 0);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		struct elf_section s;

		if (elf_file_section(elf, sections[i], &s))
			continue;
		for (u64 off = s.offset; off < s.offset + s.data.len; off++) {
			u8 was = image[off];

			image[off] = was ^ (u8)(1u << off % 8);
			resolve_image(image, len, at, text.size < 64 ? text.size : 64);
			image[off] = 0xff;
			resolve_image(image, len, at, text.size < 64 ? text.size : 64);
			image[off] = was;
		}
	}
	elf_file_free(elf);
	free(image);
}

/*
 * A unit with f and a last child that has children but no DW_AT_sibling. The second of these claims
 * that its sibling is the first one, and all refer to each other for their names.
 */
static const char circle[] =
	".text\n.globl f\n.type f,@function\nf: nop; nop; ret\n.size f,3\nend:\n"
	".section .debug_abbrev,\"\",@progbits\nabbrev:\n"
	".uleb128 1, 0x11\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0, 0\n" /* unit: low, high pc */
	".uleb128 2, 0x2e\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0x31, 0x13, 0, 0\n" /* function */
	".uleb128 3, 0x0b\n.byte 1\n.uleb128 0x01, 0x13, 0x31, 0x13, 0, 0\n" /* block, sibling */
	".uleb128 4, 0x0b\n.byte 1\n.uleb128 0x31, 0x13, 0, 0\n" /* block */
	".uleb128 0\n"
	".section .debug_info,\"\",@progbits\ninfo:\n"
	".long 2f - 1f\n1: .value 4\n.long abbrev - abbrev\n.byte 8\n"
	"unit: .uleb128 1\n.quad f, end\n"
	"function: .uleb128 2\n.quad f, end\n.long block - info\n"
	"block: .uleb128 4\n.long inner - info\n"
	"inner: .uleb128 3\n.long block - info\n.long function - info\n"
	".uleb128 3\n.long unit - info\n.long inner - info\n"
	".byte 0, 0, 0, 0, 0\n2:\n";

TEST(dwarf, survives_circles)
{
	u8 *image;
	size_t len;
	u64 at;

	fixture_write("a.s", circle, sizeof(circle) - 1);
	fixture_run("gcc -static -nostdlib -Wl,-e,f -o a a.s");
	at = vaddr_of("a", "f");
	image = fixture_read(fixture_path("a"), &len);
	resolve_image(image, len, &at, 1);
	free(image);
}

/* ---- what DWARF may cost --------------------------------------------------------------------- */

TEST(dwarf, sections_larger_than_the_budget_are_not_loaded)
{
	struct dwarf_index *index;
	struct elf_file *elf;
	size_t len;
	u8 *image;

	fixture_write("prog.cc", program, sizeof(program) - 1);
	fixture_run("g++ -O2 -g -o prog prog.cc");
	image = fixture_read(fixture_path("prog"), &len);
	CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &elf), 0);
	budget_limit(elf_file_budget(elf), 1u << 30, 100000);
	CHECK_INT(dwarf_index_new(elf, NULL, &index), -E2BIG);
	CHECK_INT(budget_lost(elf_file_budget(elf), BUDGET_INFO), BUDGET_BYTES);
	elf_file_free(elf);
	free(image);
}

struct answers {
	char *text[4000]; /* names of all frames of an address; NULL if there are none */
};

static int keep_frames(void *arg, size_t which, const struct dwarf_frame *frames, u32 n)
{
	struct answers *a = arg;
	char *text = calloc(n, 256);
	size_t len = 0;

	for (u32 i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 256 * n - len, "%.200s;",
					frames[i].name ? frames[i].name : "?");
	a->text[which] = text;
	return 0;
}

static void answers_release(struct answers *a)
{
	for (size_t i = 0; i < ARRAY_LEN(a->text); i++)
		free(a->text[i]);
	*a = (struct answers){0};
}

/* Returns how many addresses have an answer with `steps` for its trees. */
static size_t resolve_within(const char *name, u64 steps, const u64 *at, size_t n,
			     struct answers *a)
{
	struct dwarf_index *index;
	struct elf_file *elf;
	size_t found = 0;
	int fd = open(fixture_path(name), O_RDONLY | O_CLOEXEC);

	CHECK_INT(elf_file_open(fd, &elf), 0);
	CHECK_INT(dwarf_index_new(elf, NULL, &index), 0);
	elf_file_budget(elf)->steps[BUDGET_INFO] = steps;
	if (dwarf_index_resolve(index, at, n, keep_frames, a))
		CHECK_INT(budget_lost(elf_file_budget(elf), BUDGET_INFO), BUDGET_STEPS);
	for (size_t i = 0; i < n; i++)
		found += a->text[i] != NULL;
	dwarf_index_free(index);
	elf_file_free(elf);
	close(fd);
	return found;
}

/*
 * If the inlined functions were not reached, a frame would have one of their lines under its own
 * name.
 */
TEST(dwarf, units_are_named_as_a_whole_or_not_at_all)
{
	static struct answers whole, part;
	static u64 at[ARRAY_LEN(whole.text)];
	struct text_range text;
	size_t n = 0, all, some = 0, found;

	fixture_write("prog.cc", program, sizeof(program) - 1);
	fixture_run("sed 's/main/other/; s/fill/pour/' prog.cc > other.cc && g++ -O2 -g -o prog "
		    "prog.cc other.cc");
	text = text_of("prog");
	for (u64 off = 0; off < text.size && n < ARRAY_LEN(at); off += 3)
		at[n++] = text.start + off;
	all = resolve_within("prog", UINT64_MAX, at, n, &whole);
	CHECK(all > 500);
	for (u64 steps = 1000; steps < 100000000; steps += steps / 8) {
		found = resolve_within("prog", steps, at, n, &part);
		some += found > 0 && found < all;
		for (size_t i = 0; i < n; i++) {
			if (part.text[i])
				CHECK_STR(part.text[i], whole.text[i]);
		}
		answers_release(&part);
	}
	CHECK(some > 0);
	answers_release(&whole);
}

/* Has ten thousand functions, each with a list of ranges that is empty but takes long to read. */
static const char endless[] =
	".text\n.globl f\n.type f,@function\nf: nop; nop; ret\n.size f,3\nend:\n"
	".section .debug_abbrev,\"\",@progbits\nabbrev:\n"
	".uleb128 1, 0x11\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0, 0\n" /* unit: low, high pc */
	".uleb128 2, 0x2e\n.byte 0\n.uleb128 0x55, 0x17, 0, 0\n" /* function: ranges */
	".uleb128 0\n"
	".section .debug_ranges,\"\",@progbits\n"
	".rept 200000\n.quad -1, 0x1000\n.endr\n.quad 0, 0\n"
	".section .debug_info,\"\",@progbits\ninfo:\n"
	".long 2f - 1f\n1: .value 4\n.long abbrev - abbrev\n.byte 8\n"
	"unit: .uleb128 1\n.quad f, end\n"
	".rept 10000\n.uleb128 2\n.long 0\n.endr\n.byte 0\n2:\n";

TEST(dwarf, what_takes_long_inside_libdw_ends_with_the_watch)
{
	const struct budget_watch watch = {.cpu_ns = 100 * 1000000};
	struct dwarf_index *index;
	struct elf_file *elf;
	size_t total = 0;
	u64 at;
	int fd;

	fixture_write("a.s", endless, sizeof(endless) - 1);
	fixture_run("gcc -static -nostdlib -Wl,-e,f -o a a.s");
	at = vaddr_of("a", "f");
	fd = open(fixture_path("a"), O_RDONLY | O_CLOEXEC);
	CHECK_INT(elf_file_open(fd, &elf), 0);
	budget_watch(elf_file_budget(elf), &watch);
	CHECK_INT(dwarf_index_new(elf, NULL, &index), 0);
	CHECK_INT(dwarf_index_resolve(index, &at, 1, ignore_frames, &total), 0);
	CHECK_INT(budget_lost(elf_file_budget(elf), BUDGET_INFO), BUDGET_TIME);
	dwarf_index_free(index);
	elf_file_free(elf);
	close(fd);
}

static void check_tidy(const char *path, size_t size, const char *want)
{
	char out[64];

	source_path_tidy(path, out, size);
	CHECK_STR(out, want);
}

TEST(source_path, is_tidied)
{
	check_tidy("/a//b/./c.c", 64, "/a/b/c.c");
	check_tidy("/a/b/../c.c", 64, "/a/c.c");
	check_tidy("/../c.c", 64, "/c.c");
	check_tidy("/a/../../c.c", 64, "/c.c");
	check_tidy("../../x/../c.c", 64, "../../c.c");
	check_tidy("a/..", 64, "");
	check_tidy("", 64, "");
	check_tidy("/", 64, "/");
	check_tidy("./a.c", 64, "a.c");
	check_tidy("/abc/defgh", 6, "/abc");
	check_tidy("/abc", 1, "");
}
