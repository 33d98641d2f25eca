/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where stacks end although no FDE says so: see stack_end.h. */
#include "unwind/stack_end.h"

#include <elf.h>
#include <string.h>

#include "arch/calls.h"
#include "arch/insn.h"
#include "elf/symbols.h"

/* _start and what follows it in ld.so (_dl_start_user) are well below this size. */
#define ENTRY_CODE_MAX 256

/*
 * These functions of Go have no caller (runtime/asm_*.s, sys_linux_*.s). goexit is the
 * "caller" of every goroutine, mstart begins a thread, and rt0_go begins the process.
 */
static const char *const go_stack_ends[] = {"goexit", "mstart", "rt0_go"};
/* A thread begins in its second part. In the first part, the creator of the thread calls the
 * kernel. */
static const char *const go_clone[] = {"clone"};
#define CLONE_CODE_MAX 512

/* The kernel returns here after a signal handler. The function has an FDE, but one for an ordinary
 * function. */
static const char *const go_signal_returns[] = {"sigreturn", "sigreturn__sigaction"};

bool elf_is_go(struct elf_file *f)
{
	static const char *const marks[] = {".note.go.buildid", ".go.buildinfo", ".gopclntab",
					    ".data.rel.ro.gopclntab"};
	struct elf_section s;

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (!elf_file_section_header(f, marks[i], &s))
			return true;
	return false;
}

/* Matches "runtime.goexit" and "runtime.goexit.abi0", which is how assembly functions are called
 * since Go 1.17. */
static bool go_name_is(const char *name, const char *want)
{
	size_t len = strlen(want);

	return !strncmp(name, want, len) && (!name[len] || name[len] == '.');
}

static bool go_name_among(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (go_name_is(name, list[i]))
			return true;
	return false;
}

/* Returns where the code of a new thread begins: after the return to its creator. */
static u64 after_return(struct elf_file *f, const struct go_function *fn)
{
	struct bytes code = elf_file_loaded(f, fn->start, fn->end - fn->start);
	struct arch_insn insn;

	for (u64 at = 0; at < code.len && at < CLONE_CODE_MAX; at += insn.length) {
		struct bytes rest = {code.data + at, code.len - at};

		if (!arch_insn_decode(rest, fn->start + at, &insn))
			break;
		if (insn.flow == INSN_RETURN)
			return fn->start + at + insn.length;
	}
	return fn->start;
}

static int fix_go_function(struct function_index *index, struct elf_file *f,
			   const struct go_function *fn, struct rule_set *set)
{
	static const struct unwind_rule signal = {.cfa = UNWIND_CFA_SIGNAL};
	const char *name = fn->name;

	if (!fn->start)
		return 0;
	go_switches_add(&index->switches, f, name, fn->start);
	if (strncmp(name, "runtime.", 8) != 0)
		return 0;
	name += 8;
	if (go_name_among(name, go_stack_ends, ARRAY_LEN(go_stack_ends)))
		return function_index_fix(index, fn->start, fn->end, UNWIND_RULE_STOP);
	if (go_name_among(name, go_clone, ARRAY_LEN(go_clone)))
		return function_index_fix(index, after_return(f, fn), fn->end, UNWIND_RULE_STOP);
	/* The handler's return address is the first byte, but callers are looked up at pc - 1. */
	if (go_name_among(name, go_signal_returns, ARRAY_LEN(go_signal_returns)))
		return function_index_fix(index, fn->start - 1, fn->end,
					  rule_set_number(set, &signal));
	return 0;
}

struct go_fixes {
	struct function_index *index;
	struct elf_file *f;
	struct rule_set *set;
};

static int fix_go_symbol(void *arg, const struct elf_symbol *symbol)
{
	struct go_function fn = {.name = symbol->name, .start = symbol->vaddr};
	const struct go_fixes *to = arg;

	if (symbol->type != STT_FUNC ||
	    __builtin_add_overflow(fn.start, symbol->size ? symbol->size : 1, &fn.end))
		return 0;
	return fix_go_function(to->index, to->f, &fn, to->set);
}

/* Stripped Go has the same names in its own table. */
static int fix_go_table(struct function_index *index, struct elf_file *f, struct rule_set *set)
{
	int err = 0;

	for (u64 i = 0; !err && i < gopclntab_count(index->go); i++) {
		struct go_function fn;

		if (gopclntab_function(index->go, i, &fn) && fn.name)
			err = fix_go_function(index, f, &fn, set);
	}
	return err;
}

/* Uses the symbols of `names`, which is `f` itself or its debug file. */
static int fix_go_functions(struct function_index *index, struct elf_file *f,
			    struct elf_file *names, struct rule_set *set)
{
	struct go_fixes fixes = {index, f, set};
	int err;

	if (index->go)
		return fix_go_table(index, f, set);
	err = elf_symbols_visit(names, ".symtab", fix_go_symbol, &fixes);
	return err == -ENOENT || err == -EBADMSG ? 0 : err;
}

/* Only programs name an interpreter or lie at fixed addresses. */
static bool is_program(struct elf_file *f)
{
	struct elf_section s;

	return elf_file_type(f) == ET_EXEC || !elf_file_section_header(f, ".interp", &s);
}

/*
 * The start-up code of musl, of ld.so and of programs without a libc has no FDE, or one that makes
 * argc look like a return address. If there is no FDE, any file's entry point is taken to be such
 * code.
 */
static int fix_entry(struct function_index *index, struct elf_file *f)
{
	u64 entry = elf_file_entry(f), end;
	const struct function_entry *covering = function_index_covering(index, entry);
	size_t next;

	if (!entry || !index->fdes || !elf_file_is_code(f, entry))
		return 0;
	if (covering) {
		if (!is_program(f))
			return 0;
		return function_index_fix(index, covering->fde.start, covering->fde.end,
					  UNWIND_RULE_STOP);
	}
	if (__builtin_add_overflow(entry, ENTRY_CODE_MAX, &end))
		return 0;
	next = function_index_lower_bound(index, entry);
	if (next < index->entries.len && index->entries.data[next].fde.start < end)
		end = index->entries.data[next].fde.start;
	return function_index_fix(index, entry, end, UNWIND_RULE_STOP);
}

/* ---- musl ------------------------------------------------------------------------------------ */

struct exits { /* functions that do not return; 0 if the file has none of that name */
	u64 of_process, of_thread;
};

static int find_exit(void *arg, const struct elf_symbol *symbol)
{
	struct exits *e = arg;

	if (symbol->type == STT_FUNC && !strcmp(symbol->name, "exit"))
		e->of_process = symbol->vaddr;
	if (symbol->type == STT_FUNC && !strcmp(symbol->name, "pthread_exit"))
		e->of_thread = symbol->vaddr;
	return 0;
}

/*
 * Matches exit(main(...)) and pthread_exit(start(arg)) at `at`, where a call has just returned: its
 * result becomes the argument of a function that never returns. Returns 0, or the length of these
 * instructions.
 */
static u32 passes_on(struct bytes code, size_t at, u64 vaddr, const struct exits *e)
{
	const struct bytes rest = {code.data + at, code.len - at};
	u64 target;
	u32 len = arch_passes_on_result(rest, vaddr + at, &target);

	if (!len || !target)
		return 0;
	return target == e->of_process || target == e->of_thread ? len : 0;
}

static int fix_exits_in(struct function_index *index, struct bytes code, u64 vaddr,
			const struct exits *e)
{
	int err = 0;

	for (size_t at = 1; !err && at < code.len; at++) {
		u32 len = passes_on(code, at, vaddr, e);

		/* Callers are looked up inside the call instruction. */
		if (len && !function_index_covering(index, vaddr + at))
			err = function_index_fix(index, vaddr + at - 1, vaddr + at + len,
						 UNWIND_RULE_STOP);
	}
	return err;
}

/*
 * In musl's libc.so, and in programs statically linked with it, the functions that begin the
 * process and its threads are compiled without FDEs and have no symbols. They are found by the last
 * function that they call.
 */
static int fix_exits(struct function_index *index, struct elf_file *f)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(f, &segments);
	struct exits e = {0};
	int err = 0;

	if (elf_symbols_visit(f, ".symtab", find_exit, &e) || !e.of_process)
		err = elf_symbols_visit(f, ".dynsym", find_exit, &e);
	if (err || !index->fdes || !e.of_process || function_index_covering(index, e.of_process))
		return 0;
	for (size_t i = 0; i < n && !err; i++) {
		struct bytes code;

		if (!elf_file_is_code(f, segments[i].vaddr))
			continue;
		code = elf_file_loaded(f, segments[i].vaddr, segments[i].filesz);
		if (!budget_take(elf_file_budget(f), BUDGET_UNWIND, 2 * code.len + 1))
			return -E2BIG;
		err = fix_exits_in(index, code, segments[i].vaddr, &e);
	}
	return err;
}

int stack_ends_fix(struct function_index *index, struct elf_file *f, struct elf_file *debug,
		   struct rule_set *set)
{
	size_t before;
	int err = fix_entry(index, f);

	if (!err)
		err = fix_exits(index, f);
	if (!err && elf_is_go(f)) {
		before = index->entries.len;
		err = fix_go_functions(index, f, f, set);
		if (!err && debug && index->entries.len == before)
			err = fix_go_functions(index, f, debug, set);
	}
	function_index_sort(index);
	return err;
}
