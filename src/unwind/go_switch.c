/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the functions with which Go switches stacks: see go_switch.h. */
#include "unwind/go_switch.h"

#include <string.h>

#include "arch/go.h"

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
		return arch_go_systemstack(code, &s->tls, &s->curg);
	case UNWIND_GO_ASMCGOCALL:
		return arch_go_asmcgocall(code, &s->slot);
	case GO_C_FRAME:
		one->fp_off = arch_go_saved_fp(code);
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

	if (!arch_is_go_rule(rule))
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
