/* SPDX-License-Identifier: Apache-2.0 */
/* Static probe notes: from programs that carry them, made by the assembler, and broken ones. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/machine.h"
#include "base/bpf_shared.h"
#include "elf/usdt.h"
#include "elf_fixture.h"
#include "fixture.h"
#include "unit.h"

static const struct usdt_probe *find(const struct usdt_list *list, const char *name)
{
	vec_for_each(&list->probes, p) {
		if (!strcmp(p->name, name))
			return p;
	}
	unit_fail(__FILE__, __LINE__, "no probe %s", name);
}

static struct usdt_arg parse_one(const char *text)
{
	struct usdt_arg args[USDT_ARGS_MAX];

	CHECK_INT(usdt_args_parse(text, args), 1);
	return args[0];
}

TEST(usdt, parses_registers)
{
	struct usdt_arg a = parse_one("8@%rdi");

	CHECK_INT(a.kind, USDT_ARG_REG);
	CHECK_INT(a.size, 8);
	CHECK(!a.is_signed);
	CHECK_INT(a.reg, 5);
	CHECK_INT(arch_pt_regs_offset(a.reg), 112);
	a = parse_one("-4@%eax");
	CHECK_INT(a.reg, 0);
	CHECK_INT(a.size, 4);
	CHECK(a.is_signed);
	CHECK_INT(parse_one("2@%r9w").reg, 9);
	CHECK_INT(parse_one("-1@%sil").reg, 4);
	CHECK_INT(parse_one("4@%r15d").reg, 15);
	a = parse_one("1@%ch");
	CHECK_INT(a.reg, 2);
	CHECK_INT(a.shift, 8);
}

TEST(usdt, parses_constants)
{
	struct usdt_arg a = parse_one("8@$123");

	CHECK_INT(a.kind, USDT_ARG_CONST);
	CHECK_INT(a.value, 123);
	CHECK_INT(parse_one("-4@$-1").value, -1);
	CHECK_INT(parse_one("8@$0xffffffffffffffff").value, -1);
	CHECK_INT(parse_one("8@$0x10000000000000000").kind, USDT_ARG_UNKNOWN);
}

static void check_memory(const char *text, u8 base, u8 index, u8 scale, s64 disp)
{
	struct usdt_arg a = parse_one(text);

	CHECK_INT(a.kind, USDT_ARG_MEM);
	CHECK_INT(a.base, base);
	CHECK_INT(a.index, index);
	CHECK_INT(a.scale, scale);
	CHECK_INT(a.value, disp);
}

TEST(usdt, parses_memory)
{
	check_memory("4@(%rsi)", 4, USDT_REG_NONE, 1, 0);
	check_memory("8@-16(%rbp)", 6, USDT_REG_NONE, 1, -16);
	check_memory("-8@8(%rax,%rbx,4)", 0, 3, 4, 8);
	check_memory("-8@8(%rax, %rbx, 4)", 0, 3, 4, 8);
	check_memory("8@(%r8,%r12)", 8, 12, 1, 0);
	check_memory("8@-8(,%rdx,8)", USDT_REG_NONE, 1, 8, -8);
	check_memory("8@8+16(%rsp)", 7, USDT_REG_NONE, 1, 24);
	check_memory("8@0x20(%rip)", ARCH_DWARF_RA, USDT_REG_NONE, 1, 32);
}

TEST(usdt, keeps_the_place_of_what_it_does_not_understand)
{
	static const char *const bad[] = {
		"8@sym(%rip)",
		"8@%xmm0",
		"8f@%rax",
		"3@%rax",
		"8@",
		"8@%",
		"8@%foo",
		"8@$",
		"8@(%rax",
		"8@()",
		"8@%rdi%rsi",
		"@%rax",
		"8@8",
		"8@(%rax,%rbx,3)",
		"8@%rip",
		"8@(%ah)",
		"8@(,%rip,1)",
		"8%rdi",
		"-9223372036854775808@%rax",
		"8@fs:8(%rax)",
		"(((((",
		"8@(%rax,%rbx,",
		"-",
	};
	struct usdt_arg args[USDT_ARGS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse_one(bad[i]).kind != USDT_ARG_UNKNOWN)
			unit_fail(__FILE__, __LINE__, "understood \"%s\"", bad[i]);
	}
	CHECK_INT(usdt_args_parse("8@sym(%rip)  4@$1 ", args), 2);
	CHECK_INT(args[0].kind, USDT_ARG_UNKNOWN);
	CHECK_INT(args[1].value, 1);
	CHECK_INT(usdt_args_parse("", args), 0);
	CHECK_INT(usdt_args_parse("a b c d e f g h i j k l m n", args), USDT_ARGS_MAX);
}

TEST(usdt, knows_pt_regs)
{
	CHECK_INT(arch_pt_regs_offset(15), 0);
	CHECK_INT(arch_pt_regs_offset(7), 152);
	CHECK_INT(arch_pt_regs_offset(ARCH_DWARF_RA), 128);
	CHECK_INT(arch_pt_regs_offset(17), -1);
	CHECK_INT(arch_pt_regs_offset(USDT_REG_NONE), -1);
}

/* Compiles what <sys/sdt.h> makes, with the link-time base given; a wrong one is what prelink
 * leaves. */
static void compile_probe(const char *base, const char *semaphore)
{
	char source[2000];
	int len = snprintf(source, sizeof(source),
			   ".text\n.globl main\nmain: xor %%eax,%%eax\nprobe: nop\nret\n"
			   ".section .probes,\"aw\"\n.globl sema\nsema: .word 0\n"
			   ".section .stapsdt.base,\"a\"\nbase: .byte 0\n"
			   ".section .note.stapsdt,\"\",\"note\"\n.balign 4\n"
			   ".4byte 8,2f-1f,3\n.asciz \"stapsdt\"\n"
			   "1: .8byte probe\n.8byte %s\n.8byte %s\n"
			   ".asciz \"otel_memory\"\n.asciz \"alloc\"\n.asciz \"8@%%rax -4@$7\"\n"
			   "2: .balign 4\n.4byte 4,0,1\n.asciz \"GNU\"\n"
			   ".section .note.GNU-stack,\"\",@progbits\n",
			   base, semaphore);

	fixture_write("p.s", source, (size_t)len);
	fixture_run("cc -no-pie -o p p.s");
}

TEST(usdt, reads_a_probe_and_its_semaphore)
{
	struct usdt_list list;
	struct elf_file *f;
	const struct usdt_probe *p;
	u64 vaddr;

	compile_probe("base", "sema");
	f = elf_fixture_open(fixture_path("p"));
	CHECK_INT(usdt_read(f, &list), 0);
	CHECK_INT(list.probes.len, 1);
	CHECK_INT(list.skipped, 0);
	p = find(&list, "alloc");
	CHECK_STR(p->provider, "otel_memory");
	CHECK_INT(p->argc, 2);
	CHECK_INT(p->args[1].value, 7);
	CHECK(elf_file_offset_to_vaddr(f, p->offset, &vaddr));
	CHECK_INT(vaddr, p->vaddr);
	CHECK(p->semaphore && elf_file_offset_to_vaddr(f, p->semaphore_offset, &vaddr));
	CHECK_INT(vaddr, p->semaphore);
	usdt_release(&list);
	elf_file_free(f);
}

TEST(usdt, undoes_prelink)
{
	struct usdt_list plain, moved;
	struct elf_file *f, *g;

	compile_probe("base", "0");
	f = elf_fixture_open(fixture_path("p"));
	CHECK_INT(usdt_read(f, &plain), 0);
	compile_probe("base + 1", "0");
	g = elf_fixture_open(fixture_path("p"));
	CHECK_INT(usdt_read(g, &moved), 0);
	CHECK_INT(plain.probes.data[0].semaphore, 0);
	CHECK_INT(plain.probes.data[0].semaphore_offset, 0);
	CHECK_INT(moved.probes.data[0].vaddr, plain.probes.data[0].vaddr - 1);
	usdt_release(&plain);
	usdt_release(&moved);
	elf_file_free(f);
	elf_file_free(g);
}

TEST(usdt, leaves_out_probes_that_lie_nowhere)
{
	struct usdt_list list;
	struct elf_file *f;

	compile_probe("base", "0x7fffffff0000");
	f = elf_fixture_open(fixture_path("p"));
	CHECK_INT(usdt_read(f, &list), 0);
	CHECK_INT(list.probes.len, 0);
	CHECK_INT(list.skipped, 1);
	elf_file_free(f);
	compile_probe("base + 0x100000", "0");
	f = elf_fixture_open(fixture_path("p"));
	CHECK_INT(usdt_read(f, &list), 0);
	CHECK_INT(list.skipped, 1);
	elf_file_free(f);
	fixture_run("objcopy -R .note.stapsdt p q");
	f = elf_fixture_open(fixture_path("q"));
	CHECK_INT(usdt_read(f, &list), -ENOENT);
	elf_file_free(f);
}

/* Each byte of the notes in the compiled file is changed, and the section is cut at each length. */
TEST(usdt, survives_broken_notes)
{
	struct elf_section notes;
	struct elf_file *f;
	struct usdt_list list;
	unsigned char *image;
	size_t len;

	compile_probe("base", "sema");
	f = elf_fixture_open(fixture_path("p"));
	CHECK_INT(elf_file_section_header(f, ".note.stapsdt", &notes), 0);
	elf_file_free(f);
	image = fixture_read(fixture_path("p"), &len);
	for (size_t i = 0; i < 100; i++) {
		unsigned char *at = image + notes.offset + i, old = *at;

		for (int value = 0; value < 256; value += i < 12 ? 1 : 85) {
			*at = (unsigned char)value;
			CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &f), 0);
			if (!usdt_read(f, &list))
				usdt_release(&list);
			elf_file_free(f);
		}
		*at = old;
	}
	free(image);
}

TEST(usdt, stops_at_a_limit)
{
	struct usdt_list list;
	struct elf_file *f;
	char source[1000];
	int len = snprintf(source, sizeof(source),
			   ".text\n.globl main\nmain: nop\nret\n"
			   ".section .note.stapsdt,\"\",\"note\"\n.balign 4\n.rept %d\n"
			   ".4byte 8,32,3\n.asciz \"stapsdt\"\n.8byte main,0,0\n"
			   ".asciz \"p\"\n.asciz \"nam\"\n.asciz \"\"\n.byte 0\n.endr\n"
			   ".section .note.GNU-stack,\"\",@progbits\n",
			   USDT_PROBES_MAX + 10);

	fixture_write("m.s", source, (size_t)len);
	fixture_run("cc -no-pie -o m m.s");
	f = elf_fixture_open(fixture_path("m"));
	CHECK_INT(usdt_read(f, &list), 0);
	CHECK_INT(list.probes.len, USDT_PROBES_MAX);
	CHECK_INT(list.skipped, 10);
	CHECK_INT(list.probes.data[0].argc, 0);
	usdt_release(&list);
	elf_file_free(f);
}

TEST(usdt, reads_the_probes_of_libstdcxx)
{
	struct elf_file *f = elf_fixture_open("/lib/x86_64-linux-gnu/libstdc++.so.6");
	struct usdt_list list;
	const struct usdt_probe *p;

	if (usdt_read(f, &list) == -ENOENT)
		unit_skip("this libstdc++ has no probes");
	CHECK_INT(list.skipped, 0);
	p = find(&list, "throw");
	CHECK_STR(p->provider, "libstdcxx");
	CHECK_INT(p->argc, 2);
	CHECK_INT(p->args[0].kind, USDT_ARG_REG);
	find(&list, "catch");
	find(&list, "rethrow");
	usdt_release(&list);
	elf_file_free(f);
}

TEST(usdt, reads_the_probes_of_python)
{
	struct elf_file *f = elf_fixture_open("/usr/bin/python3");
	struct usdt_list list;
	const struct usdt_probe *p;

	if (usdt_read(f, &list) == -ENOENT)
		unit_skip("this python has no probes");
	CHECK_INT(list.skipped, 0);
	p = find(&list, "function__entry");
	CHECK_STR(p->provider, "python");
	CHECK_INT(p->argc, 3);
	CHECK(p->args[2].is_signed);
	CHECK_INT(p->args[2].size, 4);
	CHECK(p->semaphore && p->semaphore_offset);
	usdt_release(&list);
	elf_file_free(f);
}
