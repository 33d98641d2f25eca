/* SPDX-License-Identifier: Apache-2.0 */
/* Steps through a program and compares stacks: see stepper.h. */
#include "stepper.h"

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

#include "base/vec.h"
#include "collect/perf/perf_modules.h"
#include "unit.h"
#include "unwind/walk.h"

#define CALL_BYTES_MAX 15
#define COPY_BYTES 8192
#define RED_ZONE 128
#define PLACES_MAX 64

struct shadow { /* describes a caller that must be on the stack */
	u64 at; /* address of its return address (or, if exact, of its saved registers) */
	u64 pc;
	bool exact;
};

struct stepper {
	pid_t pid;
	struct perf_modules *modules;
	struct address_space space;
	VEC(struct shadow) shadows;
	struct stack_walk walk;
	u64 base[STACK_MAX_FRAMES];
	u32 nbase;
	u64 want[STACK_MAX_FRAMES];
	u32 nwant;
	u64 places[PLACES_MAX];
	u8 copy[COPY_BYTES]; /* a copy of the stack from copy_at on */
	u64 copy_at, copy_len;
	struct step_report *report;
};

/* ---- the traced program ---------------------------------------------------------------------- */

static bool read_memory(pid_t pid, void *dst, size_t size, u64 addr)
{
	struct iovec local = {dst, size}, remote = {(void *)(uintptr_t)addr, size};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static void start(struct stepper *s, char *const argv[], bool lazy)
{
	const char *dir = getenv("TARGETS");
	char path[4096];
	int status;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "build/targets", argv[0]);
	if (access(path, X_OK))
		unit_skip("%s is not built (make targets)", path);
	s->pid = fork();
	CHECK(s->pid >= 0);
	if (s->pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || setenv("LD_BIND_NOW", "1", 1) ||
		    (lazy && unsetenv("LD_BIND_NOW")))
			_exit(126);
		execv(path, argv);
		_exit(127);
	}
	CHECK(waitpid(s->pid, &status, 0) == s->pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
		unit_skip("ptrace is not allowed here");
	CHECK(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, s->pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE);
	CHECK(!perf_modules_new(NULL, NULL, &s->modules));
}

static void finish(struct stepper *s)
{
	kill(s->pid, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	address_space_release(&s->space);
	perf_modules_free(s->modules);
	vec_release(&s->shadows);
	free(s);
}

static struct user_regs_struct registers(const struct stepper *s)
{
	struct user_regs_struct regs;

	CHECK(!ptrace(PTRACE_GETREGS, s->pid, NULL, &regs));
	return regs;
}

/* Lets it run to the next stop and returns the wait status of that stop. */
static int resume(struct stepper *s, enum __ptrace_request how, int signal)
{
	int status;

	CHECK(!ptrace(how, s->pid, NULL, (void *)(uintptr_t)signal));
	CHECK(waitpid(s->pid, &status, __WALL) == s->pid);
	if (!WIFSTOPPED(status))
		unit_fail(__FILE__, __LINE__, "the program ended, wait status 0x%x", status);
	return status;
}

static void run_to_mark(struct stepper *s)
{
	CHECK_INT(WSTOPSIG(resume(s, PTRACE_CONT, 0)), SIGTRAP);
}

/* ---- walking --------------------------------------------------------------------------------- */

static void read_maps(struct stepper *s)
{
	map_vec maps = {0};

	CHECK(!maps_read(s->pid, &maps));
	vec_for_each(&maps, e) {
		struct space_map map;

		if (!e->executable)
			continue;
		map = perf_modules_map(s->modules, s->pid, e);
		CHECK(!address_space_add(&s->space, &map));
	}
	module_set_wait(perf_modules_set(s->modules));
	maps_release(&maps);
}

static bool find_module(void *arg, u64 pc, u32 *module, u64 *off)
{
	struct stepper *s = arg;
	const struct space_map *map = address_space_find(&s->space, pc);

	if (!map)
		return false;
	*module = map->module;
	*off = pc + map->shift;
	return true;
}

static const struct rows *rows_of(void *arg, u32 module)
{
	return perf_modules_rows(((struct stepper *)arg)->modules, module);
}

static bool read_target(void *arg, void *dst, u32 size, u64 addr)
{
	struct stepper *s = arg;
	u64 at = addr - s->copy_at;

	if (addr >= s->copy_at && at + size <= s->copy_len) {
		memcpy(dst, s->copy + at, size);
		return true;
	}
	return read_memory(s->pid, dst, size, addr);
}

/* The copy begins at the red zone and ends where the stack's mapping ends. */
static void copy_stack(struct stepper *s, u64 sp)
{
	struct iovec local = {s->copy, sizeof(s->copy)};
	struct iovec remote = {(void *)(uintptr_t)(sp - RED_ZONE), sizeof(s->copy)};
	ssize_t got;

	s->copy_at = sp - RED_ZONE;
	got = process_vm_readv(s->pid, &local, 1, &remote, 1, 0);
	s->copy_len = got < 0 ? 0 : (u64)got;
}

static void set_registers(struct stack_walk *st, const struct user_regs_struct *r)
{
	const u64 dwarf[16] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp,
			       r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

	memcpy(st->regs.by_dwarf, dwarf, sizeof(dwarf));
	st->regs.pc = r->rip;
	st->regs.sp = r->rsp;
	st->regs.fp = r->rbp;
	st->regs.callee = r->rbx;
	st->regs.known = st->regs.callee_known = 1;
	st->regs.exact = 1;
}

/* If `copied`, only the upper part of the stack is available, as in perf mode; else all of it, as
 * in the kernel. */
static void walk(struct stepper *s, const struct user_regs_struct *regs, bool copied)
{
	const struct walk_env env = {
		.find_module = find_module,
		.rows = rows_of,
		.read = copied ? NULL : read_target,
		.arg = s,
		.rules = module_set_rules(perf_modules_set(s->modules)),
		.nrules = UNWIND_MAX_RULES,
	};
	struct walk_copy copy = {.copy = {s->copy + RED_ZONE, 0}, .sp = regs->rsp};

	if (copied && s->copy_len > RED_ZONE)
		copy.copy.len = s->copy_len - RED_ZONE;
	walk_reset(&s->walk);
	set_registers(&s->walk, regs);
	walk_stack(&s->walk, &env, &copy);
}

/* ---- what the stack should be ---------------------------------------------------------------- */

static u64 frame_at(struct stepper *s, u64 pc)
{
	u32 module = MODULE_NONE;
	u64 off = 0;

	if (!find_module(s, pc, &module, &off)) {
		read_maps(s);
		CHECK(find_module(s, pc, &module, &off));
	}
	return FRAME(module, off);
}

static void expect(struct stepper *s, u64 pc)
{
	s->want[0] = frame_at(s, pc);
	s->nwant = 1;
	for (size_t i = s->shadows.len; i-- > 0;) {
		const struct shadow *c = &s->shadows.data[i];

		s->want[s->nwant++] = frame_at(s, c->exact ? c->pc : c->pc - 1);
	}
	for (u32 i = 0; i < s->nbase; i++)
		s->want[s->nwant++] = s->base[i];
}

static size_t print_frames(char *out, size_t size, const u64 *frames, u32 n)
{
	size_t used = 0;

	for (u32 i = 0; i < n && i < 16 && used + 40 < size; i++)
		used += (size_t)snprintf(out + used, size - used, " %u:%llx",
					 FRAME_MODULE(frames[i]),
					 (unsigned long long)FRAME_OFF(frames[i]));
	return used;
}

static void describe(struct stepper *s, const char *how)
{
	struct step_report *r = s->report;
	struct module *m = module_set_get(perf_modules_set(s->modules), FRAME_MODULE(s->want[0]));
	size_t used = (size_t)snprintf(r->first, sizeof(r->first),
				       "in %s+0x%llx (%s), end %u:", m ? m->path : "?",
				       (unsigned long long)FRAME_OFF(s->want[0]), how, s->walk.end);

	used += print_frames(r->first + used, sizeof(r->first) / 2, s->walk.frames,
			     s->walk.nframes);
	used += (size_t)snprintf(r->first + used, sizeof(r->first) - used, "\n# want:");
	print_frames(r->first + used, sizeof(r->first) - used, s->want, s->nwant);
}

static bool new_place(struct stepper *s)
{
	for (u64 i = 0; i < s->report->wrong_places; i++) {
		if (s->places[i] == s->want[0])
			return false;
	}
	if (s->report->wrong_places == PLACES_MAX)
		return false;
	s->places[s->report->wrong_places] = s->want[0];
	return true;
}

static bool walk_is_right(struct stepper *s, const struct user_regs_struct *regs, bool copied)
{
	walk(s, regs, copied);
	return s->walk.end == STACK_WHOLE && s->walk.nframes == s->nwant &&
	       !memcmp(s->walk.frames, s->want, s->nwant * sizeof(s->want[0]));
}

static void compare(struct stepper *s, const struct user_regs_struct *regs)
{
	struct step_report *r = s->report;
	bool copied = false, right;

	copy_stack(s, regs->rsp);
	expect(s, regs->rip);
	right = walk_is_right(s, regs, false);
	/* Some programs have more stack than the copy holds, or run on another one. */
	if (right && s->walk.regs.sp - s->copy_at <= s->copy_len) {
		copied = true;
		right = walk_is_right(s, regs, true);
	}
	r->steps++;
	if (s->nwant > r->deepest)
		r->deepest = s->nwant;
	if (right)
		return;
	if (!r->wrong++)
		describe(s, copied ? "copied stack" : "live stack");
	if (new_place(s))
		r->wrong_places++;
}

static void push(struct stepper *s, u64 at, u64 pc, bool exact)
{
	struct shadow c = {at, pc, exact};

	CHECK(!vec_push(&s->shadows, c));
}

/* Updates the expected stack after one instruction, from `a` to `b`. */
static void follow(struct stepper *s, const struct user_regs_struct *a,
		   const struct user_regs_struct *b)
{
	u64 ra;

	if (b->rsp == a->rsp - 8 && read_memory(s->pid, &ra, sizeof(ra), b->rsp) && ra > a->rip &&
	    ra - a->rip <= CALL_BYTES_MAX)
		push(s, b->rsp, ra, false);
	while (s->shadows.len && s->shadows.data[s->shadows.len - 1].at < b->rsp)
		s->shadows.len--;
}

/* An ignored signal creates no frame; the smallest frame holds a ucontext and the FPU's state. */
static bool handler_entered(const struct user_regs_struct *a, const struct user_regs_struct *b)
{
	return b->rsp > a->rsp || a->rsp - b->rsp > 800;
}

/* The kernel has created a signal frame below what it interrupted at `a`. */
static void enter_handler(struct stepper *s, const struct user_regs_struct *a,
			  const struct user_regs_struct *b)
{
	u64 restorer;

	CHECK(read_memory(s->pid, &restorer, sizeof(restorer), b->rsp));
	push(s, b->rsp + 8, a->rip, true);
	push(s, b->rsp, restorer, false);
}

static bool at_mark(const struct stepper *s, const struct user_regs_struct *regs)
{
	u8 byte = 0;

	return read_memory(s->pid, &byte, 1, regs->rip) && byte == 0xcc;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Handles a new thread: if `to_child`, stepping continues in it; otherwise it is detached. */
static bool handle_clone(struct stepper *s, int status, bool to_child)
{
	unsigned long tid;

	if (status >> 8 != (SIGTRAP | PTRACE_EVENT_CLONE << 8))
		return false;
	CHECK(!ptrace(PTRACE_GETEVENTMSG, s->pid, NULL, &tid));
	CHECK(waitpid((pid_t)tid, &status, __WALL) == (pid_t)tid);
	if (!to_child) {
		ptrace(PTRACE_DETACH, (pid_t)tid, NULL, NULL);
		return true;
	}
	ptrace(PTRACE_DETACH, s->pid, NULL, NULL);
	s->pid = (pid_t)tid;
	s->shadows.len = 0;
	s->nbase = 0;
	return true;
}

static void step_loop(struct stepper *s, const struct step_plan *plan)
{
	struct user_regs_struct before = registers(s), after;
	bool comparing = plan->from != STEP_FROM_CLONE;
	u64 stepped = 0;
	int signal = 0;

	while (!plan->max_steps || s->report->steps < plan->max_steps) {
		int status = resume(s, PTRACE_SINGLESTEP, signal), stop = WSTOPSIG(status);

		if (handle_clone(s, status, plan->from == STEP_FROM_CLONE)) {
			comparing = true;
			before = registers(s);
			signal = 0;
			continue;
		}
		after = registers(s);
		if (stop != SIGTRAP) { /* about to be delivered */
			signal = stop;
			continue;
		}
		if (signal && handler_entered(&before, &after))
			enter_handler(s, &before, &after);
		else
			follow(s, &before, &after);
		signal = 0;
		if (at_mark(s, &after))
			return;
		if (comparing && (!plan->every || stepped++ % plan->every == 0))
			compare(s, &after);
		before = after;
	}
}

static struct stepper *begin(char *const argv[], bool lazy)
{
	struct stepper *s = calloc(1, sizeof(*s));

	CHECK(s);
	start(s, argv, lazy);
	return s;
}

void step_through(char *const argv[], const struct step_plan *plan, struct step_report *out)
{
	struct stepper *s = begin(argv, plan->lazy);
	struct user_regs_struct regs;

	memset(out, 0, sizeof(*out));
	s->report = out;
	if (plan->from != STEP_FROM_EXEC) {
		run_to_mark(s);
		read_maps(s);
		regs = registers(s);
		copy_stack(s, regs.rsp);
		walk(s, &regs, false);
		CHECK_INT(s->walk.end, STACK_WHOLE);
		CHECK(s->walk.nframes >= 3); /* main, and what called it */
		s->nbase = s->walk.nframes - 1;
		memcpy(s->base, s->walk.frames + 1, s->nbase * sizeof(s->base[0]));
	} else {
		read_maps(s);
	}
	step_loop(s, plan);
	finish(s);
}

void step_snapshot(char *const argv[], struct stack_walk *out)
{
	struct stepper *s = begin(argv, false);
	struct user_regs_struct regs;

	run_to_mark(s);
	read_maps(s);
	regs = registers(s);
	copy_stack(s, regs.rsp);
	walk(s, &regs, false);
	*out = s->walk;
	finish(s);
}
