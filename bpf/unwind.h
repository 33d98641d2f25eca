/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The stack walker: from registers to frames, by the rows that shared.h describes.
 *
 * It is compiled twice: into every BPF program that wants a stack, and into user space (for perf mode
 * and for the replay tests), so that what is tested is what runs in the kernel. The includer provides
 * eight functions before including it:
 *
 *   bool env_read_user(void *dst, u32 size, u64 addr)       the target's memory; false when unreadable
 *   bool env_find_module(struct stack_walk *st, u64 pc, u32 *module, u64 *off)
 *                                                           which mapping holds pc; false: none
 *   const struct unwind_page *env_table_page(u32 page)      a page of the table pool; NULL: no such page
 *   const struct unwind_rule *env_rule(u32 number)
 *   const struct module_table *env_module_table(u32 module)
 *   struct rule_memo *env_memo(u64 frame)                   a slot of a cache for this frame, or NULL
 *   u64 env_thread_pointer(void)                            the thread's fs base; 0: unknown
 *   u64 env_hidden_return(u64 slot, bool left)              the return address that a return probe replaced
 *                                                           in this slot; `left`: the kernel may have taken
 *                                                           its note of it off already; 0: unknown
 *
 * For the verifier each step is a function of its own that is checked once (a global function), and
 * every index is masked where it is used.
 */
#ifndef CPROF_BPF_UNWIND_H
#define CPROF_BPF_UNWIND_H

#define USER_ADDRESS_MIN 0x1000ull
#define USER_ADDRESS_MAX 0x00ffffffffffffffull

#define TRAMPOLINE_BYTES 128u /* UPROBE_XOL_SLOT_BYTES of arch/x86/include/asm/uprobes.h */

/* x86-64 psABI numbers (figure 3.36) */
#define DWARF_RBX 3
#define DWARF_RBP 6
#define DWARF_RSP 7

/* Offsets in the kernel's rt_sigframe as it lies at rsp inside the restorer: ucontext, sigcontext. */
#define SIGFRAME_REGISTERS 40
enum sigcontext_slot { /* arch/x86/include/uapi/asm/sigcontext.h: struct sigcontext_64 */
		       SC_R8,
		       SC_R9,
		       SC_R10,
		       SC_R11,
		       SC_R12,
		       SC_R13,
		       SC_R14,
		       SC_R15,
		       SC_RDI,
		       SC_RSI,
		       SC_RBP,
		       SC_RBX,
		       SC_RDX,
		       SC_RAX,
		       SC_RCX,
		       SC_RSP,
		       SC_RIP,
};

static __always_inline u64 hash_frame(u64 hash, u64 frame)
{
	hash ^= frame * 0x9e3779b97f4a7c15ull;
	hash = (hash << 29) | (hash >> 35);
	return hash * 0xbf58476d1ce4e5b9ull;
}

static __always_inline void push_frame(struct stack_walk *st, u64 frame)
{
	u32 at = st->nframes;

	if (at >= STACK_MAX_FRAMES)
		return;
	st->frames[at] = frame;
	st->hash = hash_frame(st->hash, frame);
	st->nframes = at + 1;
}

/*
 * The number under which a stack is known. Addresses of JIT code mean something in one process only, so equal ones of
 * two processes are different stacks: also where the number alone names a stack, as that of a waker.
 */
static __always_inline u64 stack_number(const struct stack_walk *st, struct global_pid tgid)
{
	return st->has_anon ? hash_frame(st->hash, tgid.nr) : st->hash;
}

/*
 * The rule for an offset inside one directory block; see shared.h for the layout.
 *
 * For the verifier: `found` starts as a zero that it does not know and is masked in every round, and
 * the rounds are unrolled. Otherwise it tells apart every path through the search (a million
 * instructions on 6.18).
 */
static __always_inline u32 rule_in_block(const struct module_table *mt,
					 const struct unwind_block *b, u64 off)
{
	u32 first = b->first_row & (UNWIND_PAGE_WORDS - 1), n = b->nrows;
	u32 needle = UNWIND_ROW(off, 0xffff), found = mt->zero;
	const struct unwind_page *page;

	if (!n)
		return b->rule;
	page = env_table_page(mt->word_page + b->first_row / UNWIND_PAGE_WORDS);
	if (!page)
		return UNWIND_RULE_NONE;
		/* found: how many of the n rows begin at or before off. */
#pragma unroll
	for (u32 step = UNWIND_PAGE_WORDS / 2; step; step >>= 1) {
		u32 probe = (found + step) & (UNWIND_PAGE_WORDS - 1);

		if (probe <= n &&
		    page->words[(first + probe - 1) & (UNWIND_PAGE_WORDS - 1)] <= needle)
			found = probe;
	}
	return found ? UNWIND_ROW_RULE(page->words[(first + found - 1) & (UNWIND_PAGE_WORDS - 1)])
		     : b->rule;
}

static __always_inline u32 find_rule(u32 module, u64 off)
{
	const struct module_table *mt = env_module_table(module);
	const struct unwind_page *page;
	u64 block;

	if (!mt || !mt->has_table || off < mt->base_off)
		return UNWIND_RULE_NONE;
	block = (off - mt->base_off) >> UNWIND_BLOCK_SHIFT;
	if (block >= mt->nblocks)
		return UNWIND_RULE_NONE;
	page = env_table_page(mt->block_page + (u32)(block / UNWIND_PAGE_BLOCKS));
	if (!page)
		return UNWIND_RULE_NONE;
	return rule_in_block(mt, &page->blocks[block & (UNWIND_PAGE_BLOCKS - 1)], off);
}

static __always_inline bool user_address(u64 addr)
{
	return addr >= USER_ADDRESS_MIN && addr <= USER_ADDRESS_MAX;
}

/* Ends the walk: returns 1, for `return end_stack(...)` in a step. */
static __always_inline int end_stack(struct stack_walk *st, enum stack_end end)
{
	st->end = end;
	return 1;
}

/*
 * Words of the stack, through a window: frames lie close together, and one read of 256 bytes costs what
 * two reads of 16 do (36 ns each on a VM, where a stack of 30 frames spent 1.1 of 2.5 us reading).
 */
static __always_inline bool read_words(struct stack_walk *st, u64 *out, u32 n, u64 addr)
{
	u64 at = (addr - st->window_at) / sizeof(u64);

	if ((addr & 7) || addr < USER_ADDRESS_MIN)
		return env_read_user(out, n * sizeof(u64), addr);
	if (addr < st->window_at || at > STACK_WINDOW - n) {
		/* Near the end of the stack's mapping the window does not fit. */
		if (!env_read_user(st->window, sizeof(st->window), addr)) {
			st->window_at = ~0ull;
			return env_read_user(out, n * sizeof(u64), addr);
		}
		st->window_at = addr;
		at = 0;
	}
	/* The compiler would drop the masks, which it can prove; the verifier cannot. */
	__asm__ volatile("" : "+r"(at));
	out[0] = st->window[at & (STACK_WINDOW - 1)];
	if (n == 2)
		out[1] = st->window[(at + 1) & (STACK_WINDOW - 1)];
	return true;
}

/* Goes on in the caller, wherever its stack lies. */
static __always_inline int resume_caller(struct stack_walk *st, u64 ra, u64 sp)
{
	st->regs.pc = ra;
	st->regs.sp = sp;
	st->regs.exact = 0;
	st->regs.known = 0;
	return 0;
}

/* Goes on in the caller. A zero return address is how start-up code and clone mark the bottom. */
static __always_inline int enter_caller(struct stack_walk *st, u64 ra, u64 sp)
{
	if (ra == 0)
		return end_stack(st, STACK_WHOLE);
	/* A leaf may have popped its return address into a register (vfork): its CFA is its rsp. */
	if (sp <= st->regs.sp && !(st->regs.known && sp == st->regs.sp))
		return end_stack(st, STACK_NO_PROGRESS);
	return resume_caller(st, ra, sp);
}

/* psABI 3.2.2: *rbp is the caller's rbp, the return address lies above it; 0 marks the bottom frame. */
static __always_inline int step_frame_pointer(struct stack_walk *st)
{
	u64 pair[2], bp = st->regs.fp;

	if (bp == 0)
		return end_stack(st, STACK_WHOLE);
	if (bp < st->regs.sp || (bp & 7))
		return end_stack(st, STACK_NO_PROGRESS);
	if (!read_words(st, pair, 2, bp))
		return end_stack(st, STACK_UNREADABLE);
	st->regs.fp = pair[0];
	return enter_caller(st, pair[1], bp + 16);
}

/* The kernel saved every register of the interrupted code: it is a leaf again. */
static __always_inline int step_signal(struct stack_walk *st)
{
	u64 *sc = st->scratch;

	if (!env_read_user(sc, sizeof(st->scratch), st->regs.sp + SIGFRAME_REGISTERS))
		return end_stack(st, STACK_UNREADABLE);
	st->regs.by_dwarf[0] = sc[SC_RAX];
	st->regs.by_dwarf[1] = sc[SC_RDX];
	st->regs.by_dwarf[2] = sc[SC_RCX];
	st->regs.by_dwarf[3] = sc[SC_RBX];
	st->regs.by_dwarf[4] = sc[SC_RSI];
	st->regs.by_dwarf[5] = sc[SC_RDI];
	st->regs.by_dwarf[DWARF_RBP] = sc[SC_RBP];
	st->regs.by_dwarf[DWARF_RSP] = sc[SC_RSP];
	for (int i = 0; i < 8; i++)
		st->regs.by_dwarf[8 + i] = sc[SC_R8 + i];
	/* No check that sp grows: the handler may run on an alternate stack. */
	st->regs.pc = sc[SC_RIP];
	st->regs.sp = sc[SC_RSP];
	st->regs.fp = sc[SC_RBP];
	st->regs.callee = sc[SC_RBX];
	st->regs.exact = 1;
	st->regs.known = 1;
	st->regs.callee_known = 1;
	return 0;
}

/* The canonical frame address by `rule`; 0 and st->end set when it cannot be had. */
static __always_inline u64 frame_address(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 base = 0;

	switch (rule->cfa) {
	case UNWIND_CFA_SP:
		return st->regs.sp + (s64)rule->cfa_off;
	case UNWIND_CFA_FP:
		return st->regs.fp + (s64)rule->cfa_off;
	case UNWIND_CFA_REG:
		if (rule->cfa_reg == DWARF_RBX && st->regs.callee_known)
			return st->regs.callee + (s64)rule->cfa_off;
		if (!st->regs.known) {
			st->end = STACK_REGISTER_LOST;
			return 0;
		}
		return st->regs.by_dwarf[rule->cfa_reg & 15] + (s64)rule->cfa_off;
	case UNWIND_CFA_SP_DEREF:
	case UNWIND_CFA_FP_DEREF:
		base = rule->cfa == UNWIND_CFA_SP_DEREF ? st->regs.sp : st->regs.fp;
		if (!read_words(st, &base, 1, base + (s64)rule->cfa_off)) {
			st->end = STACK_UNREADABLE;
			return 0;
		}
		return base + (s64)rule->cfa_add;
	case UNWIND_CFA_PLT:
		return st->regs.sp + 8 + ((st->regs.pc & 15) >= (u64)rule->cfa_off ? 8 : 0);
	default:
		st->end = STACK_NO_ROW;
		return 0;
	}
}

/*
 * A callee-saved register. Compilers leave out the row that says that an epilogue has popped it: then
 * its slot lies below rsp and still holds the value, which the register has, too. A copied stack does
 * not reach down there.
 */
static __always_inline bool load_register(struct stack_walk *st, u64 *value, u64 slot)
{
	return read_words(st, value, 1, slot) || (slot < st->regs.sp && st->regs.known);
}

static __always_inline bool load_callee(struct stack_walk *st, const struct unwind_rule *rule, u64 cfa)
{
	if (rule->callee_off == UNWIND_CALLEE_SAME)
		return true;
	if (rule->callee_off == UNWIND_CALLEE_LOST) {
		st->regs.callee_known = 0;
		return true;
	}
	st->regs.callee_known = 1;
	return load_register(st, &st->regs.callee, cfa + (s64)rule->callee_off);
}

/* The return address and the caller's rbp; one read where they lie side by side, as they mostly do. */
static __always_inline bool load_caller(struct stack_walk *st, const struct unwind_rule *rule,
					u64 cfa, u64 *ra)
{
	u64 pair[2], at;

	if (rule->ra == UNWIND_RA_REG) {
		*ra = st->regs.by_dwarf[(u16)rule->ra_off & 15];
	} else if (rule->fp == UNWIND_FP_CFA && rule->fp_off == -16 && rule->ra_off == -8 &&
		   read_words(st, pair, 2, cfa - 16)) {
		st->regs.fp = pair[0];
		*ra = pair[1];
		return true;
	} else if (!read_words(st, ra, 1, cfa + (s64)rule->ra_off)) {
		return false;
	}
	if (rule->fp != UNWIND_FP_CFA && rule->fp != UNWIND_FP_FP)
		return true;
	at = (rule->fp == UNWIND_FP_CFA ? cfa : st->regs.fp) + (s64)rule->fp_off;
	return load_register(st, &st->regs.fp, at);
}

/* Words of struct g and m (runtime/runtime2.go); these have not moved since Go 1.5. */
enum go_word {
	GO_STACK_LO,
	GO_STACK_HI,
	GO_M = 6,
	GO_SCHED_SP,
	GO_SCHED_PC,
	GO_WORDS,
};

enum go_stack {
	GO_STACK_UNKNOWN,
	GO_STACK_NONE, /* the thread runs no goroutine */
	GO_STACK_HERE, /* rsp is on the goroutine's stack */
	GO_STACK_LEFT,
};

static __always_inline bool on_go_stack(const u64 *g, u64 sp)
{
	return sp >= g[GO_STACK_LO] && sp < g[GO_STACK_HI];
}

static __always_inline bool read_go(u64 *g, u64 addr)
{
	return user_address(addr) && env_read_user(g, GO_WORDS * sizeof(u64), addr);
}

/* Which goroutine the thread runs (into scratch), and whether rsp is on its stack. */
static __always_inline enum go_stack find_goroutine(struct stack_walk *st,
						    const struct unwind_rule *rule, u64 *m)
{
	u64 fs = rule->cfa_add ? env_thread_pointer() : 0, g, *curg = st->scratch;

	if (!fs || !env_read_user(&g, sizeof(g), fs + (s64)rule->cfa_add))
		return GO_STACK_UNKNOWN;
	if (!g) /* C's own thread, or one that is about to end */
		return GO_STACK_NONE;
	if (!env_read_user(m, sizeof(*m), g + GO_M * sizeof(u64)) ||
	    !env_read_user(&g, sizeof(g), *m + (s64)rule->fp_off))
		return GO_STACK_UNKNOWN;
	if (!g)
		return GO_STACK_NONE;
	if (!read_go(curg, g) || curg[GO_M] != *m)
		return GO_STACK_UNKNOWN;
	return on_go_stack(curg, st->regs.sp) ? GO_STACK_HERE : GO_STACK_LEFT;
}

/* The slots that asmcgocall fills before it calls C: the depth in g's stack and, above it, g. */
static __always_inline bool leave_c(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 slot[2], *g = st->scratch;

	if (!rule->ra_off || !read_words(st, slot, 2, st->regs.sp + (s64)rule->ra_off - 8))
		return false;
	if (!slot[1]) { /* it was on this stack before: rsp itself */
		if (slot[0] <= st->regs.sp || slot[0] - st->regs.sp > 128)
			return false;
		st->regs.sp = slot[0];
		return true;
	}
	if (!read_go(g, slot[1]) || !on_go_stack(g, g[GO_STACK_HI] - slot[0]))
		return false;
	st->regs.sp = g[GO_STACK_HI] - slot[0];
	return true;
}

/* Callbacks nest: each keeps what g0.sched.sp was before at the place that it then points to. */
static __always_inline bool leave_callback(struct stack_walk *st, u64 m)
{
	u64 g0, sp = st->go_system_sp, *g = st->scratch;

	if (!sp) {
		if (!env_read_user(&g0, sizeof(g0), m) || !read_go(g, g0))
			return false;
		sp = g[GO_SCHED_SP];
	}
	st->regs.sp = sp;
	return env_read_user(&st->go_system_sp, sizeof(u64), sp);
}

/* The rest of a rule of Go's, once rsp is known. */
static __always_inline int enter_go_caller(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 pair[2], cfa = st->regs.sp + (s64)rule->cfa_off;

	if (!read_words(st, pair, 2, cfa - 16) || !pair[1])
		return end_stack(st, STACK_SWITCH);
	if (rule->cfa_off > 8)
		st->regs.fp = pair[0];
	st->regs.callee_known = 0;
	return resume_caller(st, pair[1], cfa);
}

/* As step_frame_pointer(), but from g0's stack to the goroutine's, which may lie below. */
static __always_inline int step_vdso_call(struct stack_walk *st)
{
	u64 pair[2], bp = st->regs.fp;

	if ((bp & 7) || !read_words(st, pair, 2, bp) || !pair[1])
		return end_stack(st, STACK_SWITCH);
	st->regs.fp = pair[0];
	return resume_caller(st, pair[1], bp + 16);
}

/* On g0's stack in systemstack or morestack, or where rsp was just changed: on with what `g` was doing. */
static __always_inline int leave_system_stack(struct stack_walk *st, const struct unwind_rule *rule)
{
	const u64 *g = st->scratch;

	if (!on_go_stack(g, g[GO_SCHED_SP]))
		return end_stack(st, STACK_SWITCH);
	if (rule->cfa_reg == UNWIND_GO_MORESTACK)
		return resume_caller(st, g[GO_SCHED_PC], g[GO_SCHED_SP]);
	st->regs.sp = g[GO_SCHED_SP];
	return enter_go_caller(st, rule);
}

/* Neither on a goroutine's stack nor called from one, as far as the run time says. */
static __always_inline int step_go_alone(struct stack_walk *st, const struct unwind_rule *rule)
{
	if (rule->cfa_reg == UNWIND_GO_MORESTACK) /* preempted: what runs now is the scheduler */
		return end_stack(st, STACK_WHOLE);
	if (!st->regs.exact && rule->cfa_reg != UNWIND_GO_CGOCALLBACK)
		return end_stack(st, STACK_SWITCH);
	return enter_go_caller(st, rule);
}

static __always_inline int step_go(struct stack_walk *st, const struct unwind_rule *rule)
{
	enum go_stack at;
	u64 m = 0;

	if (!st->regs.exact && rule->cfa_reg == UNWIND_GO_MCALL)
		return end_stack(st, STACK_WHOLE);
	if (!st->regs.exact && rule->cfa_reg == UNWIND_GO_VDSO)
		return step_vdso_call(st);
	if (!st->regs.exact && rule->cfa_reg == UNWIND_GO_ASMCGOCALL && leave_c(st, rule))
		return enter_go_caller(st, rule);
	at = find_goroutine(st, rule, &m);
	if (at == GO_STACK_UNKNOWN)
		return end_stack(st, STACK_SWITCH);
	if (at == GO_STACK_HERE) {
		if (rule->cfa_reg == UNWIND_GO_CGOCALLBACK && !leave_callback(st, m))
			return end_stack(st, STACK_SWITCH);
		return enter_go_caller(st, rule);
	}
	if (rule->cfa_reg == UNWIND_GO_MCALL)
		return end_stack(st, STACK_WHOLE);
	if (rule->cfa_reg == UNWIND_GO_VDSO)
		return step_vdso_call(st);
	if (at == GO_STACK_LEFT && rule->cfa_reg != UNWIND_GO_CGOCALLBACK)
		return leave_system_stack(st, rule);
	return step_go_alone(st, rule);
}

static __always_inline int step_rule(struct stack_walk *st, const struct unwind_rule *rule)
{
	u64 cfa, ra = 0;

	switch (rule->cfa) {
	case UNWIND_CFA_STOP:
		return end_stack(st, STACK_WHOLE);
	case UNWIND_CFA_SIGNAL:
		return step_signal(st);
	case UNWIND_CFA_CHAIN:
		return step_frame_pointer(st);
	case UNWIND_CFA_GO:
		return step_go(st, rule);
	default:
		break;
	}
	if (rule->ra == UNWIND_RA_REG && !st->regs.known)
		return end_stack(st, STACK_REGISTER_LOST);
	cfa = frame_address(st, rule);
	if (!cfa)
		return st->end == STACK_TOO_DEEP ? end_stack(st, STACK_NO_PROGRESS) : 1;
	if (!load_callee(st, rule, cfa) || !load_caller(st, rule, cfa, &ra))
		return end_stack(st, STACK_UNREADABLE);
	return enter_caller(st, ra, cfa);
}

/* Whether the instruction before `ra` is a call: e8 rel32, or ff /2 in one of its lengths. */
static __always_inline bool follows_call(u64 ra)
{
	u8 code[8];

	if (!user_address(ra) || !env_read_user(code, sizeof(code), ra - sizeof(code)))
		return false;
	if (code[3] == 0xe8)
		return true;
	return (code[6] == 0xff && (code[7] & 0x38) == 0x10) ||
	       (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[2] == 0xff && (code[3] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

/*
 * Code that no row covers: hand-written assembly, the start and end code of the C runtime (crtstuff.c
 * has none), JIT code that a runtime keeps in a file (memfd). Two guesses, each taken only when it leads
 * to just behind a call: a leaf that has pushed nothing, and a frame pointer.
 */
static __always_inline int step_uncovered(struct stack_walk *st, enum stack_end otherwise)
{
	u64 pair[2];

	if (st->regs.known && read_words(st, pair, 1, st->regs.sp) && follows_call(pair[0]))
		return enter_caller(st, pair[0], st->regs.sp + 8);
	if (st->regs.fp < st->regs.sp || (st->regs.fp & 7) ||
	    !read_words(st, pair, 2, st->regs.fp) || !follows_call(pair[1]))
		return end_stack(st, otherwise);
	st->regs.callee_known = 0;
	return step_frame_pointer(st);
}

/*
 * The rule for a frame. Program counters repeat from sample to sample (callers above all), so the last
 * answers are kept: a hit costs one cache line where the search costs five. A module's rows never
 * change, and when its number is used again the salt is another one, so an answer never goes stale.
 */
static __always_inline bool rule_of(const struct stack_walk *st, u64 frame, struct unwind_rule *out)
{
	struct rule_memo *memo = env_memo(frame);
	const struct unwind_rule *rule;
	u64 salted = frame ^ st->memo_salt;

	if (memo && memo->frame == salted) {
		*out = memo->rule;
		return true;
	}
	rule = env_rule(find_rule(FRAME_MODULE(frame), FRAME_OFF(frame)));
	if (!rule)
		return false;
	*out = *rule;
	if (memo && rule->cfa != UNWIND_CFA_NONE) {
		memo->frame = salted;
		memo->rule = *rule;
	}
	return true;
}

static __always_inline enum stack_end why_uncovered(u32 module)
{
	const struct module_table *mt = env_module_table(module);

	if (module == MODULE_OUTSIDE)
		return STACK_OUTSIDE;
	if (module == MODULE_NO_ROOM)
		return STACK_NO_ROOM;
	if (mt && mt->missing)
		return mt->missing == TABLE_NO_ROOM ? STACK_NO_ROOM : STACK_UNREAD;
	return mt && mt->has_table ? STACK_NO_ROW : STACK_NO_TABLE;
}

/*
 * Return probes of anybody's. Since 6.11 the trampoline that they put in place of a return address is
 * (arch/x86/kernel/uprobes.c)
 *
 *   0 push rax   1 push rcx   2 push r11   4 mov NR, rax   11 syscall   13 pop r11   15 pop rcx   16 ret
 *
 * and before it is one breakpoint. The system call takes the kernel's note off, and puts the address where rax lay.
 */
#define TRAMPOLINE_CALLED 13

/* Where the return address was, by how much the trampoline has pushed. */
static __always_inline u64 trampoline_slot(const struct stack_walk *st)
{
	switch (st->regs.pc - st->trampoline) {
	case 0:
		return st->regs.sp - 8;
	case 1:
	case 16:
		return st->regs.sp;
	case 2:
	case 15:
		return st->regs.sp + 8;
	default:
		return st->regs.sp + 16;
	}
}

/* Within the system call, rsp is what it was before the trampoline began. */
static __always_inline u64 hidden_return(struct stack_walk *st, u64 *slot)
{
	bool called = st->regs.pc - st->trampoline >= TRAMPOLINE_CALLED;
	u64 address = called ? env_hidden_return(st->regs.sp - 8, false) : 0;

	*slot = st->regs.sp - 8;
	if (address)
		return address;
	*slot = trampoline_slot(st);
	address = env_hidden_return(*slot, called);
	if (address || !called)
		return address;
	return read_words(st, &address, 1, *slot) && follows_call(address) ? address : 0;
}

/*
 * While the kernel puts the trampoline's address on the stack, it has the true one in its own registers only: its
 * note comes later.
 */
static __always_inline bool leave_trampoline(struct stack_walk *st)
{
	u64 slot, address = hidden_return(st, &slot);

	st->regs.pc = address;
	st->regs.sp = slot + sizeof(u64);
	st->regs.exact = 0;
	return address != 0;
}

/*
 * Records the frame st is in and moves to its caller. 0: go on; 1: the walk has ended (st->end).
 * Global for the verifier, which then checks it once and not once per frame.
 */
__attribute__((noinline)) int unwind_step(struct stack_walk *st)
{
	struct unwind_rule rule;
	u32 module = MODULE_NONE;
	u64 off = 0, at, frame;

	if (!st)
		return 1;
	if (st->trampoline && st->regs.pc - st->trampoline < TRAMPOLINE_BYTES &&
	    !leave_trampoline(st))
		return end_stack(st, STACK_HIDDEN);
	if (!user_address(st->regs.pc))
		return end_stack(st, STACK_NOT_MAPPED);
	/* A return address may be the first byte of the next function: look inside the call. */
	at = st->regs.exact ? st->regs.pc : st->regs.pc - 1;
	if (!env_find_module(st, at, &module, &off))
		return end_stack(st, st->missing_module ? STACK_LOADING : STACK_NOT_MAPPED);
	frame = FRAME(module, off);
	push_frame(st, frame);
	if (module == MODULE_ANON) {
		st->has_anon = 1;
		return step_frame_pointer(st);
	}
	if (!rule_of(st, frame, &rule) || rule.cfa == UNWIND_CFA_NONE)
		return step_uncovered(st, why_uncovered(module));
	return step_rule(st, &rule);
}

static __always_inline void unwind_begin(struct stack_walk *st)
{
	st->end = STACK_TOO_DEEP;
	st->window_at = ~0ull;
	st->go_system_sp = 0;
}

/* Walks the user stack from the registers in st; appends to st->frames and sets st->end. */
static __always_inline void unwind_user(struct stack_walk *st)
{
	unwind_begin(st);
	for (u32 i = 0; i < STACK_MAX_USER; i++) {
		if (unwind_step(st))
			break;
	}
	if (st->end != STACK_WHOLE)
		push_frame(st, FRAME(MODULE_CUT, st->end));
}

#endif
