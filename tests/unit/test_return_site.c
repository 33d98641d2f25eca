/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where results are known. Allocation functions are run instruction by instruction, and each of
 * their returns must have been predicted together with its result. Then follow shapes of code that
 * have to be told apart.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/probe/return_site.h"
#include "elf/symbols.h"
#include "elf_fixture.h"
#include "target/allocator.h"
#include "unit.h"

#define KERNEL arch_probe_kernel(6, 18)
#define CALLS_MAX 64
#define LIB "/usr/lib/x86_64-linux-gnu/"

struct call { /* describes a call that has begun */
	u64 slot; /* where its return address is stored */
	u64 back; /* the return address itself */
	u64 known; /* its result, from the first site that knew it */
	bool foretold;
};

struct stepped {
	pid_t pid;
	struct elf_file *elf;
	struct code_file *code;
	struct return_sites sites;
	u64 base, function, mark; /* addresses */
	bool in_memory;
	char name[64];
	struct call calls[CALLS_MAX];
	u32 ncalls;
	u32 returned, thrown; /* number of calls */
};

/* ---- the traced program ---- */

static bool read_memory(pid_t pid, void *dst, size_t size, u64 addr)
{
	struct iovec local = {dst, size}, remote = {(void *)(uintptr_t)addr, size};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static struct user_regs_struct registers(const struct stepped *s)
{
	struct user_regs_struct regs;

	CHECK(!ptrace(PTRACE_GETREGS, s->pid, NULL, &regs));
	return regs;
}

static void resume(struct stepped *s, enum __ptrace_request how)
{
	int status;

	CHECK(!ptrace(how, s->pid, NULL, NULL));
	CHECK(waitpid(s->pid, &status, __WALL) == s->pid);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		unit_fail(__FILE__, __LINE__, "%s: wait status 0x%x", s->name, status);
}

static void start(struct stepped *s, const char *program, const char *preload, char **argv,
		  bool fails)
{
	const char *dir = getenv("TARGETS");
	char path[4096];
	int status;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "build/targets", program);
	if (access(path, X_OK))
		unit_skip("%s is not built (make targets)", path);
	if (preload && access(preload, R_OK))
		unit_skip("no %s here", preload);
	s->pid = fork();
	CHECK(s->pid >= 0);
	if (s->pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || setenv("LD_BIND_NOW", "1", 1) ||
		    (preload && setenv("LD_PRELOAD", preload, 1)) ||
		    (fails && setenv("RETURNS_FAIL", "1", 1)))
			_exit(126);
		execv(path, argv);
		_exit(127);
	}
	CHECK(waitpid(s->pid, &status, 0) == s->pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
		unit_skip("ptrace is not allowed here");
	CHECK(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, s->pid, NULL, PTRACE_O_EXITKILL);
}

/* ---- predicting ---- */

struct wanted {
	const char *name;
	u64 vaddr, size;
};

static int find_symbol(void *arg, const struct elf_symbol *symbol)
{
	struct wanted *w = arg;

	if (strcmp(symbol->name, w->name) != 0 &&
	    (strncmp(symbol->name, w->name, strlen(w->name)) != 0 ||
	     symbol->name[strlen(w->name)] != '@'))
		return 0;
	w->vaddr = symbol->vaddr;
	w->size = symbol->size;
	return 1;
}

static void analyse(struct elf_file *f, const char *name, struct code_file **code,
		    struct return_sites *sites)
{
	const struct code_request request = {.imports = true, .kernel = KERNEL};
	struct return_request of = {.in_memory = !strcmp(name, "posix_memalign")};
	struct wanted w = {.name = name};

	CHECK_INT(elf_symbols_visit(f, ".dynsym", find_symbol, &w), 1);
	CHECK_INT(code_file_new(f, &request, code), 0);
	of.vaddr = w.vaddr;
	of.size = w.size;
	CHECK_INT(return_sites_find(*code, &of, sites), 0);
}

static void release(struct stepped *s)
{
	return_sites_release(&s->sites);
	code_file_free(s->code);
	elf_file_free(s->elf);
	s->code = NULL;
	s->elf = NULL;
}

/* Goes to the next function at an int3; false if there is none. */
static bool next_function(struct stepped *s, const char *name)
{
	struct user_regs_struct regs = registers(s);
	char path[512] = "";

	release(s);
	s->ncalls = 0;
	if (!regs.rax)
		return false;
	CHECK(read_memory(s->pid, path, 128, regs.rcx));
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->function = regs.rax;
	s->mark = regs.rip - 1;
	s->base = regs.rbx;
	s->in_memory = !strcmp(name, "posix_memalign");
	if (!strchr(path, '/'))
		snprintf(path, sizeof(path), "/proc/%d/exe", (int)s->pid);
	s->elf = elf_fixture_open(path);
	analyse(s->elf, name, &s->code, &s->sites);
	if (s->sites.answer != RETURN_SEEN)
		unit_fail(__FILE__, __LINE__, "%s of %s: %s at %#llx", name, path, s->sites.why,
			  (unsigned long long)s->sites.where);
	return true;
}

static u64 by_dwarf(const struct user_regs_struct *r, u8 number)
{
	const u64 values[] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp,
			      r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

	CHECK(number < 16);
	return values[number];
}

static void foretell(struct stepped *s, const struct return_site *site,
		     const struct user_regs_struct *regs, bool jumped)
{
	u8 number = jumped ? site->taken : site->passed;

	for (u32 i = s->ncalls; i--;) {
		struct call *c = &s->calls[i];

		if (c->slot != regs->rsp + site->stack_bytes || c->foretold ||
		    number == RETURN_REG_NONE)
			continue;
		c->foretold = true;
		c->known = by_dwarf(regs, number);
		return;
	}
}

/*
 * After stepping over a jcc it is known whether it jumped. Returns false if there is no site here.
 */
static bool step_at_site(struct stepped *s, const struct user_regs_struct *regs)
{
	bool stepped = false, jumped = false;

	vec_for_each(&s->sites.sites, site) {
		if (s->base + site->vaddr != regs->rip)
			continue;
		if (!stepped)
			resume(s, PTRACE_SINGLESTEP);
		if (!stepped)
			jumped = registers(s).rip - regs->rip > 15;
		stepped = true;
		foretell(s, site, regs, jumped);
	}
	return stepped;
}

static void check_returned(struct stepped *s, const struct call *c, u64 result)
{
	s->returned++;
	if (s->in_memory ? (u32)result != 0 : !result)
		return; /* it failed, so it need not be predicted */
	if (!c->foretold)
		unit_fail(__FILE__, __LINE__, "%s: call %u returned unseen", s->name, s->returned);
	if (!s->in_memory && c->known != result)
		unit_fail(__FILE__, __LINE__, "%s: call %u returned %#llx, foretold %#llx", s->name,
			  s->returned, (unsigned long long)result, (unsigned long long)c->known);
}

static void end_calls(struct stepped *s, const struct user_regs_struct *regs)
{
	while (s->ncalls && s->calls[s->ncalls - 1].slot < regs->rsp) {
		const struct call *c = &s->calls[--s->ncalls];

		if (regs->rip == c->back && regs->rsp == c->slot + 8)
			check_returned(s, c, regs->rax);
		else
			s->thrown++;
	}
}

static void begin_call(struct stepped *s, const struct user_regs_struct *regs)
{
	struct call *c = &s->calls[s->ncalls++];

	CHECK(s->ncalls < CALLS_MAX);
	*c = (struct call){.slot = regs->rsp};
	CHECK(read_memory(s->pid, &c->back, sizeof(c->back), c->slot));
}

/* Steps to the end of its calls, and on to the next function. */
static void step_through_calls(struct stepped *s)
{
	for (;;) {
		struct user_regs_struct regs = registers(s);
		end_calls(s, &regs);
		if (regs.rip == s->function)
			begin_call(s, &regs);
		if (regs.rip == s->mark)
			break;
		if (!step_at_site(s, &regs))
			resume(s, PTRACE_SINGLESTEP);
	}
	resume(s, PTRACE_CONT); /* over the int3 */
	resume(s, PTRACE_CONT);
}

static void check_program(const char *program, const char *preload, const char *const names[],
			  bool fails)
{
	struct stepped s = {0};
	char *argv[32] = {(char *)program};
	int n = 0;

	while (names[n]) {
		argv[n + 1] = (char *)names[n];
		n++;
	}
	start(&s, program, preload, argv, fails);
	resume(&s, PTRACE_CONT);
	for (int i = 0; i < n; i++) {
		u32 before = s.returned;

		CHECK(next_function(&s, names[i]));
		step_through_calls(&s);
		if (s.returned - before < 12)
			unit_fail(__FILE__, __LINE__, "%s: only %u calls returned", names[i],
				  s.returned - before);
	}
	CHECK(!next_function(&s, ""));
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
}

/* The others jump to these, or are the same functions under another name. */
static const char *const all[] = {"_Znwm",
				  "_ZnwmRKSt9nothrow_t",
				  "_ZnwmSt11align_val_t",
				  "_ZnwmSt11align_val_tRKSt9nothrow_t",
				  "posix_memalign",
				  NULL};
static const char *const shapes[] = {
	"shape_bump",   "shape_frame", "shape_switch", "shape_aligned", "shape_recursive",
	"shape_zeroed", NULL};

TEST(return_site, foretells_shapes)
{
	check_program("returns", NULL, shapes, true);
}

TEST(return_site, foretells_shapes_without_optimization)
{
	check_program("returns-O0", NULL, shapes, true);
}

TEST(return_site, foretells_shapes_by_clang)
{
	check_program("returns-clang", NULL, shapes, true);
}

TEST(return_site, foretells_shapes_with_frame_pointers_and_canaries)
{
	check_program("returns-fp", NULL, shapes, true);
}

TEST(return_site, foretells_tcmalloc)
{
	check_program("returns", LIB "libtcmalloc_minimal.so.4", all, true);
}

TEST(return_site, foretells_jemalloc)
{
	check_program("returns", LIB "libjemalloc.so.2", all, true);
}

TEST(return_site, foretells_mimalloc)
{
	/* It is written in C, so its operator new aborts where it would have to throw. */
	check_program("returns", LIB "libmimalloc.so.2", all, false);
}

TEST(return_site, foretells_glibc)
{
	/* calloc ends in a jump to memset, and the file has one memset for each kind of
	 * processor. */
	static const char *const names[] = {
		"malloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "calloc", NULL};

	check_program("returns", NULL, names, false);
}

/* ---- shapes that have to be told apart ---- */

#define FUNCTION(name, body)                                                                      \
	__asm__(".pushsection .text\n.type " name ", @function\n" name ":\n.cfi_startproc\n" body \
		".cfi_endproc\n.size " name ", . - " name "\n.popsection\n")

FUNCTION("rs_branch", "	mov (%rdi), %r8\n"
		      "	test %r8, %r8\n"
		      "	je 1f\n"
		      "	mov %r8, %rax\n"
		      "	ret\n"
		      "1:	xor %eax, %eax\n"
		      "	ret\n");
FUNCTION("rs_both_ways", "	mov %rdi, %rax\n"
			 "	push %r12\n"
			 "	lea 8(%rdi), %r12\n"
			 "	cmp %rsi, %rdi\n"
			 "	jb 1f\n"
			 "	pop %r12\n"
			 "	ret\n"
			 "1:	mov %r12, %rax\n"
			 "	pop %r12\n"
			 "	ret\n");
FUNCTION("rs_call", "	push %rbx\n"
		    "	mov (%rdi), %rbx\n"
		    "	call rs_branch\n"
		    "	mov %rbx, %rax\n"
		    "	pop %rbx\n"
		    "	ret\n");
FUNCTION("rs_bump", "	mov %rdi, %rax\n"
		    "	add $8, %rax\n"
		    "	ret\n");
FUNCTION("rs_switches", "	mov %rsp, (%rdi)\n"
			"	mov %rsi, %rsp\n"
			"	mov %rdx, %rax\n"
			"	ret\n");
FUNCTION("rs_indirect", "	mov (%rdi), %rax\n"
			"	jmp *%rax\n");
FUNCTION("rs_asks_branch", "	push %rbx\n"
			   "	mov %rdi, %rbx\n"
			   "1:	mov %rbx, %rdi\n"
			   "	call rs_branch\n"
			   "	test %rax, %rax\n"
			   "	je 1b\n"
			   "	pop %rbx\n"
			   "	ret\n");
FUNCTION("rs_becomes_branch", "	add $16, %rdi\n"
			      "	jmp rs_branch\n");
FUNCTION("rs_falls_off", "	mov %rdi, %rax\n"
			 "	add $8, %rax\n");

struct shape {
	struct elf_file *elf;
	struct code_file *code;
	struct return_sites sites;
	struct wanted at;
};

/* Finds the sites of a function above; the graph stops at `stopper`. */
static struct shape shape_of(const char *name, const char *stopper, u32 kernel, bool in_memory)
{
	struct wanted stop = {.name = stopper};
	struct code_request request = {.stoppers = &stop.vaddr, .kernel = kernel};
	struct shape shape = {.elf = elf_fixture_open("/proc/self/exe"), .at.name = name};
	struct return_request of = {.in_memory = in_memory};

	CHECK_INT(elf_symbols_visit(shape.elf, ".symtab", find_symbol, &shape.at), 1);
	if (stopper) {
		CHECK_INT(elf_symbols_visit(shape.elf, ".symtab", find_symbol, &stop), 1);
		request.nstoppers = 1;
	}
	CHECK_INT(code_file_new(shape.elf, &request, &shape.code), 0);
	of.vaddr = shape.at.vaddr;
	of.size = shape.at.size;
	CHECK_INT(return_sites_find(shape.code, &of, &shape.sites), 0);
	return shape;
}

static void shape_release(struct shape *shape)
{
	return_sites_release(&shape->sites);
	code_file_free(shape->code);
	elf_file_free(shape->elf);
}

/* Expects one site, at `offset` of the function. */
static const struct return_site *only_site(const struct shape *shape, u64 offset)
{
	CHECK_INT(shape->sites.answer, RETURN_SEEN);
	CHECK_INT(shape->sites.sites.len, 1);
	CHECK_INT(shape->sites.sites.data[0].vaddr - shape->at.vaddr, offset);
	return &shape->sites.sites.data[0];
}

TEST(return_site, knows_the_result_at_the_last_branch)
{
	struct shape shape = shape_of("rs_branch", NULL, KERNEL, false);
	const struct return_site *site = only_site(&shape, 6);

	CHECK_INT(site->condition, 4);
	CHECK_INT(site->passed, 8);
	CHECK_INT(site->taken, RETURN_REG_NONE); /* NULL */
	CHECK_INT(site->cost, PROBE_COST_EMULATED);
	CHECK(!strncmp(site->text, "jz 0x", 5));
	CHECK(shape.sites.closed);
	CHECK(!shape.sites.stepped);
	shape_release(&shape);
}

TEST(return_site, knows_two_results_at_one_branch)
{
	struct shape shape = shape_of("rs_both_ways", NULL, KERNEL, false);
	const struct return_site *site = only_site(&shape, 12);

	CHECK_INT(site->condition, 2);
	CHECK_INT(site->passed, 0);
	CHECK_INT(site->taken, 12);
	CHECK_INT(site->stack_bytes, 8);
	shape_release(&shape);
}

TEST(return_site, knows_the_result_at_a_call_that_keeps_it)
{
	struct shape shape = shape_of("rs_call", NULL, KERNEL, false);
	const struct return_site *site = only_site(&shape, 4);

	CHECK_INT(site->passed, 3);
	CHECK_INT(site->taken, 3);
	CHECK_INT(site->stack_bytes, 8);
	CHECK(!shape.sites.closed);
	shape_release(&shape);

	/* If the kernel must not emulate calls, only the return itself is left. */
	shape = shape_of("rs_call", NULL, 0, false);
	CHECK_INT(only_site(&shape, 13)->cost, PROBE_COST_STEPPED);
	CHECK(shape.sites.stepped);
	shape_release(&shape);
}

TEST(return_site, steps_over_returns_where_nothing_else_is_left)
{
	struct shape shape = shape_of("rs_bump", NULL, KERNEL, false);

	CHECK_INT(only_site(&shape, 7)->passed, 0);
	CHECK(shape.sites.stepped);
	CHECK(shape.sites.closed);
	shape_release(&shape);

	/* What is stored through a pointer is only known at the end. */
	shape = shape_of("rs_branch", NULL, KERNEL, true);
	CHECK_INT(shape.sites.sites.len, 2);
	CHECK(shape.sites.stepped);
	shape_release(&shape);
}

TEST(return_site, sees_that_a_stack_is_switched)
{
	struct shape shape = shape_of("rs_switches", NULL, KERNEL, false);

	CHECK(!shape.sites.closed);
	shape_release(&shape);
}

TEST(return_site, says_what_it_cannot_follow)
{
	struct shape shape = shape_of("rs_indirect", NULL, KERNEL, false);

	CHECK_INT(shape.sites.answer, RETURN_UNSEEN);
	CHECK_STR(shape.sites.why, "a jump to where it is not known");
	CHECK_INT(shape.sites.where - shape.at.vaddr, 3);
	CHECK(!shape.sites.closed);
	shape_release(&shape);
	shape = shape_of("rs_falls_off", NULL, KERNEL, false);
	CHECK_INT(shape.sites.answer, RETURN_UNSEEN);
	shape_release(&shape);
}

TEST(return_site, stays_within_the_files_budget)
{
	struct shape shape = shape_of("rs_branch", NULL, KERNEL, false);
	const struct return_request of = {.vaddr = shape.at.vaddr, .size = shape.at.size};

	return_sites_release(&shape.sites);
	budget_limit(elf_file_budget(shape.elf), 1000, 1 << 20);
	CHECK_INT(return_sites_find(shape.code, &of, &shape.sites), 0);
	CHECK_INT(shape.sites.answer, RETURN_UNSEEN);
	CHECK_STR(shape.sites.why, "too much code");
	CHECK(!shape.sites.closed);
	CHECK_INT(budget_lost(elf_file_budget(shape.elf), BUDGET_CODE), BUDGET_STEPS);
	shape_release(&shape);
}

TEST(return_site, leaves_it_to_the_function_that_answers)
{
	struct shape shape = shape_of("rs_asks_branch", "rs_branch", KERNEL, false);

	CHECK(shape.sites.delegated);
	CHECK_INT(only_site(&shape, 15)->passed, 0);
	shape_release(&shape);
	shape = shape_of("rs_becomes_branch", "rs_branch", KERNEL, false);
	CHECK(shape.sites.delegated);
	CHECK_INT(shape.sites.answer, RETURN_SEEN);
	CHECK_INT(shape.sites.sites.len, 0);
	shape_release(&shape);
	/* Otherwise it is followed to that place. */
	shape = shape_of("rs_becomes_branch", NULL, KERNEL, false);
	CHECK(!shape.sites.delegated);
	CHECK_INT(shape.sites.sites.len, 1);
	shape_release(&shape);
}
