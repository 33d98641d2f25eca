/* SPDX-License-Identifier: Apache-2.0 */
/* After the barrier, no program is running that began before it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/types.h"
#include "collect/session/program_barrier.h"
#include "unit.h"

#define COPIED (32 << 20) /* bytes; each copy takes some 10 ms or more */

struct seen { /* the value of the map that the program writes to */
	u64 begun, ended;
	u8 copied[COPIED];
};

#define INSN(code_, dst_, src_, off_, imm_)                                           \
	{                                                                             \
		.code = (code_), .dst_reg = (dst_), .src_reg = (src_), .off = (off_), \
		.imm = (imm_)                                                         \
	}
#define MOV(dst_, imm_) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst_, 0, 0, imm_)
#define MOVE(dst_, src_) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst_, src_, 0, 0)
#define ADD(dst_, imm_) INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst_, 0, 0, imm_)
#define STORE(dst_, off_, imm_) INSN(BPF_ST | BPF_MEM | BPF_DW, dst_, 0, off_, imm_)
#define LOAD_VALUE(dst_, map_) \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst_, BPF_PSEUDO_MAP_VALUE, 0, map_), INSN(0, 0, 0, 0, 0)
#define CALL(function_) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function_)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define COPY()                                                                     \
	MOVE(BPF_REG_1, BPF_REG_6), ADD(BPF_REG_1, offsetof(struct seen, copied)), \
		MOV(BPF_REG_2, COPIED), MOVE(BPF_REG_3, BPF_REG_1),                \
		CALL(BPF_FUNC_probe_read_kernel)

/* Reports that it has begun, copies for a while, and reports that it has ended. */
static int load_slow_program(int map)
{
	const struct bpf_insn insns[] = {
		LOAD_VALUE(BPF_REG_6, map),
		STORE(BPF_REG_6, offsetof(struct seen, begun), 1),
		COPY(),
		COPY(),
		COPY(),
		STORE(BPF_REG_6, offsetof(struct seen, ended), 1),
		MOV(BPF_REG_0, 0),
		EXIT(),
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "slow", "GPL", insns, ARRAY_LEN(insns),
			     NULL);
}

static void *run(void *arg)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	(void)bpf_prog_test_run_opts(*(int *)arg, &opts);
	return NULL;
}

struct running {
	volatile struct seen *seen;
	pthread_t thread;
	int prog;
};

/* Returns while the program is running. */
static void run_program(struct running *r)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "seen", sizeof(u32), sizeof(struct seen), 1,
				 &opts);

	if (map == -EPERM)
		unit_skip("BPF needs privileges");
	CHECK(map >= 0);
	r->seen = mmap(NULL, sizeof(*r->seen), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	CHECK(r->seen != MAP_FAILED);
	r->prog = load_slow_program(map);
	CHECK(r->prog >= 0);
	CHECK(!pthread_create(&r->thread, NULL, run, &r->prog));
	while (!r->seen->begun)
		;
}

TEST(program_barrier, waits_for_programs_that_run)
{
	struct program_barrier barrier;
	struct running r;

	CHECK_INT(program_barrier_init(&barrier), 0);
	run_program(&r);
	CHECK_INT(program_barrier_wait(&barrier), 0);
	CHECK_INT(r.seen->ended, 1);
	pthread_join(r.thread, NULL);
	program_barrier_release(&barrier);
}

TEST(program_barrier, waits_in_a_thread)
{
	struct program_barrier barrier;
	struct running r;

	CHECK_INT(program_barrier_init(&barrier), 0);
	for (u32 i = 0; i < 3; i++) {
		run_program(&r);
		program_barrier_begin(&barrier);
		CHECK(barrier.threaded);
		while (!program_barrier_is_over(&barrier))
			usleep(1000);
		CHECK_INT(r.seen->ended, 1);
		CHECK_INT(program_barrier_end(&barrier), 0);
		pthread_join(r.thread, NULL);
	}
	/* It may be released while it is waiting. */
	program_barrier_begin(&barrier);
	program_barrier_release(&barrier);
}
