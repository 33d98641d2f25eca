/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows any bytes as the code of a function. Where each two bytes of the input select one of the
 * instructions that functions set up their frames with, an interpreter of these few runs them, and
 * at each instruction what was found must lead to the frame that the function was entered with.
 */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/code_flow.h"

#define CODE 0x10000ull
#define CODE_MAX 2048u
#define STACK 0x7f0000ull
#define STACK_WORDS 8192u
#define CFA (STACK + STACK_WORDS / 2 * 8)
#define STEPS_MAX 300u

/* DWARF numbers */
#define RAX 0
#define RCX 2
#define RBX ARCH_DWARF_CALLEE
#define RBP ARCH_DWARF_FP
#define RSP ARCH_DWARF_SP

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input as code ---- */

enum operation {
	PUSH,
	POP,
	MOVE,
	ADD,
	LEA,
	ALIGN,
	STORE,
	LOAD,
	LEAVE,
	RETURN,
	EQUAL,
	UNEQUAL,
	JUMP,
	DECREASE,
	ZERO,
	SWAP,
	MOVE_IF,
	ENTER
};

struct template
{
	u8 bytes[8];
	u8 length, varies; /* the byte that the second one of the input replaces; 0 if none */
	u8 operation, to, from;
	s8 sign; /* of the byte that varies */
};

static const struct template templates[] = {
	{{0x55}, 1, 0, PUSH, 0, RBP, 0}, /* push rbp */
	{{0x53}, 1, 0, PUSH, 0, RBX, 0}, /* push rbx */
	{{0x50}, 1, 0, PUSH, 0, RAX, 0}, /* push rax */
	{{0x5d}, 1, 0, POP, RBP, 0, 0}, /* pop rbp */
	{{0x5b}, 1, 0, POP, RBX, 0, 0}, /* pop rbx */
	{{0x58}, 1, 0, POP, RAX, 0, 0}, /* pop rax */
	{{0x48, 0x89, 0xe5}, 3, 0, MOVE, RBP, RSP, 0}, /* mov rbp, rsp */
	{{0x48, 0x89, 0xec}, 3, 0, MOVE, RSP, RBP, 0}, /* mov rsp, rbp */
	{{0x48, 0x89, 0xe0}, 3, 0, MOVE, RAX, RSP, 0}, /* mov rax, rsp */
	{{0x48, 0x89, 0xe3}, 3, 0, MOVE, RBX, RSP, 0}, /* mov rbx, rsp */
	{{0x48, 0x89, 0xc4}, 3, 0, MOVE, RSP, RAX, 0}, /* mov rsp, rax */
	{{0x48, 0x83, 0xec, 8}, 4, 3, ADD, RSP, RSP, -1}, /* sub rsp, 8 */
	{{0x48, 0x83, 0xc4, 8}, 4, 3, ADD, RSP, RSP, 1}, /* add rsp, 8 */
	{{0x48, 0x8d, 0x64, 0x24, 8}, 5, 4, LEA, RSP, RSP, 1}, /* lea rsp, [rsp + 8] */
	{{0x48, 0x8d, 0x65, 0xf0}, 4, 3, LEA, RSP, RBP, 1}, /* lea rsp, [rbp - 16] */
	{{0x48, 0x8d, 0x6c, 0x24, 8}, 5, 4, LEA, RBP, RSP, 1}, /* lea rbp, [rsp + 8] */
	{{0x48, 0x83, 0xe4, 0xc0}, 4, 0, ALIGN, RSP, RSP, 0}, /* and rsp, -64 */
	{{0x48, 0x89, 0x44, 0x24, 8}, 5, 4, STORE, RSP, RAX, 1}, /* mov [rsp + 8], rax */
	{{0x48, 0x8b, 0x44, 0x24, 8}, 5, 4, LOAD, RAX, RSP, 1}, /* mov rax, [rsp + 8] */
	{{0x48, 0x8b, 0x64, 0x24, 8}, 5, 4, LOAD, RSP, RSP, 1}, /* mov rsp, [rsp + 8] */
	{{0x48, 0x89, 0x6c, 0x24, 8}, 5, 4, STORE, RSP, RBP, 1}, /* mov [rsp + 8], rbp */
	{{0xc9}, 1, 0, LEAVE, 0, 0, 0},
	{{0xc3}, 1, 0, RETURN, 0, 0, 0},
	{{0x74, 2}, 2, 1, EQUAL, 0, 0, 1}, /* je */
	{{0x75, 2}, 2, 1, UNEQUAL, 0, 0, 1}, /* jne */
	{{0xeb, 2}, 2, 1, JUMP, 0, 0, 1}, /* jmp */
	{{0x48, 0xff, 0xc9}, 3, 0, DECREASE, RCX, RCX, 0}, /* dec rcx */
	{{0x31, 0xed}, 2, 0, ZERO, RBP, 0, 0}, /* xor ebp, ebp */
	{{0x31, 0xc0}, 2, 0, ZERO, RAX, 0, 0}, /* xor eax, eax */
	{{0x48, 0x87, 0xec}, 3, 0, SWAP, RSP, RBP, 0}, /* xchg rsp, rbp */
	{{0x48, 0x0f, 0x44, 0xe8}, 4, 0, MOVE_IF, RBP, RAX, 0}, /* cmove rbp, rax */
	{{0xc8, 16, 0, 0}, 4, 0, ENTER, 0, 0, 0}, /* enter 16, 0 */
};

struct code {
	u8 bytes[CODE_MAX];
	size_t len;
	/* the instruction that begins at a byte, or NULL, and what varies in it */
	const struct template *at[CODE_MAX];
	s8 value[CODE_MAX];
	bool can_run;
};

static void code_from(const uint8_t *data, size_t size, struct code *code)
{
	memset(code, 0, sizeof(*code));
	code->can_run = size && data[0] & 1;
	if (!code->can_run) {
		code->len = size < CODE_MAX ? size : CODE_MAX;
		memcpy(code->bytes, data, code->len);
		return;
	}
	for (size_t i = 1; i + 2 <= size && code->len + 8 <= CODE_MAX; i += 2) {
		const struct template *t = &templates[data[i] % ARRAY_LEN(templates)];

		memcpy(code->bytes + code->len, t->bytes, t->length);
		if (t->varies)
			code->bytes[code->len + t->varies] = data[i + 1];
		code->at[code->len] = t;
		code->value[code->len] = (s8)data[i + 1];
		code->len += t->length;
	}
}

static struct elf_file *file_with(const u8 *code, size_t len)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		u8 code[CODE_MAX];
	} image = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				       EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_phoff = sizeof(Elf64_Ehdr),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1},
		.segment = {.p_type = PT_LOAD,
			    .p_flags = PF_R | PF_X,
			    .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
			    .p_vaddr = CODE,
			    .p_filesz = len,
			    .p_memsz = len},
	};
	struct elf_file *f;

	memcpy(image.code, code, len);
	return elf_file_open_memory((struct bytes){(const u8 *)&image, sizeof(image)}, &f) ? NULL
											   : f;
}

/* ---- the oracle ---- */

struct machine {
	u64 reg[ARCH_USER_REGS], entered[ARCH_USER_REGS];
	u64 stack[STACK_WORDS];
	u64 pc;
	u64 above; /* what an aligned stack must not reach; 0 if there is none */
	bool equal, faulted;
};

/* Returns a word of the stack, which must be aligned here; another one if there is none. */
static u64 *word(struct machine *m, u64 addr)
{
	m->faulted |= addr % 8 || addr < STACK || addr >= STACK + STACK_WORDS * 8;
	return &m->stack[m->faulted ? 0 : (addr - STACK) / 8];
}

/* After it has aligned its stack, a function writes only below where that was. */
static u64 *word_to_write(struct machine *m, u64 addr)
{
	m->faulted |= m->above && addr + 8 > m->above;
	return word(m, addr);
}

static void push(struct machine *m, u64 value)
{
	m->reg[RSP] -= 8;
	*word_to_write(m, m->reg[RSP]) = value;
}

static u64 pop(struct machine *m)
{
	u64 value = *word(m, m->reg[RSP]);

	m->reg[RSP] += 8;
	return value;
}

/* No function overwrites what it has saved, other than by pushing over it. */
static void store(struct machine *m, u64 addr, u64 value)
{
	u64 *at = word_to_write(m, addr);

	m->faulted |= *at == m->entered[RBP] || *at == m->entered[RBX] ||
		      *at - STACK < STACK_WORDS * 8 || addr == CFA - 8;
	*at = value;
}

static void set_sum(struct machine *m, u8 to, u64 value)
{
	m->reg[to] = value;
	m->equal = !value;
}

static void swap(u64 *a, u64 *b)
{
	u64 kept = *a;

	*a = *b;
	*b = kept;
}

static void step_frame(struct machine *m, const struct template *t)
{
	switch (t->operation) {
	case LEAVE:
		m->above = 0;
		m->reg[RSP] = m->reg[RBP];
		m->reg[RBP] = pop(m);
		break;
	case ENTER:
		push(m, m->reg[RBP]);
		m->reg[RBP] = m->reg[RSP];
		m->reg[RSP] -= 16;
		break;
	case ALIGN:
		m->above = m->reg[t->from];
		set_sum(m, t->to, m->reg[t->from] & ~63ull);
		break;
	case DECREASE:
		set_sum(m, t->to, m->reg[t->to] - 1);
		break;
	case ZERO:
		set_sum(m, t->to, 0);
		break;
	default:
		m->faulted = true; /* a return */
		break;
	}
}

static void step(struct machine *m, const struct template *t, s8 value)
{
	u64 by = (u64)(s64)(t->varies ? value * t->sign : 0);

	m->pc += t->length;
	if (t->to == RSP && (t->operation == MOVE || t->operation == LOAD || t->operation == SWAP))
		m->above = 0;
	switch (t->operation) {
	case PUSH:
		push(m, m->reg[t->from]);
		break;
	case POP:
		m->reg[t->to] = pop(m);
		break;
	case MOVE:
		m->reg[t->to] = m->reg[t->from];
		break;
	case ADD:
		set_sum(m, t->to, m->reg[t->from] + by);
		break;
	case LEA:
		m->reg[t->to] = m->reg[t->from] + by;
		break;
	case STORE:
		store(m, m->reg[t->to] + by, m->reg[t->from]);
		break;
	case LOAD:
		m->reg[t->to] = *word(m, m->reg[t->from] + by);
		break;
	case SWAP:
		swap(&m->reg[t->to], &m->reg[t->from]);
		break;
	case MOVE_IF:
		m->reg[t->to] = m->reg[m->equal ? t->from : t->to];
		break;
	case EQUAL:
	case UNEQUAL:
	case JUMP:
		if (t->operation == JUMP || m->equal == (t->operation == EQUAL))
			m->pc += by;
		break;
	default:
		step_frame(m, t);
		break;
	}
}

/* Returns what the caller's register is by the rule. */
static u64 saved(struct machine *m, u64 cfa, s16 off, u8 reg, bool same)
{
	return same ? m->reg[reg] : *word(m, cfa + (u64)(s64)off);
}

static void check(struct machine *m, const struct unwind_rule *rule)
{
	u64 cfa = (u64)(s64)rule->cfa_off;

	switch (rule->cfa) {
	case UNWIND_CFA_SP:
	case UNWIND_CFA_SP_DEREF:
		cfa += m->reg[RSP];
		break;
	case UNWIND_CFA_FP:
	case UNWIND_CFA_FP_DEREF:
		cfa += m->reg[RBP];
		break;
	case UNWIND_CFA_REG:
		cfa += m->reg[rule->cfa_reg];
		break;
	default:
		return;
	}
	if (rule->cfa == UNWIND_CFA_SP_DEREF || rule->cfa == UNWIND_CFA_FP_DEREF)
		cfa = *word(m, cfa) + (u64)(s64)rule->cfa_add;
	if (cfa != CFA)
		abort();
	if (rule->fp != UNWIND_FP_UNDEFINED &&
	    saved(m, cfa, rule->fp_off, RBP, rule->fp == UNWIND_FP_SAME) != m->entered[RBP])
		abort();
	if (rule->callee_off != UNWIND_CALLEE_LOST &&
	    saved(m, cfa, rule->callee_off, RBX, rule->callee_off == UNWIND_CALLEE_SAME) !=
		    m->entered[RBX])
		abort();
}

static void run(const struct code *code, struct code_flow *flow, bool equal)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	for (u8 i = 0; i < ARCH_USER_REGS; i++)
		m.reg[i] = m.entered[i] = 0x1234567890ull * (i + 1);
	m.reg[RSP] = m.entered[RSP] = CFA - 8;
	m.reg[RCX] = 3;
	m.equal = equal;
	m.pc = CODE;
	for (u32 i = 0; i < STEPS_MAX && !m.faulted; i++) {
		u64 at = m.pc - CODE;
		const struct flow_state *s = code_flow_state(flow, m.pc);
		struct unwind_rule rule;

		/* Whatever leads back to its entry, a function begins there as if called. */
		if (at >= code->len || !code->at[at] || (i && !at))
			return;
		if (s) {
			rule = flow_rule(s);
			check(&m, &rule);
		}
		step(&m, code->at[at], code->value[at]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct code code;
	struct code_range range = {.start = CODE};
	struct file_image *image = NULL;
	struct code_flow *flow = NULL;
	struct elf_file *f;

	code_from(data, size, &code);
	f = code.len ? file_with(code.bytes, code.len) : NULL;
	if (!f)
		return 0;
	range.end = CODE + code.len;
	if (!file_image_new(f, &image) &&
	    !code_flow_new(image, elf_file_budget(f), &range, 1, &flow)) {
		code_flow_follow(flow, CODE, size & 1 ? CODE_START_SURE : CODE_START_GUESS);
		if (code.can_run) {
			run(&code, flow, false);
			run(&code, flow, true);
		}
	}
	code_flow_free(flow);
	file_image_free(image);
	elf_file_free(f);
	return 0;
}
