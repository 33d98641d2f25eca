/* SPDX-License-Identifier: Apache-2.0 */
/* Debug information that is compressed, elsewhere or damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain_fixture.h"
#include "elf_patch.h"
#include "fixture.h"
#include "name_fixture.h"
#include "unit.h"

/* ---- zstd ------------------------------------------------------------------------------------ */

TEST(debug_forms, sections_compressed_with_zstd)
{
	u64 mark;

	build_chain("gcc", "-Wl,--compress-debug-sections=zstd");
	check_chain("chain", vaddr_of("chain", "mark"));
	build_chain("clang", "-gdwarf-5");
	mark = vaddr_of("chain", "mark");
	fixture_run("objcopy --compress-debug-sections=zstd chain packed");
	check_chain("packed", mark);
}

TEST(debug_forms, separate_debug_file_compressed_with_zstd)
{
	u64 mark;

	build_chain("gcc", "");
	mark = vaddr_of("chain", "mark");
	fixture_run("objcopy --only-keep-debug --compress-debug-sections=zstd chain chain.debug");
	fixture_run("objcopy -S --add-gnu-debuglink=chain.debug chain stripped");
	check_chain("stripped", mark);
}

TEST(debug_forms, supplementary_file_compressed_with_zstd)
{
	u64 mark;

	build_chain("gcc", "-gdwarf-4");
	mark = vaddr_of("chain", "mark");
	fixture_run("cp chain again");
	fixture_run("dwz -m common.debug chain again");
	fixture_run("objcopy --compress-debug-sections=zstd common.debug");
	fixture_run("objcopy --compress-debug-sections=zstd chain packed");
	check_chain("packed", mark);
}

/* ---- split DWARF ----------------------------------------------------------------------------- */

static void build_split(const char *compiler, const char *flags)
{
	char all[100];

	snprintf(all, sizeof(all), "-gsplit-dwarf %s", flags);
	fixture_run("rm -f ./*.dwo ./*.dwp");
	build_chain(compiler, all);
}

TEST(debug_forms, inlined_chain_of_split_units)
{
	build_split("gcc", "-gdwarf-5");
	check_chain("chain", vaddr_of("chain", "mark"));
	build_split("gcc", "-gdwarf-4");
	check_chain("chain", vaddr_of("chain", "mark"));
	build_split("clang", "-gdwarf-5");
	check_chain("chain", vaddr_of("chain", "mark"));
	build_split("clang", "-gdwarf-4");
	check_chain("chain", vaddr_of("chain", "mark"));
	build_split("gcc", "-gz");
	check_chain("chain", vaddr_of("chain", "mark"));
}

TEST(debug_forms, inlined_chain_of_package_files)
{
	build_split("gcc", "-gdwarf-4");
	fixture_run("dwp -e chain -o chain.dwp && rm ./*.dwo");
	check_chain("chain", vaddr_of("chain", "mark"));
	build_split("clang", "-gdwarf-5");
	fixture_run("llvm-dwp -e chain -o chain.dwp && rm ./*.dwo");
	check_chain("chain", vaddr_of("chain", "mark"));
}

/* A stripped program, its debug file and its package, which is named after either of them. */
TEST(debug_forms, package_files_of_stripped_programs)
{
	u64 mark;

	build_split("clang", "-gdwarf-5");
	mark = vaddr_of("chain", "mark");
	fixture_run("llvm-dwp -e chain -o chain.dwp && rm ./*.dwo");
	fixture_run("objcopy --only-keep-debug --compress-debug-sections=zstd chain chain.debug");
	fixture_run("objcopy -S --add-gnu-debuglink=chain.debug chain");
	check_chain("chain", mark);
	fixture_run("mv chain.dwp chain.debug.dwp");
	check_chain("chain", mark);
}

TEST(debug_forms, split_units_beside_a_program_that_was_moved)
{
	build_split("gcc", "");
	fixture_run("mkdir moved && mv chain ./*.dwo moved");
	check_chain("moved/chain", vaddr_of("moved/chain", "mark"));
}

static const char rust[] =
	"#[inline(always)] fn mix(x: u64) -> u64 { let mut y = x; for i in 0..50 {\n"
	"	y = y.wrapping_mul(6364136223846793005).wrapping_add(i); } y }\n"
	"#[inline(always)] fn twice(x: u64) -> u64 {\n"
	"	mix(x) ^ mix(x + 1) }\n"
	"#[no_mangle] #[inline(never)] pub extern \"C\" fn busy(n: u64) -> u64 {\n"
	"	let mut s = 0; for i in 0..n { s ^= twice(i); } s }\n"
	"fn main() { println!(\"{}\", busy(std::env::args().count() as u64)); }\n";

/* Names the first bytes of the function, and returns all their frames as one text. */
static char *rust_frames(const char *flags)
{
	enum { BYTES = 120 };
	static char all[1 << 17];
	struct named named;
	u64 at[BYTES];
	size_t len = 0;

	fixture_write("r.rs", rust, sizeof(rust) - 1);
	fixture_run("rm -f ./*.dwo ./*.dwp; true");
	fixture_run("rustc -O -g %s -o r r.rs", flags);
	at[0] = vaddr_of("r", "busy");
	for (u32 i = 1; i < BYTES; i++)
		at[i] = at[0] + i;
	name_addresses(&named, "r", at, BYTES, false);
	for (u32 i = 0; i < BYTES; i++) {
		for (u32 k = 0; k < named_depth(&named, i) && len < sizeof(all) - 2000; k++)
			len += (size_t)sprintf(all + len, "%s;", named_frame(&named, i, k));
	}
	CHECK_STR(named.stats.unread_debug, "");
	named_release(&named);
	return strdup(all);
}

/* rustc calls them "packed" and "unpacked". */
TEST(debug_forms, split_units_of_rust)
{
	char *whole = rust_frames(""), *packed, *unpacked;

	CHECK(strstr(whole, "r::twice r.rs:4;busy r.rs:6;"));
	unpacked = rust_frames("-C split-debuginfo=unpacked");
	CHECK_STR(unpacked, whole);
	packed = rust_frames("-C split-debuginfo=packed");
	CHECK_STR(packed, whole);
	free(whole);
	free(packed);
	free(unpacked);
}

/* The units of a program are in files of their own, and one file may be there while another is
 * not. */
static void check_split_unread(u64 mark, const char *what, const char *why)
{
	struct named named;
	char want[300];

	snprintf(want, sizeof(want),
		 "debug information of chain (100%% of samples) cannot be read: 1 of 1 files with "
		 "its split part: %s (%s)",
		 fixture_path(what), why);
	name_addresses(&named, "chain", &mark, 1, false);
	CHECK_INT(named_depth(&named, 0), 1);
	CHECK_STR(named_frame(&named, 0, 0), "physical chain.c:3");
	CHECK_STR(named.stats.note, "");
	CHECK_STR(named.stats.unread_debug, want);
	named_release(&named);
}

TEST(debug_forms, missing_split_units_are_named)
{
	u64 mark;

	build_split("clang", "-gdwarf-5");
	mark = vaddr_of("chain", "mark");
	fixture_run("mv chain.dwo right.dwo");
	check_split_unread(mark, "chain.dwo", "missing");
	fixture_run("mkfifo chain.dwo");
	check_split_unread(mark, "chain.dwo", "not a plain file");
	fixture_run("rm chain.dwo && echo text > chain.dwo");
	check_split_unread(mark, "chain.dwo", "damaged");
	fixture_run("echo 'int other;' >> chain.c && clang -g -gsplit-dwarf -gdwarf-5 -c -o "
		    "chain.o chain.c");
	check_split_unread(mark, "chain.dwo", "of another build");
	fixture_run("ln -sf right.dwo chain.dwo");
	check_chain("chain", mark);
}

/* ---- what cannot be read is said ------------------------------------------------------------- */

static void check_unread(const char *file, u64 mark, const char *reason)
{
	struct named named;

	name_addresses(&named, file, &mark, 1, false);
	CHECK_INT(named_depth(&named, 0), 1);
	CHECK_STR(named_frame(&named, 0, 0), "physical :0");
	CHECK_STR(named.stats.note, "");
	CHECK_STR(named.stats.unread_debug, reason);
	named_release(&named);
}

TEST(debug_forms, a_missing_supplementary_file_is_named)
{
	u64 mark;

	build_chain("gcc", "-gdwarf-4");
	mark = vaddr_of("chain", "mark");
	fixture_run("cp chain again");
	fixture_run("dwz -m common.debug chain again");
	fixture_run("mv common.debug other.debug");
	check_unread("chain", mark,
		     "debug information of chain (100% of samples) cannot be read: its "
		     "supplementary file common.debug is missing or another one");
}

TEST(debug_forms, a_version_of_the_future_is_named)
{
	struct elf_patch p;
	u64 mark;

	build_chain("gcc", "-gdwarf-5");
	mark = vaddr_of("chain", "mark");
	elf_patch_init(&p, fixture_path("chain"));
	p.image[elf_patch_section(&p, ".debug_info")->sh_offset + 4] = 9;
	fixture_write("future", p.image, p.len);
	check_unread("future", mark,
		     "debug information of future (100% of samples) cannot be read: a unit is "
		     "damaged, or of a version of DWARF that libdw does not know");
	elf_patch_release(&p);
}

TEST(debug_forms, damaged_sections_are_not_missing_ones)
{
	struct elf_patch p;
	u64 mark;

	build_chain("gcc", "-Wl,--compress-debug-sections=zstd");
	mark = vaddr_of("chain", "mark");
	elf_patch_init(&p, fixture_path("chain"));
	/* behind the header of the section and that of the frame */
	memset(p.image + elf_patch_section(&p, ".debug_info")->sh_offset + 24 + 12, 0xff, 20);
	fixture_write("broken", p.image, p.len);
	check_unread("broken", mark,
		     "debug information of broken (100% of samples) cannot be read: its sections "
		     "are damaged");
	elf_patch_release(&p);
}
