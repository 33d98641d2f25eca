/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the functions with which Go switches stacks: see go_switch.h. */
#include "unwind/go_switch.h"

#include <string.h>

#define CODE_BYTES 256 /* the functions that are examined have 80 to 180 */

static const struct {
	const char *name;
	u8 kind;
} known[] = {
	{"runtime.systemstack", UNWIND_GO_SYSTEMSTACK},
	{"runtime.asmcgocall", UNWIND_GO_ASMCGOCALL},
	{"runtime.cgocallback", UNWIND_GO_CGOCALLBACK},
	{"runtime.morestack", UNWIND_GO_MORESTACK},
	{"runtime.mcall", UNWIND_GO_MCALL},
	{"runtime.nanotime1", UNWIND_GO_VDSO},
	{"runtime.walltime", UNWIND_GO_VDSO},
	{"time.now", UNWIND_GO_VDSO},
	{"crosscall2", GO_C_FRAME},
};

/* Functions in assembly have this suffix since Go 1.17; the plain name then belongs to a function
 * that calls it. */
#define ASSEMBLY ".abi0"

static bool is_assembly(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && !strcmp(dot, ASSEMBLY);
}

static bool is_named(const char *name, const char *want)
{
	size_t len = strlen(want);

	return !strncmp(name, want, len) && (!name[len] || !strcmp(name + len, ASSEMBLY));
}

/* ---- code ------------------------------------------------------------------------------------ */

/* Returns the position after the first `pattern` in `code` if at least `more` bytes follow there,
 * else NULL. */
static const u8 *behind(struct bytes code, const u8 *pattern, size_t len, size_t more)
{
	for (size_t at = 0; at + len + more <= code.len; at++)
		if (!memcmp(code.data + at, pattern, len))
			return code.data + at + len;
	return NULL;
}

static s16 small(const u8 *at)
{
	s32 value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return value < INT16_MIN || value > INT16_MAX ? 0 : (s16)value;
}

/* The function loads g from thread-local storage and compares m.curg with it. */
static bool read_systemstack(struct go_switches *s, struct bytes code)
{
	static const u8 load_fs[] = {0x64, 0x48, 0x8b, 0x04, 0x25}; /* mov %fs:disp32,%rax */
	static const u8 move_rcx[] = {0x48, 0xc7, 0xc1}; /* mov $imm32,%rcx, for %fs:(%rcx) */
	static const u8 compare_rax[] = {0x48, 0x3b, 0x83}; /* cmp disp32(%rbx),%rax */
	static const u8 compare_mem[] = {0x48, 0x39, 0x83}; /* cmp %rax,disp32(%rbx) */
	const u8 *tls = behind(code, load_fs, sizeof(load_fs), 4);
	const u8 *curg = behind(code, compare_rax, sizeof(compare_rax), 4);

	if (!curg)
		curg = behind(code, compare_mem, sizeof(compare_mem), 4);
	if (small(curg) <= 0)
		return false;
	s->curg = small(curg);
	s->tls = small(tls ? tls : behind(code, move_rcx, sizeof(move_rcx), 4));
	return true;
}

static bool read_asmcgocall(struct go_switches *s, struct bytes code)
{
	static const u8 save_g[] = {0x48, 0x89, 0x7c, 0x24}; /* mov %rdi,disp8(%rsp) */
	const u8 *at = behind(code, save_g, sizeof(save_g), 1);

	if (!at || *at < 8 || *at > INT8_MAX)
		return false;
	s->slot = *at;
	return true;
}

/* crosscall2 pushes rbp first since Go 1.21. Before that, cgo/abi_amd64.h fixed where it is
 * saved. */
static s16 saved_rbp(struct bytes code)
{
	return code.len && code.data[0] == 0x55 ? -16 : -224;
}

/* ---- functions ------------------------------------------------------------------------------- */

static struct go_switch *slot_for(struct go_switches *s, u8 name, bool assembly)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].name == name)
			return assembly ? &s->list[i] : NULL;
	return s->n < GO_SWITCHES_MAX ? &s->list[s->n++] : NULL;
}

/* Returns false if this is only a function that calls the one in assembly, judged by its name. In
 * stripped Go nothing else tells them apart. */
static bool read_code(struct go_switches *s, struct go_switch *one, struct bytes code)
{
	switch (one->kind) {
	case UNWIND_GO_SYSTEMSTACK:
		return read_systemstack(s, code);
	case UNWIND_GO_ASMCGOCALL:
		return read_asmcgocall(s, code);
	case GO_C_FRAME:
		one->fp_off = saved_rbp(code);
		return true;
	default:
		return true;
	}
}

static void add(struct go_switches *s, struct elf_file *f, struct go_switch one, bool assembly)
{
	struct bytes code = elf_file_loaded(f, one.start, CODE_BYTES);
	struct go_switch *slot;

	if (!code.len || !read_code(s, &one, code))
		return;
	slot = slot_for(s, one.name, assembly);
	if (slot)
		*slot = one;
}

void go_switches_add(struct go_switches *s, struct elf_file *f, const char *name, u64 start)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const struct go_switch one = {start, known[i].kind, (u8)i, 0};

		if (is_named(name, known[i].name))
			add(s, f, one, is_assembly(name));
	}
}

const struct go_switch *go_switches_find(const struct go_switches *s, u64 start)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].start == start)
			return &s->list[i];
	return NULL;
}

struct unwind_rule go_switch_rule(const struct go_switches *s, const struct go_switch *at,
				  const struct unwind_rule *rule)
{
	struct unwind_rule out = *rule;

	if (rule->cfa != UNWIND_CFA_SP || rule->ra != UNWIND_RA_CFA || rule->ra_off != -8)
		return out;
	if (at->kind == GO_C_FRAME) {
		if (rule->cfa_off + at->fp_off >= 0) {
			out.fp = UNWIND_FP_CFA;
			out.fp_off = at->fp_off;
		}
		return out;
	}
	out.cfa = UNWIND_CFA_GO;
	out.cfa_reg = at->kind;
	out.fp = UNWIND_FP_SAME;
	out.callee_off = UNWIND_CALLEE_LOST;
	out.cfa_add = s->tls;
	out.fp_off = s->curg;
	out.ra_off = s->slot;
	return out;
}
