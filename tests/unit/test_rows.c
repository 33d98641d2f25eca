/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of compiled programs: their layout, and the rule at places where the truth is
 * known. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "rows_fixture.h"
#include "unit.h"

static const struct unwind_rule *rule_at(const struct rows_module *m, u64 vaddr)
{
	u64 off;

	CHECK(elf_file_vaddr_to_offset(m->f, vaddr, &off));
	return &rows_rules[rows_find(m->rows, off)];
}

static bool symbol_find(struct elf_file *f, const char *name, Elf64_Sym *out)
{
	struct elf_section symtab, strtab;

	if (elf_file_section(f, ".symtab", &symtab) || elf_file_section(f, ".strtab", &strtab))
		return false;
	for (size_t at = 0; at + sizeof(*out) <= symtab.data.len; at += sizeof(*out)) {
		memcpy(out, symtab.data.data + at, sizeof(*out));
		if (out->st_name < strtab.data.len &&
		    !strcmp((const char *)strtab.data.data + out->st_name, name))
			return true;
	}
	return false;
}

static u64 symbol(const struct rows_module *m, const char *name)
{
	Elf64_Sym sym;

	if (!symbol_find(m->f, name, &sym))
		unit_fail(__FILE__, __LINE__, "no symbol %s", name);
	return sym.st_value;
}

/* ---- rule set -------------------------------------------------------------------------------- */

TEST(rule_set, numbers_rules_once)
{
	struct unwind_rule own[8], rule = {.cfa = UNWIND_CFA_SP, .cfa_off = 8, .ra_off = -8};
	struct rule_set *set;

	CHECK_INT(rule_set_new(own, 2, &set), -EINVAL);
	CHECK_INT(rule_set_new(own, 8, &set), 0);
	CHECK_INT(rule_set_len(set), UNWIND_RULE_FIRST_FREE);
	CHECK_INT(own[UNWIND_RULE_STOP].cfa, UNWIND_CFA_STOP);
	CHECK_INT(own[UNWIND_RULE_CHAIN].cfa, UNWIND_CFA_CHAIN);
	CHECK_INT(own[UNWIND_RULE_LATER].cfa, UNWIND_CFA_LATER);
	CHECK_INT(rule_set_number(set, &rule), UNWIND_RULE_FIRST_FREE);
	CHECK_INT(rule_set_number(set, &rule), UNWIND_RULE_FIRST_FREE);
	CHECK_INT(rule_set_number(set, &own[UNWIND_RULE_STOP]), UNWIND_RULE_STOP);
	CHECK_INT(rule_set_number(set, &own[UNWIND_RULE_NONE]), UNWIND_RULE_NONE);
	for (int i = 0; i < 10; i++) {
		rule.cfa_off = 100 + i;
		CHECK_INT(rule_set_number(set, &rule), i < 3 ? 5 + i : UNWIND_RULE_NONE);
	}
	CHECK_INT(rule_set_len(set), 8);
	CHECK_INT(rule_set_overflows(set), 7);
	rule_set_free(set);
}

TEST(rule_set, one_module_cannot_use_it_up)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_SP, .ra_off = -8};
	struct rule_set *set;

	CHECK_INT(rule_set_new(rows_rules, UNWIND_MAX_RULES, &set), 0);
	rule_set_allow(set, 2);
	for (rule.cfa_off = 0; rule.cfa_off < 5; rule.cfa_off++)
		rule_set_number(set, &rule);
	CHECK_INT(rule_set_len(set), UNWIND_RULE_FIRST_FREE + 2);
	CHECK_INT(rule_set_overflows(set), 3);
	rule_set_allow(set, UINT32_MAX);
	CHECK_INT(rule_set_number(set, &rule), UNWIND_RULE_FIRST_FREE + 2);
	rule_set_free(set);
}

/* Every address keeps its rule, under the number that it has in the other set. */
TEST(rule_set, rows_go_over_to_another_set)
{
	struct unwind_rule first = {.cfa = UNWIND_CFA_SP, .cfa_off = 123456};
	struct unwind_rule *others = calloc(UNWIND_MAX_RULES, sizeof(*others));
	struct rows_module m = rows_module_open("/proc/self/exe"), before;
	struct rule_set *set;
	u64 end;

	CHECK(others);
	before = rows_module_open("/proc/self/exe");
	end = m.rows->base_off + ((u64)m.rows->nblocks << UNWIND_BLOCK_SHIFT);
	CHECK_INT(rule_set_new(others, UNWIND_MAX_RULES, &set), 0);
	CHECK_INT(rule_set_number(set, &first), UNWIND_RULE_FIRST_FREE);
	CHECK_INT(rows_renumber(m.rows, rows_rules, rule_set_len(m.set), set), 0);
	for (u64 off = m.rows->base_off; off < end; off += 7) {
		u32 had = rows_find(before.rows, off), has = rows_find(m.rows, off);

		CHECK(!memcmp(&rows_rules[had], &others[has], sizeof(*others)));
	}
	CHECK_INT(rule_set_len(set), rule_set_len(m.set) + 1);
	CHECK_INT(rule_set_overflows(set), 0);
	rule_set_free(set);
	free(others);
	rows_module_close(&before);
	rows_module_close(&m);
}

/* If the other set is full, the rule is unknown rather than wrong. */
TEST(rule_set, a_full_set_takes_no_rules_over)
{
	struct unwind_rule few[8] = {{0}};
	struct rows_module m = rows_module_open("/proc/self/exe");
	struct rule_set *set;
	u64 end = m.rows->base_off + ((u64)m.rows->nblocks << UNWIND_BLOCK_SHIFT);

	CHECK_INT(rule_set_new(few, ARRAY_LEN(few), &set), 0);
	CHECK_INT(rows_renumber(m.rows, rows_rules, rule_set_len(m.set), set), 0);
	for (u64 off = m.rows->base_off; off < end; off += 64)
		CHECK(rows_find(m.rows, off) < ARRAY_LEN(few));
	CHECK(rule_set_overflows(set) > 0);
	rule_set_free(set);
	rows_module_close(&m);
}

/* ---- layout ---------------------------------------------------------------------------------- */

TEST(rows, layout_holds_what_the_kernel_relies_on)
{
	struct rows_module m = rows_module_open("/lib/x86_64-linux-gnu/libc.so.6");

	rows_check_layout(m.rows);
	CHECK(m.rows->nrows > 15000 && m.rows->nrows < 40000);
	CHECK(rule_set_len(m.set) > 100 && rule_set_len(m.set) < 1000);
	CHECK_INT(rows_find(m.rows, 0), UNWIND_RULE_NONE);
	CHECK_INT(rows_find(m.rows, UINT64_MAX), UNWIND_RULE_NONE);
	rows_module_close(&m);
}

TEST(rows, compile_two_million_a_second)
{
	const char *path = "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1";
	struct timespec begin, end;
	struct rows_module m;
	double seconds;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	m = rows_module_open(path);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	rows_check_layout(m.rows);
	if (m.rows->nrows < 500000)
		unit_skip("%s is too small to tell", path);
#ifndef UNIT_SANITIZED
	CHECK(m.rows->nrows / seconds > 2e6);
#endif
	rows_module_close(&m);
}

/* ---- rows_rules at known places -------------------------------------------------------------- */

TEST(rows, libc_signal_trampoline)
{
	static const u8 code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	struct rows_module m = rows_module_open("/lib/x86_64-linux-gnu/libc.so.6");
	struct elf_section text;
	const u8 *at;
	u64 vaddr;

	CHECK_INT(elf_file_section(m.f, ".text", &text), 0);
	at = memmem(text.data.data, text.data.len, code, sizeof(code));
	CHECK(at);
	vaddr = text.vaddr + (u64)(at - text.data.data);
	CHECK_INT(rule_at(&m, vaddr)->cfa, UNWIND_CFA_SIGNAL);
	CHECK_INT(rule_at(&m, vaddr - 1)->cfa, UNWIND_CFA_SIGNAL);
	rows_module_close(&m);
}

TEST(rows, vdso)
{
	const u8 *image = (const u8 *)getauxval(AT_SYSINFO_EHDR);
	struct rows_module m;

	if (!image)
		unit_skip("this process has no vdso");
	/* At least two pages are mapped, and its headers and code fit into them. */
	CHECK_INT(rule_set_new(rows_rules, UNWIND_MAX_RULES, &m.set), 0);
	CHECK_INT(elf_file_open_memory((struct bytes){image, 8192}, &m.f), 0);
	CHECK_INT(rows_build(m.f, NULL, m.set, &m.rows), 0);
	CHECK(m.rows->nfunctions >= 4);
	CHECK(m.rows->nrows > m.rows->nfunctions);
	rows_check_layout(m.rows);
	rows_module_close(&m);
}

TEST(rows, frames_beyond_32_kib)
{
	struct rows_module m =
		rows_module_build("t.c", rows_big_frame, "cc -O1 -fno-ipa-ra -o t t.c");
	u64 at = symbol(&m, "big");
	bool found = false;

	for (u64 i = 0; i < 16; i++)
		found |= rule_at(&m, at + i)->cfa_off >= 100000;
	CHECK(found);
	rows_check_layout(m.rows);
	rows_module_close(&m);
}

TEST(rows, plt_and_start)
{
	struct rows_module m = rows_module_build(
		"t.c", "#include <stdio.h>\nint main(void) { return puts(\"\"); }\n",
		"cc -O1 -Wl,-z,lazy -fcf-protection=none -o t t.c");
	const struct unwind_rule *rule;
	struct elf_section plt;

	CHECK_INT(elf_file_section(m.f, ".plt", &plt), 0);
	rule = rule_at(&m, plt.vaddr + 16);
	CHECK_INT(rule->cfa, UNWIND_CFA_PLT);
	CHECK_INT(rule->cfa_off, 11);
	CHECK_INT(rule_at(&m, elf_file_entry(m.f) + 4)->cfa, UNWIND_CFA_STOP);
	rows_module_close(&m);
}

/* This has no libc: an entry point without an FDE, then a function with one, then one without, far
 * away. */
static const char bare[] = ".globl _start\n"
			   ".text\n"
			   "_start: xor %ebp, %ebp\n"
			   "call middle\n"
			   "hlt\n"
			   ".balign 16\n"
			   "middle: .cfi_startproc\n"
			   "push %rbx\n"
			   ".cfi_def_cfa_offset 16\n"
			   "pop %rbx\n"
			   ".cfi_def_cfa_offset 8\n"
			   "ret\n"
			   ".cfi_endproc\n"
			   ".skip 64, 0xcc\n"
			   "alone: ret\n"
			   ".skip 64, 0xcc\n";

TEST(rows, entry_point_and_gaps)
{
	struct rows_module m = rows_module_build("t.s", bare, "cc -nostdlib -static -o t t.s");
	u64 middle = symbol(&m, "middle");

	CHECK_INT(rule_at(&m, symbol(&m, "_start"))->cfa, UNWIND_CFA_STOP);
	CHECK_INT(rule_at(&m, middle - 1)->cfa, UNWIND_CFA_STOP);
	CHECK_INT(rule_at(&m, middle)->cfa_off, 8);
	CHECK_INT(rule_at(&m, middle + 1)->cfa_off, 16);
	CHECK_INT(rule_at(&m, middle + 2)->cfa_off, 8);
	CHECK_INT(rule_at(&m, symbol(&m, "alone"))->cfa, UNWIND_CFA_NONE);
	CHECK_INT(m.rows->nfunctions, 1);
	CHECK(!m.rows->frame_pointers);
	rows_module_close(&m);
}

TEST(rows, debug_frame_alone)
{
	struct rows_module m = rows_module_build(
		"t.c",
		"int f(int n) { return n; } int g(int n) { return n ? f(n) + g(n - 1) : 0; }\n"
		"void _start(void) { for (;;) g(3); }\n",
		"cc -O1 -g -fno-asynchronous-unwind-tables -fno-exceptions -nostdlib -static "
		"-fno-optimize-sibling-calls -o t t.c");
	struct elf_section s;

	CHECK_INT(elf_file_section(m.f, ".eh_frame", &s), -ENOENT);
	CHECK_INT(m.rows->nfunctions, 3);
	CHECK_INT(rule_at(&m, symbol(&m, "f"))->cfa, UNWIND_CFA_SP);
	rows_module_close(&m);
}

TEST(rows, debug_frame_from_the_debug_file)
{
	struct rows_module m = rows_module_build(
		"u.c", "int f(int n) { return n; } void _start(void) { for (;;) f(1); }\n",
		"cc -O1 -g -fno-asynchronous-unwind-tables -nostdlib -static -o u u.c &&"
		" objcopy --only-keep-debug u u.debug && objcopy -S u t");
	int fd = open(fixture_path("u.debug"), O_RDONLY | O_CLOEXEC);
	struct elf_file *debug;
	struct rows *rows;

	CHECK_INT(m.rows->nfunctions, 0);
	CHECK(m.rows->frame_pointers);
	CHECK_INT(rule_at(&m, elf_file_entry(m.f))->cfa, UNWIND_CFA_CHAIN);
	CHECK_INT(elf_file_open(fd, &debug), 0);
	close(fd);
	CHECK_INT(rows_build(m.f, debug, m.set, &rows), 0);
	CHECK_INT(rows->nfunctions, 2);
	CHECK(!rows->frame_pointers);
	rows_free(rows);
	elf_file_free(debug);
	rows_module_close(&m);
}

TEST(rows, the_same_without_section_headers)
{
	struct rows_module m = rows_module_build("t.c", rows_big_frame, "cc -O1 -o t t.c");
	struct elf_file *f;
	struct rows *rows;
	size_t len;
	u8 *image = fixture_read(fixture_path("t"), &len);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;

	ehdr->e_shoff = 0;
	ehdr->e_shnum = ehdr->e_shstrndx = 0;
	CHECK_INT(elf_file_open_memory((struct bytes){image, len}, &f), 0);
	CHECK_INT(rows_build(f, NULL, m.set, &rows), 0);
	CHECK_INT(rows->nrows, m.rows->nrows);
	CHECK(!memcmp(rows->words, m.rows->words, rows->nwords * sizeof(u32)));
	rows_free(rows);
	elf_file_free(f);
	free(image);
	rows_module_close(&m);
}

TEST(rows, functions_are_sorted_and_unique)
{
	struct rows_module m = rows_module_open("/lib/x86_64-linux-gnu/libc.so.6");
	struct function_range *fns;
	size_t n;

	CHECK_INT(rows_functions(m.f, &fns, &n), 0);
	CHECK(n > 3000);
	for (size_t i = 0; i < n; i++) {
		CHECK(fns[i].end > fns[i].start);
		CHECK(!i || fns[i].start > fns[i - 1].start);
	}
	free(fns);
	rows_module_close(&m);
}

/* ---- Go -------------------------------------------------------------------------------------- */

static const char go_source[] = "package main\n"
				"import \"fmt\"\n"
				"func main() { fmt.Println(\"hello\") }\n";
static const char cgo_source[] = "package main\n"
				 "// static int twice(int n) { return n * 2; }\n"
				 "import \"C\"\n"
				 "import \"fmt\"\n"
				 "func main() { fmt.Println(C.twice(21)) }\n";

static struct rows_module build_go(const char *source, const char *environment, const char *flags)
{
	fixture_write("t.go", source, strlen(source));
	fixture_run("go version");
	fixture_run(
		"env HOME=\"$PWD\" GOCACHE=${GOCACHE:-/tmp/cprof-unit-go-cache} GO111MODULE=off "
		"%s go build %s -o t t.go",
		environment, flags);
	return rows_module_open(fixture_path("t"));
}

/* The creator of a thread returns from it, and the thread begins after that. */
static void check_clone(struct rows_module *m, u64 vaddr)
{
	u64 at = 0;

	while (at < 256 && rule_at(m, vaddr + at)->cfa != UNWIND_CFA_STOP)
		at++;
	CHECK(at > 0x20 && at < 256);
	CHECK_INT(rule_at(m, vaddr)->cfa, UNWIND_CFA_SP);
}

TEST(rows, go_stack_ends)
{
	struct rows_module m = build_go(go_source, "CGO_ENABLED=0", "");
	u64 sigreturn = symbol(&m, "runtime.sigreturn.abi0");

	CHECK(m.rows->nfunctions > 1000);
	CHECK_INT(rule_at(&m, symbol(&m, "main.main"))->cfa, UNWIND_CFA_SP);
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.goexit.abi0"))->cfa, UNWIND_CFA_STOP);
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.mstart.abi0"))->cfa, UNWIND_CFA_STOP);
	check_clone(&m, symbol(&m, "runtime.clone.abi0"));
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.mcall") + 3)->cfa, UNWIND_CFA_GO);
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.mcall") + 3)->cfa_reg, UNWIND_GO_MCALL);
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.morestack.abi0"))->cfa_reg, UNWIND_GO_MORESTACK);
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.goexit0"))->cfa, UNWIND_CFA_SP);
	CHECK_INT(rule_at(&m, sigreturn)->cfa, UNWIND_CFA_SIGNAL);
	CHECK_INT(rule_at(&m, sigreturn - 1)->cfa, UNWIND_CFA_SIGNAL);
	rows_check_layout(m.rows);
	rows_module_close(&m);
}

/* g is right below the thread pointer in a program of Go's own linker, and m.curg is at 192 up to
 * Go 1.24. */
static void check_systemstack(struct rows_module *m, u64 vaddr)
{
	const struct unwind_rule *rule = rule_at(m, vaddr + 0x40);

	CHECK_INT(rule->cfa, UNWIND_CFA_GO);
	CHECK_INT(rule->cfa_reg, UNWIND_GO_SYSTEMSTACK);
	CHECK(rule->cfa_off == 8 || rule->cfa_off == 16);
	CHECK_INT(rule->cfa_add, -8);
	CHECK(rule->fp_off == 192 || rule->fp_off == 184);
}

TEST(rows, go_switches_say_where_the_goroutine_is)
{
	struct rows_module m = build_go(go_source, "CGO_ENABLED=0", ""), stripped, pie;
	u64 at = symbol(&m, "runtime.systemstack.abi0");

	check_systemstack(&m, at);
	stripped = build_go(go_source, "CGO_ENABLED=0", "-ldflags='-s -w'");
	check_systemstack(&stripped, at);
	pie = build_go(go_source, "CGO_ENABLED=0", "-buildmode=pie");
	check_systemstack(&pie, symbol(&pie, "runtime.systemstack.abi0"));
	rows_module_close(&pie);
	rows_module_close(&stripped);
	rows_module_close(&m);
}

TEST(rows, go_with_cgo_uses_both_sections)
{
	const struct unwind_rule *rule;
	struct rows_module m = build_go(cgo_source, "CGO_ENABLED=1", "");
	u64 twice = symbol(&m, "_cgo_sys_thread_start");
	struct elf_section s;

	CHECK_INT(elf_file_section(m.f, ".eh_frame", &s), 0);
	CHECK_INT(elf_file_section(m.f, ".debug_frame", &s), 0);
	CHECK_INT(rule_at(&m, twice)->cfa, UNWIND_CFA_SP);
	CHECK_INT(rule_at(&m, symbol(&m, "main.main"))->cfa, UNWIND_CFA_SP);
	rule = rule_at(&m, symbol(&m, "runtime.asmcgocall.abi0") + 0x60);
	CHECK_INT(rule->cfa, UNWIND_CFA_GO);
	CHECK_INT(rule->cfa_reg, UNWIND_GO_ASMCGOCALL);
	CHECK(rule->ra_off == 48 || rule->ra_off == 8);
	CHECK(rule->cfa_add < 0);
	/* The function that calls the one in assembly is an ordinary one. */
	CHECK_INT(rule_at(&m, symbol(&m, "runtime.asmcgocall"))->cfa, UNWIND_CFA_SP);
	rows_check_layout(m.rows);
	rows_module_close(&m);
}

/* Go's own table and the .debug_frame that the linker makes from it must agree. */
TEST(rows, stripped_go_uses_its_own_table)
{
	struct rows_module plain = build_go(go_source, "CGO_ENABLED=0", ""), stripped;
	size_t seen = 0, other = 0;
	struct elf_section text;

	CHECK_INT(elf_file_section(plain.f, ".text", &text), 0);
	stripped = build_go(go_source, "CGO_ENABLED=0", "-ldflags='-s -w'");
	CHECK(!stripped.rows->frame_pointers);
	for (u64 at = 0; at < text.data.len; at += 5) {
		const struct unwind_rule *want = rule_at(&plain, text.vaddr + at);
		const struct unwind_rule *have = rule_at(&stripped, text.vaddr + at);

		if (want->cfa != UNWIND_CFA_SP)
			continue;
		seen++;
		other += have->cfa != want->cfa || have->cfa_off != want->cfa_off;
	}
	CHECK(seen > 10000);
	CHECK(other * 200 < seen); /* the last bytes of functions: padding */
	rows_check_layout(stripped.rows);
	rows_module_close(&plain);
	rows_module_close(&stripped);
}
