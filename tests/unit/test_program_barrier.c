/* SPDX-License-Identifier: Apache-2.0 */
/* After the barrier, no program is running that began before it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sys/mman.h>

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

TEST(program_barrier, waits_for_programs_that_run)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "seen", sizeof(u32), sizeof(struct seen), 1,
				 &opts);
	struct program_barrier barrier;
	volatile struct seen *seen;
	pthread_t thread;
	int prog;

	if (map == -EPERM)
		unit_skip("BPF needs privileges");
	CHECK(map >= 0);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	CHECK(seen != MAP_FAILED);
	prog = load_slow_program(map);
	CHECK(prog >= 0);
	CHECK_INT(program_barrier_init(&barrier), 0);
	CHECK(!pthread_create(&thread, NULL, run, &prog));
	while (!seen->begun)
		;
	CHECK_INT(program_barrier_wait(&barrier), 0);
	CHECK_INT(seen->ended, 1);
	pthread_join(thread, NULL);
	program_barrier_release(&barrier);
}
