/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of small functions in assembly: those that keep their frame in a register over calls, and
 * tables of jumps. */
#include <elf.h>
#include <string.h>

#include "unit.h"
#include "unwind/code_flow.h"

#define CODE 0x10000ull
#define CODE_MAX 256u
#define RCX 2

static struct {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	u8 code[CODE_MAX];
} image;

static struct elf_file *file_with(const u8 *code, size_t len)
{
	struct elf_file *f;

	CHECK(len <= CODE_MAX);
	memset(&image, 0, sizeof(image));
	image.header = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	image.segment = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
		.p_vaddr = CODE,
		.p_filesz = len,
		.p_memsz = len,
	};
	memcpy(image.code, code, len);
	CHECK_INT(elf_file_open_memory((struct bytes){(const u8 *)&image, sizeof(image)}, &f), 0);
	return f;
}

struct wanted {
	u64 vaddr;
	struct unwind_rule rule;
};

static int keep_rule(void *arg, u64 vaddr, const struct unwind_rule *rule)
{
	struct wanted *w = arg;

	if (vaddr <= w->vaddr)
		w->rule = *rule;
	return 0;
}

/* Returns the rule at an offset of the code, whose first function begins at 0. */
static struct unwind_rule rule_in(const u8 *code, size_t len, u64 off)
{
	const struct code_range range = {CODE, CODE + len};
	struct elf_file *f = file_with(code, len);
	struct wanted w = {.vaddr = CODE + off};
	struct file_image *file;
	struct code_flow *flow;

	CHECK_INT(file_image_new(f, &file), 0);
	CHECK_INT(code_flow_new(file, elf_file_budget(f), &range, 1, &flow), 0);
	code_flow_follow(flow, CODE, CODE_START_SURE);
	CHECK_INT(code_flow_rows(flow, CODE, CODE + len, keep_rule, &w), 0);
	code_flow_free(flow);
	file_image_free(file);
	elf_file_free(f);
	return w.rule;
}

/* The function that it calls follows it. */
#define CALLER                                             \
	0x48, 0x89, 0xe1, /* mov rcx, rsp */               \
		0x48, 0x83, 0xe4, 0xe0, /* and rsp, -32 */ \
		0xe8, 20, 0, 0, 0, /* call */              \
		0x90, /* nop */                            \
		0x48, 0x89, 0xcc, /* mov rsp, rcx */       \
		0xc3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define CALL 7
#define BEHIND 12

static void check_kept(const u8 *code, size_t len)
{
	struct unwind_rule call = rule_in(code, len, CALL), behind = rule_in(code, len, BEHIND);

	CHECK_INT(call.cfa, UNWIND_CFA_REG);
	CHECK_INT(call.cfa_reg, RCX);
	CHECK_INT(call.cfa_off, 8);
	CHECK_INT(call.cfa_add, UNWIND_REG_KEPT);
	CHECK_INT(behind.cfa, UNWIND_CFA_REG);
	CHECK_INT(behind.cfa_reg, RCX);
	CHECK_INT(behind.cfa_add, 0);
}

static void check_changed(const u8 *code, size_t len)
{
	struct unwind_rule call = rule_in(code, len, CALL);

	CHECK_INT(call.cfa, UNWIND_CFA_REG); /* It is right while nothing was called yet. */
	CHECK_INT(call.cfa_add, 0);
	CHECK_INT(rule_in(code, len, BEHIND).cfa, UNWIND_CFA_NONE);
}

TEST(call_changes, a_function_that_leaves_the_register_alone)
{
	static const u8 code[] = {
		CALLER, 0x48, 0xff, 0xc8, /* dec rax */
		0x75,   0xfb, /* jne */
		0xc3,
	};

	check_kept(code, sizeof(code));
}

TEST(call_changes, functions_that_this_calls_count)
{
	static const u8 keeps[] = {
		CALLER, 0xe8, 1,    0,    0, 0, /* call */
		0xc3,   0x31, 0xc0, 0xc3, /* xor eax, eax */
	};
	static const u8 changes[] = {
		CALLER, 0xe8, 1,    0,    0, 0, /* call */
		0xc3,   0x31, 0xc9, 0xc3, /* xor ecx, ecx */
	};

	check_kept(keeps, sizeof(keeps));
	check_changed(changes, sizeof(changes));
}

TEST(call_changes, one_path_that_changes_it_is_enough)
{
	static const u8 byte[] = {
		CALLER, 0x75, 1, /* jne */
		0xc3,   0xb1, 1, /* mov cl, 1 */
		0xc3,
	};
	static const u8 syscall[] = {CALLER, 0x0f, 0x05, 0xc3};
	static const u8 swap[] = {CALLER, 0x48, 0x87, 0xca, 0xc3}; /* xchg rdx, rcx */

	check_changed(byte, sizeof(byte));
	check_changed(syscall, sizeof(syscall));
	check_changed(swap, sizeof(swap));
}

TEST(call_changes, what_cannot_be_followed_may_change_it)
{
	static const u8 indirect[] = {CALLER, 0xff, 0xe0}; /* jmp rax */
	static const u8 pointer[] = {CALLER, 0xff, 0xd0, 0xc3}; /* call rax */
	static const u8 outside[] = {CALLER, 0xe9, 0, 0, 1, 0}; /* jmp */
	static const u8 endless[] = {CALLER, 0x90};

	check_changed(indirect, sizeof(indirect));
	check_changed(pointer, sizeof(pointer));
	check_changed(outside, sizeof(outside));
	check_changed(endless, sizeof(endless));
}

/* ---- tables ---- */

/* Neither of two tables that follow each other says where it ends. */
TEST(code_flow, a_table_ends_where_another_one_begins)
{
	static const u8 code[] = {
		0x85, 0xff, /* test edi, edi */
		0x74, 17, /* je: the other jump */
		0x53, /* push rbx */
		0x48, 0x8d, 0x15, 40,   0,    0,    0, /* lea rdx, [rip + 40]: the second table */
		0x48, 0x63, 0x04, 0x82, /* movslq rax, [rdx + 4 * rax] */
		0x48, 0x01, 0xd0, /* add rax, rdx */
		0xff, 0xe0, /* jmp rax */
		0x48, 0x8d, 0x15, 20,   0,    0,    0, /* lea rdx, [rip + 20]: the first table */
		0x48, 0x63, 0x04, 0x82, 0x48, 0x01, 0xd0,
		0xff, 0xe0, 0x0f, 0x1f, 0x40, 0x00, /* 37: nothing leads here */
		0x90, /* 41: only the second table leads here */
		0xeb, 0xfd, /* jmp 41 */
		0xc3, /* 44: only the first table leads here */
		0xcc, 0xcc, 0xcc, 0xfc, 0xff, 0xff, 0xff, /* 44 - 48 */
		0xf5, 0xff, 0xff, 0xff, /* 41 - 52, which would be 37 - 48 */
	};
	struct unwind_rule first = rule_in(code, sizeof(code), 44);
	struct unwind_rule second = rule_in(code, sizeof(code), 41);

	CHECK_INT(first.cfa, UNWIND_CFA_SP);
	CHECK_INT(first.cfa_off, 8);
	CHECK_INT(second.cfa, UNWIND_CFA_SP);
	CHECK_INT(second.cfa_off, 16);
}
