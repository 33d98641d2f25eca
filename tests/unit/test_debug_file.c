/* SPDX-License-Identifier: Apache-2.0 */
/* Where separate debug files are found, and which ones are refused. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/debug_file.h"
#include "elf_fixture.h"
#include "fixture.h"
#include "unit.h"

#define ID "0011223344556677"

static const char source[] = "int main(void) { return 0; }\n";

/* Creates root/bin/t, stripped, and t.debug outside of the root. */
static struct target_root make_root(const char *flags)
{
	struct target_root root = {.user = {.uid = getuid(), .gid = getgid()}};

	fixture_write("t.c", source, sizeof(source) - 1);
	fixture_run("cc -g %s -o t t.c", flags);
	fixture_run("objcopy --only-keep-debug t t.debug");
	fixture_run("mkdir -p root/bin root/bin/.debug root/usr/lib/debug/bin "
		    "root/usr/lib/debug/.build-id/00");
	fixture_run("objcopy --strip-all --add-gnu-debuglink=t.debug t root/bin/t");
	root.fd = open(fixture_path("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(root.fd >= 0);
	return root;
}

static struct elf_file *open_stripped(void)
{
	return elf_fixture_open(fixture_path("root/bin/t"));
}

static void check_found(const struct target_root *root, int want)
{
	struct elf_file *f = open_stripped(), *debug;
	struct elf_section s;

	CHECK_INT(debug_file_find(f, "/bin/t", root, &debug), want);
	if (!want) {
		CHECK_INT(elf_file_section(debug, ".debug_info", &s), 0);
		elf_file_free(debug);
	} else {
		CHECK(!debug);
	}
	elf_file_free(f);
}

static void check_place(const char *flags, const char *place)
{
	struct target_root root = make_root(flags);

	check_found(&root, -ENOENT);
	fixture_run("cp t.debug root%s", place);
	check_found(&root, 0);
	target_root_release(&root);
}

TEST(debug_file, found_by_build_id)
{
	check_place("-Wl,--build-id=0x" ID, "/usr/lib/debug/.build-id/00/11223344556677.debug");
}

TEST(debug_file, found_by_debuglink_beside)
{
	check_place("-Wl,--build-id=none", "/bin/t.debug");
}

TEST(debug_file, found_by_debuglink_in_debug_directory)
{
	check_place("-Wl,--build-id=0x" ID, "/bin/.debug/t.debug");
}

TEST(debug_file, found_by_debuglink_below_usr_lib_debug)
{
	check_place("-Wl,--build-id=none", "/usr/lib/debug/bin/t.debug");
}

TEST(debug_file, found_in_our_own_root)
{
	struct target_root root = make_root("-Wl,--build-id=none"), ours, none = TARGET_ROOT_NONE;
	struct elf_file *f = open_stripped(), *debug;
	char path[PATH_MAX];

	fixture_run("cp t.debug root/bin");
	snprintf(path, sizeof(path), "%s", fixture_path("root/bin/t"));
	CHECK_INT(target_root_ours(&ours), 0);
	CHECK_INT(debug_file_find(f, path, &ours, &debug), 0);
	elf_file_free(debug);
	CHECK_INT(debug_file_find(f, "t", &ours, &debug), -ENOENT);
	CHECK_INT(debug_file_find(f, NULL, &ours, &debug), -ENOENT);
	/* A path that the target chose is not tried in our own root. */
	CHECK_INT(debug_file_find(f, path, &none, &debug), -ENOENT);
	CHECK_INT(debug_file_find(f, path, &root, &debug), -ENOENT);
	target_root_release(&ours);
	elf_file_free(f);
	target_root_release(&root);
}

TEST(debug_file, refuses_another_build_id_and_another_crc)
{
	struct target_root root = make_root("-Wl,--build-id=0x" ID);

	fixture_run("cc -g -Wl,--build-id=0x99 -o other t.c");
	fixture_run("cp other root/bin/t.debug");
	fixture_run("cp other root/usr/lib/debug/.build-id/00/11223344556677.debug");
	check_found(&root, -ENOENT);
	target_root_release(&root);
	root = make_root("-Wl,--build-id=none");
	fixture_run("cp other root/bin/t.debug");
	check_found(&root, -ENOENT);
	target_root_release(&root);
}

TEST(debug_file, refuses_fifos_and_links_out_of_the_root)
{
	struct target_root root = make_root("-Wl,--build-id=none");

	fixture_run("mkfifo root/bin/t.debug");
	check_found(&root, -ENOENT);
	fixture_run("rm root/bin/t.debug");
	fixture_run("ln -s ../../t.debug root/bin/t.debug");
	check_found(&root, -ENOENT);
	fixture_run("ln -sf $PWD/t.debug root/bin/t.debug");
	check_found(&root, -ENOENT);
	/* Inside the root a link is as good as a file. */
	fixture_run("cp t.debug root/real");
	fixture_run("ln -sf /real root/bin/t.debug");
	check_found(&root, 0);
	target_root_release(&root);
}

TEST(debug_file, refuses_a_debuglink_with_a_slash)
{
	struct target_root root = make_root("-Wl,--build-id=none");
	struct elf_file *f, *debug;
	size_t len;
	u8 *image, *name;

	fixture_run("cp t.debug root/dbug");
	image = fixture_read(fixture_path("root/bin/t"), &len);
	name = memmem(image, len, "t.debug", 8);
	CHECK(name);
	memcpy(name, "../dbug", sizeof("../dbug"));
	CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &f), 0);
	CHECK_INT(debug_file_find(f, "/bin/t", &root, &debug), -ENOENT);
	elf_file_free(f);
	free(image);
	target_root_release(&root);
}

static void add_section(const char *name, const char *file)
{
	fixture_run("objcopy --add-section %s=%s root/bin/t root/bin/t", name, file);
}

TEST(debug_file, unpacks_minidebuginfo)
{
	struct target_root root = make_root("");
	struct elf_file *f, *mini;
	struct elf_section s;

	f = open_stripped();
	CHECK_INT(debug_file_mini(f, &mini), -ENOENT);
	elf_file_free(f);
	fixture_run("objcopy -S --remove-section .gdb_index --keep-symbol main t mini");
	fixture_run("xz mini");
	add_section(".gnu_debugdata", "mini.xz");
	f = open_stripped();
	CHECK_INT(debug_file_mini(f, &mini), 0);
	CHECK_INT(elf_file_section(mini, ".symtab", &s), 0);
	CHECK(s.data.len > 0);
	elf_file_free(mini);
	elf_file_free(f);
	target_root_release(&root);
}

TEST(debug_file, refuses_broken_and_bloated_minidebuginfo)
{
	struct target_root root = make_root("");
	struct elf_file *f, *mini;

	fixture_run("head -c 1000 /dev/urandom > junk");
	add_section(".gnu_debugdata", "junk");
	f = open_stripped();
	CHECK_INT(debug_file_mini(f, &mini), -EBADMSG);
	elf_file_free(f);
	target_root_release(&root);
	root = make_root("");
	fixture_run("xz -1 -c t.debug | head -c 500 > cut");
	add_section(".gnu_debugdata", "cut");
	f = open_stripped();
	CHECK_INT(debug_file_mini(f, &mini), -EBADMSG);
	elf_file_free(f);
	target_root_release(&root);
	root = make_root("");
	fixture_run("head -c 300M /dev/zero | xz -0 > bomb");
	add_section(".gnu_debugdata", "bomb");
	f = open_stripped();
	CHECK_INT(debug_file_mini(f, &mini), -EBADMSG);
	elf_file_free(f);
	target_root_release(&root);
}

TEST(debug_file, finds_the_supplementary_file)
{
	struct target_root root = make_root("-Wl,--build-id=none");
	struct elf_file *f, *alt;

	fixture_run("cc -g -Wl,--build-id=0x" ID " -o alt t.c");
	fixture_run("printf 'dwz/alt\\000\\000\\021\\042\\063\\104\\125\\146\\167' > link");
	add_section(".gnu_debugaltlink", "link");
	f = open_stripped();
	CHECK_INT(debug_file_alt(f, "/bin/t", &root, &alt), -ENOENT);
	fixture_run("mkdir root/bin/dwz");
	fixture_run("cp alt root/bin/dwz/alt");
	CHECK_INT(debug_file_alt(f, "/bin/t", &root, &alt), 0);
	elf_file_free(alt);
	fixture_run("mv root/bin/dwz/alt root/usr/lib/debug/.build-id/00/11223344556677.debug");
	CHECK_INT(debug_file_alt(f, NULL, &root, &alt), 0);
	elf_file_free(alt);
	elf_file_free(f);
	target_root_release(&root);
}
