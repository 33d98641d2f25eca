/* SPDX-License-Identifier: Apache-2.0 */
/* Names of whole programs, compiled in every way that hides them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain_fixture.h"
#include "elf/symbols.h"
#include "fixture.h"
#include "name_fixture.h"
#include "unit.h"

static void check_build(const char *compiler, const char *flags)
{
	build_chain(compiler, flags);
	check_chain("chain", vaddr_of("chain", "mark"));
}

TEST(symbolize, inlined_chain_gcc_dwarf5)
{
	check_build("gcc", "-gdwarf-5");
}

TEST(symbolize, inlined_chain_gcc_dwarf4)
{
	check_build("gcc", "-gdwarf-4");
}

TEST(symbolize, inlined_chain_gcc_dwarf2)
{
	check_build("gcc", "-gdwarf-2");
}

TEST(symbolize, inlined_chain_clang_dwarf5)
{
	check_build("clang", "-gdwarf-5");
}

TEST(symbolize, inlined_chain_clang_dwarf4)
{
	check_build("clang", "-gdwarf-4");
}

TEST(symbolize, inlined_chain_of_line_tables_only)
{
	check_build("clang", "-gline-tables-only");
}

TEST(symbolize, inlined_chain_static_pie)
{
	check_build("gcc", "-static-pie");
}

TEST(symbolize, inlined_chain_not_pie)
{
	check_build("gcc", "-no-pie");
}

TEST(symbolize, inlined_chain_compressed)
{
	check_build("gcc", "-gz");
}

TEST(symbolize, inlined_chain_function_sections)
{
	check_build("gcc", "-ffunction-sections -Wl,--gc-sections");
}

TEST(symbolize, without_inlines_the_function_has_its_own_line)
{
	struct named named;
	u64 mark;

	build_chain("gcc", "");
	mark = vaddr_of("chain", "mark");
	name_addresses(&named, "chain", &mark, 1, true);
	CHECK_INT(named_depth(&named, 0), 1);
	CHECK_STR(named_frame(&named, 0, 0), "physical chain.c:18");
	CHECK(!named.profile->mappings.data[0].has_inline_frames);
	named_release(&named);
}

TEST(symbolize, paths_are_whole_and_tidy)
{
	struct named named;
	const struct profile_function *f;
	char want[4200];
	u64 mark;

	build_chain("gcc", "");
	fixture_run("mkdir -p sub");
	fixture_run("gcc -O1 -g -o chain sub/../././chain.c");
	mark = vaddr_of("chain", "mark");
	name_addresses(&named, "chain", &mark, 1, false);
	snprintf(want, sizeof(want), "%s/chain.c", fixture_dir());
	f = &named.profile->functions.data[named.profile->lines.data[0].function];
	CHECK_STR(profile_text(named.profile, f->filename), want);
	CHECK_INT(f->start_line, 1);
	named_release(&named);
}

TEST(symbolize, separate_debug_file_by_link)
{
	u64 mark;

	build_chain("gcc", "-Wl,--build-id=none");
	mark = vaddr_of("chain", "mark");
	fixture_run("objcopy --only-keep-debug chain chain.debug");
	fixture_run("objcopy -S --add-gnu-debuglink=chain.debug chain stripped");
	check_chain("stripped", mark);
}

TEST(symbolize, separate_compressed_debug_file)
{
	u64 mark;

	build_chain("gcc", "");
	mark = vaddr_of("chain", "mark");
	fixture_run("objcopy --only-keep-debug --compress-debug-sections chain chain.debug");
	fixture_run("objcopy -S --add-gnu-debuglink=chain.debug chain stripped");
	check_chain("stripped", mark);
}

TEST(symbolize, supplementary_file_of_dwz)
{
	u64 mark;

	build_chain("gcc", "-gdwarf-4");
	mark = vaddr_of("chain", "mark");
	fixture_run("cp chain again");
	fixture_run("dwz -m common.debug chain again");
	check_chain("chain", mark);
}

TEST(symbolize, minidebuginfo)
{
	struct named named;
	u64 physical;

	build_chain("gcc", "");
	physical = vaddr_of("chain", "physical");
	fixture_run("objcopy -S --keep-symbol=physical chain mini");
	fixture_run("xz -k mini");
	fixture_run("objcopy -S --add-section .gnu_debugdata=mini.xz chain stripped");
	name_addresses(&named, "stripped", &physical, 1, false);
	CHECK_STR(named_frame(&named, 0, 0), "physical :0");
	CHECK_INT(named.stats.named, 1);
	CHECK_INT(named.stats.with_lines, 0);
	named_release(&named);
}

TEST(symbolize, stripped_functions_are_one_node_each)
{
	struct named named;
	char want[64];
	u64 at[3];

	build_chain("gcc", "");
	at[0] = vaddr_of("chain", "physical");
	at[1] = at[0] + 3;
	at[2] = vaddr_of("chain", "main");
	fixture_run("strip chain");
	name_addresses(&named, "chain", at, 3, false);
	snprintf(want, sizeof(want), "chain+0x%llx :0", (unsigned long long)at[0]);
	CHECK_STR(named_frame(&named, 0, 0), want);
	CHECK_STR(named_frame(&named, 1, 0), want);
	snprintf(want, sizeof(want), "chain+0x%llx :0", (unsigned long long)at[2]);
	CHECK_STR(named_frame(&named, 2, 0), want);
	CHECK_INT(named.stats.addresses, 3);
	CHECK_INT(named.stats.named, 0);
	CHECK(!named.profile->mappings.data[0].has_functions);
	CHECK_INT(named.profile->functions.len, 2);
	named_release(&named);
}

static const char sizeless[] =
	".text\n.globl tiny\n.type tiny,@function\ntiny: ret\n"
	"hidden: .cfi_startproc\nnop\nnop\nret\n.cfi_endproc\n"
	".globl loops\n.type loops,@function\nloops: .cfi_startproc\nnop\nagain: nop\nret\n"
	".cfi_endproc\n"
	".globl last\n.type last,@function\nlast: nop\nnop\n";

/* .eh_frame says where functions begin whose symbols were stripped, and which labels are none. */
TEST(symbolize, symbols_without_a_size_end_where_a_function_begins)
{
	struct named named;
	char want[64];
	u64 at[6];

	fixture_write("s.s", sizeless, sizeof(sizeless) - 1);
	fixture_run("gcc -shared -nostdlib -o s.so s.s");
	at[0] = vaddr_of("s.so", "tiny");
	at[1] = vaddr_of("s.so", "hidden");
	at[2] = at[1] + 2;
	at[3] = vaddr_of("s.so", "loops");
	at[4] = vaddr_of("s.so", "again") + 1;
	at[5] = vaddr_of("s.so", "last") + 1;
	fixture_run("strip -N hidden s.so");
	name_addresses(&named, "s.so", at, ARRAY_LEN(at), false);
	snprintf(want, sizeof(want), "s.so+0x%llx :0", (unsigned long long)at[1]);
	CHECK_STR(named_frame(&named, 0, 0), "tiny :0");
	CHECK_STR(named_frame(&named, 1, 0), want);
	CHECK_STR(named_frame(&named, 2, 0), want);
	CHECK_STR(named_frame(&named, 3, 0), "loops :0");
	CHECK_STR(named_frame(&named, 4, 0), "loops :0");
	CHECK_STR(named_frame(&named, 5, 0), "last :0");
	CHECK_INT(named.stats.named, 4);
	named_release(&named);
}

static const char cxx[] = "namespace space {\n"
			  "template <typename T> __attribute__((noinline)) T twice(T x)\n"
			  "{\n"
			  "	asm volatile(\"\");\n"
			  "	return x + x;\n"
			  "}\n"
			  "}\n"
			  "int main(int argc, char **) { return space::twice<int>(argc); }\n";

static void check_cxx(const char *compile)
{
	struct named named;
	const struct profile_function *f;
	u64 twice;

	fixture_write("a.cc", cxx, sizeof(cxx) - 1);
	fixture_run("%s -o a a.cc", compile);
	twice = vaddr_of("a", "_ZN5space5twiceIiEET_S1_");
	name_addresses(&named, "a", &twice, 1, false);
	f = &named.profile->functions.data[named.profile->lines.data[0].function];
	CHECK_STR(profile_text(named.profile, f->name), "space::twice<int>");
	CHECK_STR(profile_text(named.profile, f->system_name), "_ZN5space5twiceIiEET_S1_");
	named_release(&named);
}

TEST(symbolize, cxx_names_with_and_without_dwarf)
{
	check_cxx("g++ -O1 -g");
	check_cxx("g++ -O1 -g1");
	check_cxx("g++ -O1");
	check_cxx("clang++ -O1 -gline-tables-only");
}

/* gcc gives functions without external linkage no linkage name, so the tree provides their
 * scope. */
TEST(symbolize, internal_cxx_functions_are_named_in_full)
{
	static const char source[] =
		"namespace outer { namespace {\n"
		"struct Cart { int n; int price(int k) const; };\n"
		"}\n"
		"__attribute__((always_inline)) inline int Cart::price(int k) const\n"
		"{\n"
		"	asm volatile(\".globl inside\\ninside:\");\n"
		"	return n * k;\n"
		"}\n"
		"__attribute__((noinline)) static int total(const Cart &c) { return c.price(3) + "
		"1; }\n"
		"}\n"
		"int main(int argc, char **) { return outer::total(outer::Cart{argc}); }\n";
	struct named named;
	u64 inside;

	fixture_write("b.cc", source, sizeof(source) - 1);
	fixture_run("g++ -O1 -g -o b b.cc");
	inside = vaddr_of("b", "inside");
	fixture_run("objcopy --strip-symbol=inside b");
	name_addresses(&named, "b", &inside, 1, false);
	CHECK_INT(named_depth(&named, 0), 2);
	CHECK(!strncmp(named_frame(&named, 0, 0),
		       "outer::(anonymous namespace)::Cart::price b.cc:", 47));
	CHECK(!strncmp(named_frame(&named, 0, 1), "outer::total b.cc:", 18));
	named_release(&named);
}

TEST(symbolize, rust_names)
{
	static const char rust[] =
		"mod inside { #[inline(never)] pub fn work(x: usize) -> usize {\n"
		"    unsafe { std::ptr::read_volatile(&x) + 1 }\n"
		"} }\n"
		"fn main() { println!(\"{}\", inside::work(1)); }\n";
	static const char *const versions[] = {"legacy", "v0"};
	char symbol[256];

	fixture_write("prog.rs", rust, sizeof(rust) - 1);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct named named;
		size_t len;
		u8 *list;
		u64 work;

		fixture_run("rustc -C opt-level=1 -C debuginfo=2 %s -o prog prog.rs",
			    i ? "-C symbol-mangling-version=v0" : "");
		fixture_run("nm prog | grep '6inside4work' | sed 's/.* //' > list");
		list = fixture_read(fixture_path("list"), &len);
		CHECK(len > 1 && len < sizeof(symbol));
		memcpy(symbol, list, len);
		symbol[strcspn(symbol, "\n")] = 0;
		work = vaddr_of("prog", symbol);
		name_addresses(&named, "prog", &work, 1, false);
		CHECK(!strncmp(named_frame(&named, 0, named_depth(&named, 0) - 1),
			       "prog::inside::work prog.rs:", 27));
		named_release(&named);
		free(list);
	}
}

TEST(symbolize, lines_that_are_there_already_stay)
{
	struct profile *p;
	struct symbolize_options opt = {0};
	struct symbolize_stats stats;
	struct module module = {
		.kind = MODULE_KIND_NONE, .root = TARGET_ROOT_NONE, .path = "[unknown]"};
	struct profile_mapping mapping = {.limit = 1, .source = &module};
	struct profile_line line;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_mapping(p, &mapping), 0);
	CHECK_INT(profile_location(p, 0, 0), 0);
	line = (struct profile_line){(u32)profile_function(p, "mark", "mark", "", 0), 0};
	CHECK_INT(profile_location_set_lines(p, 0, &line, 1), 0);
	CHECK_INT(symbolize_profile(p, &opt, &stats), 0);
	CHECK_INT(stats.addresses, 0);
	CHECK_STR(profile_text(p, p->functions.data[0].name), "mark");
	profile_free(p);
}

TEST(symbolize, jit_code_without_a_map_is_one_node)
{
	struct profile *p;
	struct symbolize_options opt = {0};
	struct symbolize_stats stats;
	struct module module = {
		.kind = MODULE_KIND_JIT, .root = TARGET_ROOT_NONE, .path = "//anon"};
	struct profile_mapping mapping = {.limit = 0x10000, .source = &module};

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_mapping(p, &mapping), 0);
	CHECK_INT(profile_location(p, 0, 0x1000), 0);
	CHECK_INT(profile_location(p, 0, 0x2000), 1);
	CHECK_INT(symbolize_profile(p, &opt, &stats), 0);
	CHECK_INT(stats.addresses, 2);
	CHECK_INT(stats.named, 0);
	CHECK_INT(p->functions.len, 1);
	CHECK_STR(profile_text(p, p->functions.data[0].name), "[jit]");
	profile_free(p);
}

/* Writes a name of some hundred bytes whose parts are pairs of the parts before, 33 levels deep. */
static void write_endless_map(const char *path)
{
	char text[1024] = "1000 10 _Z1fIDp1CI1A1BIS1_S1_E";
	size_t len = strlen(text);

	for (char c = '3'; c <= '9'; c++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "S2_IS%c_S%c_E", c, c);
	for (char c = 'A'; c <= 'Z'; c++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "S2_IS%c_S%c_E", c, c);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "EEvv\n");
	fixture_write(path, text, len);
}

TEST(symbolize, jit_names_that_take_too_long_are_left_out)
{
	struct profile *p;
	struct symbolize_options opt = {0};
	struct symbolize_stats stats;
	struct module module = {.kind = MODULE_KIND_JIT, .inner.nr = 7, .path = "//anon"};
	struct profile_mapping mapping = {.limit = 0x10000, .source = &module};
	char lost[LEFT_OUT_TEXT];

	fixture_run("mkdir tmp");
	write_endless_map("tmp/perf-7.map");
	module.root = (struct target_root){.fd = open(fixture_path("."), O_PATH | O_CLOEXEC),
					   .ours = true,
					   .user.uid = getuid()};
	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_mapping(p, &mapping), 0);
	CHECK_INT(profile_location(p, 0, 0x1000), 0);
	CHECK_INT(symbolize_profile(p, &opt, &stats), 0);
	CHECK_INT(stats.named, 1);
	CHECK(!strncmp(profile_text(p, p->functions.data[0].name), "_Z1fIDp1C", 9));
	left_out_text(&stats.left_out, lost, sizeof(lost));
	CHECK_STR(lost, "names of perf-7.map (it takes too long)");
	target_root_release(&module.root);
	profile_free(p);
}

static const char *last_name(const struct profile *p)
{
	const struct profile_location *l = &p->locations.data[p->locations.len - 1];
	const struct profile_line *line = &p->lines.data[l->first_line];

	return profile_text(p, p->functions.data[line->function].name);
}

TEST(symbolize, vdso_and_kernel)
{
	struct profile *p;
	struct symbolize_options opt = {0};
	struct symbolize_stats stats;
	struct module *vdso = NULL, kernel = {.kind = MODULE_KIND_KERNEL,
					      .root = TARGET_ROOT_NONE,
					      .path = "[kernel.kallsyms]"};
	struct profile_mapping mapping = {.start = ~0ull << 47, .limit = ~0ull, .source = &kernel};

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_mapping(p, &mapping), 0);
	CHECK_INT(profile_location(p, 0, 0xffffffffffffff00), 0);
	if (!module_new_special(MODULE_KIND_VDSO, NULL, getpid(), &vdso)) {
		mapping = (struct profile_mapping){
			.start = vdso->start, .limit = vdso->end, .source = vdso};
		CHECK_INT(profile_add_mapping(p, &mapping), 1);
		CHECK_INT(profile_location(p, 1, vdso->start), 1);
	}
	CHECK_INT(symbolize_profile(p, &opt, &stats), 0);
	CHECK_INT(p->locations.data[0].nlines, 1);
	if (p->locations.len > 1)
		CHECK_STR(last_name(p), "[vdso]");
	profile_free(p);
	module_free(vdso);
}

/* ---- what names may cost --------------------------------------------------------------------- */

/* Has two functions of 16 bytes: `f`, whose name is `length` bytes longer, and `g`. */
static void write_long_name(size_t length)
{
	size_t size = length * 4 + 500;
	char *name = malloc(length + 1), *text = malloc(size);

	memset(name, 'f', length);
	name[length] = '\0';
	snprintf(text, size,
		 ".text\n.globl begin\nbegin:\n.globl %s\n.type %s,@function\n%s: .skip 16\n"
		 ".size %s,16\n.globl g\n.type g,@function\ng: .skip 16\n.size g,16\n",
		 name, name, name, name);
	fixture_write("long.s", text, strlen(text));
	fixture_run("gcc -shared -nostdlib -o long.so long.s");
	free(text);
	free(name);
}

static void check_long_name(size_t length, bool shown)
{
	struct named named;
	char text[LEFT_OUT_TEXT];
	const char *name;
	u64 at[2];

	write_long_name(length);
	at[1] = vaddr_of("long.so", "g");
	at[0] = at[1] - 16;
	name_addresses(&named, "long.so", at, 2, false);
	name = profile_text(named.profile, named.profile->functions.data[0].name);
	left_out_text(&named.stats.left_out, text, sizeof(text));
	if (shown) {
		CHECK_INT(strlen(name), length);
		CHECK_STR(text, "");
	} else {
		CHECK_STR(name, "[long.so]");
		CHECK_STR(text, "names of long.so (too large)");
	}
	CHECK_STR(profile_text(named.profile, named.profile->functions.data[1].name), "g");
	named_release(&named);
}

TEST(symbolize, names_are_whole_up_to_a_length_that_nobody_reads)
{
	check_long_name(5000, true);
	check_long_name(ELF_NAME_MAX, true);
	check_long_name(ELF_NAME_MAX + 1, false);
}

static bool stop_at_once(void *arg)
{
	return true;
}

TEST(symbolize, who_stops_has_all_addresses_without_names)
{
	struct symbolize_options opt = {.stop = stop_at_once};
	struct symbolize_stats stats;
	struct module *vdso = NULL;
	struct profile_mapping mapping;
	struct profile *p;

	if (module_new_special(MODULE_KIND_VDSO, NULL, getpid(), &vdso))
		unit_skip("no vdso");
	mapping =
		(struct profile_mapping){.start = vdso->start, .limit = vdso->end, .source = vdso};
	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_mapping(p, &mapping), 0);
	for (u64 i = 0; i < 10; i++)
		CHECK_INT(profile_location(p, 0, vdso->start + i), i);
	CHECK_INT(symbolize_profile(p, &opt, &stats), 0);
	CHECK_INT(stats.unread, 10);
	CHECK_INT(stats.named, 0);
	CHECK_INT(stats.left_out.parts, 0);
	CHECK_INT(p->functions.len, 1);
	CHECK_STR(last_name(p), "[vdso]");
	profile_free(p);
	module_free(vdso);
}
