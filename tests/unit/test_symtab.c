/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol tables: which name an address gets, sizes that are missing, tables that lie. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	struct elf_file *elf;
	int fd;

	fixture_write("a.s", source, sizeof(source) - 1);
	fixture_run("gcc -shared -nostdlib %s -o a.so a.s", flags);
	fd = open(fixture_path("a.so"), O_RDONLY | O_CLOEXEC);
	CHECK_INT(elf_file_open(fd, &elf), 0);
	close(fd);
	return elf;
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

/* Every byte of the table and its strings is changed in turn; nothing may be read outside them. */
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
	struct elf_file *elf;
	char name[32], tight[4];
	u64 at;
	int fd;

	fixture_write("d.s", big, sizeof(big) - 1);
	fixture_run("gcc -shared -nostdlib -s -o d.so d.s");
	fd = open(fixture_path("d.so"), O_RDONLY | O_CLOEXEC);
	CHECK_INT(elf_file_open(fd, &elf), 0);
	close(fd);
	fixture_run("gcc -shared -nostdlib -o d.so d.s");
	at = vaddr_of("d.so", "big");
	CHECK(data_symbol_name(elf, at, name, sizeof(name)));
	CHECK_STR(name, "big");
	CHECK(data_symbol_name(elf, at + 40, name, sizeof(name)));
	CHECK_STR(name, "big+0x28");
	CHECK(data_symbol_name(elf, at + 128 + 8, name, sizeof(name)));
	CHECK_STR(name, "small");
	CHECK(!data_symbol_name(elf, at + 128 + 56, name, sizeof(name)));
	CHECK(!data_symbol_name(elf, at - 1, name, sizeof(name)));
	CHECK(data_symbol_name(elf, at, tight, sizeof(tight)));
	CHECK_STR(tight, "big");
	elf_file_free(elf);
}

TEST(symtab, variables_survive_damage)
{
	struct elf_file *elf = build("");
	size_t len;
	u8 *image = fixture_read(fixture_path("a.so"), &len);
	struct elf_section s;
	char name[64];

	CHECK_INT(elf_file_section(elf, ".symtab", &s), 0);
	for (u64 at = s.offset; at < len; at++) {
		struct elf_file *broken;
		u8 was = image[at];

		image[at] ^= 0xff;
		if (!elf_file_open_memory((struct bytes){image, len}, &broken)) {
			for (u64 vaddr = 0; vaddr < 0x5000; vaddr += 64)
				data_symbol_name(broken, vaddr, name, sizeof(name));
			elf_file_free(broken);
		}
		image[at] = was;
	}
	free(image);
	elf_file_free(elf);
}
