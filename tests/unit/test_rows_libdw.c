/* SPDX-License-Identifier: Apache-2.0 */
/* Compares every row of big, real files with libdw's own reading of the same call frame
 * information. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "unwind/rows.h"

#define REG_RBX 3
#define REG_RBP 6
#define REG_RSP 7
#define REG_RIP 16

static bool is_plt(const Dwarf_Op *ops, size_t n)
{
	static const u8 atoms[] = {DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and, DW_OP_lit11,
				   DW_OP_ge,    DW_OP_lit3,   DW_OP_shl,   DW_OP_plus};

	if (n != ARRAY_LEN(atoms))
		return false;
	for (size_t i = 0; i < n; i++)
		if (ops[i].atom != atoms[i] &&
		    !(i == 4 && ops[i].atom >= DW_OP_lit0 && ops[i].atom <= DW_OP_lit15))
			return false;
	return ops[0].number == 8;
}

static bool base_of(const Dwarf_Op *op, Dwarf_Word *reg, s64 *off)
{
	if (op->atom == DW_OP_bregx) {
		*reg = op->number;
		*off = (s64)op->number2;
		return true;
	}
	*reg = op->atom - DW_OP_breg0;
	*off = (s64)op->number;
	return op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31;
}

static void expect_cfa(const Dwarf_Op *ops, size_t n, struct unwind_rule *want)
{
	Dwarf_Word reg;
	s64 off;

	if (is_plt(ops, n)) {
		want->cfa = UNWIND_CFA_PLT;
		want->cfa_off = ops[4].atom - DW_OP_lit0;
		return;
	}
	if (!n || !base_of(&ops[0], &reg, &off))
		return;
	want->cfa_off = (s32)off;
	if (n == 1) {
		want->cfa = reg == REG_RSP   ? UNWIND_CFA_SP
			    : reg == REG_RBP ? UNWIND_CFA_FP
					     : UNWIND_CFA_REG;
		want->cfa_reg = want->cfa == UNWIND_CFA_REG ? (u8)reg : 0;
	} else if (ops[1].atom == DW_OP_deref && n <= 3 && reg >= REG_RBP && reg <= REG_RSP &&
		   (n == 2 || ops[2].atom == DW_OP_plus_uconst)) {
		want->cfa = reg == REG_RSP ? UNWIND_CFA_SP_DEREF : UNWIND_CFA_FP_DEREF;
		want->cfa_add = n == 3 ? (s16)ops[2].number : 0;
	}
}

/* This is how libdw expresses "at cfa + off". */
static bool at_cfa(const Dwarf_Op *ops, size_t n, s64 *off)
{
	if (!n || ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	*off = n > 1 ? (s64)ops[1].number : 0;
	return n == 1 || (n == 2 && ops[1].atom == DW_OP_plus_uconst);
}

static void expect_rbp(Dwarf_Frame *frame, struct unwind_rule *want)
{
	Dwarf_Op mem[3], *ops;
	Dwarf_Word reg;
	size_t n;
	s64 off;

	CHECK(!dwarf_frame_register(frame, REG_RBP, mem, &ops, &n));
	if (!n) {
		want->fp = ops ? UNWIND_FP_UNDEFINED : UNWIND_FP_SAME;
	} else if (at_cfa(ops, n, &off)) {
		want->fp = UNWIND_FP_CFA;
		want->fp_off = (s16)off;
	} else if (n == 1 && base_of(ops, &reg, &off) && reg == REG_RBP) {
		want->fp = UNWIND_FP_FP;
		want->fp_off = (s16)off;
	} else if (n == 1 && base_of(ops, &reg, &off) && reg == REG_RSP &&
		   want->cfa == UNWIND_CFA_SP) {
		want->fp = UNWIND_FP_CFA;
		want->fp_off = (s16)off - want->cfa_off;
	} else {
		want->fp = UNWIND_FP_UNDEFINED;
	}
}

/*
 * libdw's ABI defaults leave rbx undefined where the psABI (figure 3.4) makes it callee-saved, so
 * its "undefined" may mean either.
 */
#define RBX_EITHER 1

static void expect_rbx(Dwarf_Frame *frame, struct unwind_rule *want)
{
	Dwarf_Op mem[3], *ops;
	Dwarf_Word reg;
	size_t n;
	s64 off;

	CHECK(!dwarf_frame_register(frame, REG_RBX, mem, &ops, &n));
	want->callee_off = UNWIND_CALLEE_LOST;
	if (!n)
		want->callee_off = ops ? RBX_EITHER : UNWIND_CALLEE_SAME;
	else if (at_cfa(ops, n, &off) && off != UNWIND_CALLEE_SAME) /* longjmp's is at cfa + 0 */
		want->callee_off = (s16)off;
	else if (n == 1 && base_of(ops, &reg, &off) && reg == REG_RSP && want->cfa == UNWIND_CFA_SP)
		want->callee_off = (s16)(off - want->cfa_off);
}

static bool expect_ra(Dwarf_Frame *frame, struct unwind_rule *want)
{
	Dwarf_Op mem[3], *ops;
	size_t n;
	s64 off;

	CHECK(!dwarf_frame_register(frame, REG_RIP, mem, &ops, &n));
	if (!n && ops) {
		*want = (struct unwind_rule){.cfa = UNWIND_CFA_STOP};
		return false;
	}
	if (at_cfa(ops, n, &off)) {
		want->ra_off = (s16)off;
	} else if (n == 1 && (ops->atom == DW_OP_regx ||
			      (ops->atom >= DW_OP_reg0 && ops->atom <= DW_OP_reg15))) {
		want->ra = UNWIND_RA_REG;
		want->ra_off =
			(s16)(ops->atom == DW_OP_regx ? (s64)ops->number : ops->atom - DW_OP_reg0);
	} else {
		want->cfa = UNWIND_CFA_NONE;
	}
	return true;
}

static struct unwind_rule expected(Dwarf_Frame *frame, bool signal)
{
	struct unwind_rule want = {0};
	Dwarf_Op *ops;
	size_t n;

	if (signal)
		return (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL};
	CHECK(!dwarf_frame_cfa(frame, &ops, &n));
	expect_cfa(ops, n, &want);
	if (expect_ra(frame, &want) && want.cfa != UNWIND_CFA_NONE) {
		expect_rbp(frame, &want);
		expect_rbx(frame, &want);
	}
	return want.cfa == UNWIND_CFA_NONE ? (struct unwind_rule){0} : want;
}

struct comparison {
	struct elf_file *f;
	struct rows *rows;
	struct unwind_rule *rules;
	Dwarf_CFI *cfi;
	size_t rows_seen, entry_rows;
};

static void compare_at(struct comparison *c, u64 vaddr, struct unwind_rule *want)
{
	const struct unwind_rule *have;
	u64 off;

	CHECK(elf_file_vaddr_to_offset(c->f, vaddr, &off));
	have = &c->rules[rows_find(c->rows, off)];
	if (have->cfa == UNWIND_CFA_STOP && want->cfa != UNWIND_CFA_STOP) {
		c->entry_rows++;
		return;
	}
	if (want->callee_off == RBX_EITHER &&
	    (have->callee_off == UNWIND_CALLEE_SAME || have->callee_off == UNWIND_CALLEE_LOST))
		want->callee_off = have->callee_off;
	if (memcmp(have, want, sizeof(*have)) != 0)
		unit_fail(__FILE__, __LINE__,
			  "at %#llx cfa %d+%d reg %d add %d, rbp %d%+d, rbx %+d, ra %d%+d; libdw: "
			  "cfa %d+%d reg %d add %d, rbp %d%+d, rbx %+d, ra %d%+d",
			  (unsigned long long)vaddr, have->cfa, have->cfa_off, have->cfa_reg,
			  have->cfa_add, have->fp, have->fp_off, have->callee_off, have->ra,
			  have->ra_off, want->cfa, want->cfa_off, want->cfa_reg, want->cfa_add,
			  want->fp, want->fp_off, want->callee_off, want->ra, want->ra_off);
}

static void compare_function(struct comparison *c, const struct function_range *fn)
{
	u64 at = fn->start;

	while (at < fn->end) {
		struct unwind_rule want;
		Dwarf_Addr start, end;
		Dwarf_Frame *frame;
		bool signal;

		CHECK(!dwarf_cfi_addrframe(c->cfi, at, &frame));
		CHECK_INT(dwarf_frame_info(frame, &start, &end, &signal), REG_RIP);
		CHECK(end > at);
		want = expected(frame, signal);
		compare_at(c, at, &want);
		compare_at(c, (end < fn->end ? end : fn->end) - 1, &want);
		free(frame);
		c->rows_seen++;
		at = end;
	}
}

static void compare_file(const char *path, size_t rows_at_least)
{
	struct comparison c = {.rules = calloc(UNWIND_MAX_RULES, sizeof(*c.rules))};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct function_range *fns;
	struct rule_set *set;
	size_t n;

	if (fd < 0)
		unit_skip("no %s", path);
	CHECK(c.rules);
	CHECK_INT(rule_set_new(c.rules, UNWIND_MAX_RULES, &set), 0);
	CHECK_INT(elf_file_open(fd, &c.f), 0);
	close(fd);
	CHECK_INT(rows_build(c.f, NULL, set, &c.rows), 0);
	CHECK_INT(rows_functions(c.f, &fns, &n), 0);
	c.cfi = dwarf_getcfi_elf(elf_file_handle(c.f));
	CHECK(c.cfi);
	CHECK_INT(n, c.rows->nfunctions);
	for (size_t i = 0; i < n; i++)
		compare_function(&c, &fns[i]);
	CHECK(c.rows_seen >= rows_at_least);
	CHECK(c.entry_rows <= 8);
	CHECK_INT(rule_set_overflows(set), 0);
	dwarf_cfi_end(c.cfi);
	free(fns);
	rows_free(c.rows);
	rule_set_free(set);
	free(c.rules);
	elf_file_free(c.f);
}

TEST(rows_libdw, libc_agrees)
{
	compare_file("/lib/x86_64-linux-gnu/libc.so.6", 20000);
}

TEST(rows_libdw, libstdcxx_agrees)
{
	compare_file("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 20000);
}

TEST(rows_libdw, bash_agrees)
{
	compare_file("/bin/bash", 10000);
}

TEST(rows_libdw, ld_so_agrees)
{
	compare_file("/lib64/ld-linux-x86-64.so.2", 1000);
}

TEST(rows_libdw, libcrypto_agrees)
{
	compare_file("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 10000);
}

TEST(rows_libdw, clang_agrees)
{
	compare_file("/usr/lib/x86_64-linux-gnu/libclang-cpp.so.14", 500000);
}

TEST(rows_libdw, libllvm_agrees)
{
	compare_file("/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1", 500000);
}
