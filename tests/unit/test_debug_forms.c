/* SPDX-License-Identifier: Apache-2.0 */
/* Debug information that is compressed, elsewhere or damaged. */
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
