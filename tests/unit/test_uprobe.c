/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that a program is hit as often as the places to which it is attached, with their
 * cookies. */
#include "collect/probe/uprobe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/features.h"
#include "target/maps.h"
#include "unit.h"

#define COOKIES 8 /* a power of two */

#define INSN(code_, dst_, src_, off_, imm_)                                           \
	{                                                                             \
		.code = (code_), .dst_reg = (dst_), .src_reg = (src_), .off = (off_), \
		.imm = (imm_)                                                         \
	}
#define BY(op_, dst_, imm_) INSN(BPF_ALU64 | (op_) | BPF_K, dst_, 0, 0, imm_)

struct bench {
	bool links;
	int map, prog;
	volatile u64 *hits; /* by cookie */
	char path[32];
	uprobe_fds fds;
};

/* ---- what is probed ---- */

static __attribute__((noinline)) int first_place(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

static __attribute__((noinline)) int second_place(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 2;
}

/* Other cases must not call these while a program is attached to them in all processes. */
static __attribute__((noinline)) int shared_first(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 3;
}

static __attribute__((noinline)) int shared_second(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 4;
}

static void call_shared(int first, int second)
{
	for (int i = 0; i < first; i++)
		(void)shared_first(i);
	for (int i = 0; i < second; i++)
		(void)shared_second(i);
}

static void call(int first, int second)
{
	for (int i = 0; i < first; i++)
		(void)first_place(i);
	for (int i = 0; i < second; i++)
		(void)second_place(i);
}

static u64 offset_of(int (*function)(int))
{
	const u64 address = (u64)(uintptr_t)function;
	map_vec maps = {0};
	u64 offset = 0;

	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (address >= e->start && address < e->end)
			offset = address - e->start + e->offset;
	}
	maps_release(&maps);
	CHECK(offset);
	return offset;
}

/* ---- the program ---- */

/* Adds one to the word that the cookie selects. */
static int load_program(int map, bool links)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = links ? (enum bpf_attach_type)UPROBE_ATTACH_MULTI : 0);
	const struct bpf_insn insns[] = {
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_attach_cookie),
		BY(BPF_AND, BPF_REG_0, COOKIES - 1),
		BY(BPF_LSH, BPF_REG_0, 3),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_0, 0, 0),
		BY(BPF_MOV, BPF_REG_2, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_1, BPF_REG_2, 0, BPF_ADD),
		BY(BPF_MOV, BPF_REG_0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "hits", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), &opts);
}

static void bench_init(struct bench *b, bool links)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct features f = {0};

	*b = (struct bench){.links = links, .path = "/proc/self/exe"};
	b->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hits", sizeof(u32), COOKIES * sizeof(u64), 1,
				&opts);
	if (b->map == -EPERM)
		unit_skip("BPF needs privileges");
	CHECK(b->map >= 0);
	features_probe_uprobes(&f);
	if (links && !f.uprobe_multi)
		unit_skip("this kernel has no uprobe_multi links");
	b->hits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, b->map, 0);
	CHECK(b->hits != MAP_FAILED);
	b->prog = load_program(b->map, links);
	CHECK(b->prog >= 0);
}

static void bench_release(struct bench *b)
{
	uprobe_detach(&b->fds);
	munmap((void *)b->hits, 4096);
	close(b->prog);
	close(b->map);
}

static void attach_at(struct bench *b, enum uprobe_type type, pid_t tgid, int (*first)(int),
		      int (*second)(int))
{
	const struct uprobe_place places[] = {{offset_of(first), 1}, {offset_of(second), 2}};

	CHECK_INT(uprobe_attach(b->prog, type, b->links, b->path, tgid, places, 2, &b->fds), 0);
	CHECK_INT(b->fds.len, b->links ? 1 : 2);
}

static void attach(struct bench *b, enum uprobe_type type)
{
	attach_at(b, type, getpid(), first_place, second_place);
}

static void check_hits(struct bench *b, u64 first, u64 second)
{
	CHECK_INT(b->hits[1], first);
	CHECK_INT(b->hits[2], second);
	for (int i = 0; i < COOKIES; i++)
		CHECK(i == 1 || i == 2 || !b->hits[i]);
}

/* ---- the cases ---- */

static void check_type(enum uprobe_type type, bool links)
{
	struct bench b;

	bench_init(&b, links);
	call(3, 5);
	check_hits(&b, 0, 0);
	attach(&b, type);
	call(100, 7);
	check_hits(&b, 100, 7);
	uprobe_detach(&b.fds);
	CHECK_INT(b.fds.len, 0);
	call(10, 10);
	check_hits(&b, 100, 7);
	attach(&b, type);
	call(1, 2);
	check_hits(&b, 101, 9);
	bench_release(&b);
}

TEST(uprobe, entries_by_perf_events)
{
	check_type(UPROBE_ENTRY, false);
}

TEST(uprobe, entries_by_links)
{
	check_type(UPROBE_ENTRY, true);
}

TEST(uprobe, returns_by_perf_events)
{
	check_type(UPROBE_RETURN, false);
}

TEST(uprobe, returns_by_links)
{
	check_type(UPROBE_RETURN, true);
}

static void call_in_child(int first, int second)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		call_shared(first, second);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
}

/* A child has the breakpoints of its parent, but is another process. */
static void check_processes(bool links)
{
	struct bench b;

	bench_init(&b, links);
	attach_at(&b, UPROBE_ENTRY, getpid(), shared_first, shared_second);
	call_in_child(20, 20);
	call_shared(4, 2);
	check_hits(&b, 4, 2);
	uprobe_detach(&b.fds);
	attach_at(&b, UPROBE_ENTRY, 0, shared_first, shared_second);
	call_in_child(20, 30);
	call_shared(1, 1);
	check_hits(&b, 25, 33);
	bench_release(&b);
}

/* These are one case, because cases run at the same time and have the same code. */
TEST(uprobe, of_one_process_or_of_all)
{
	check_processes(false);
	check_processes(true);
}

TEST(uprobe, a_place_that_does_not_exist_is_refused)
{
	const struct uprobe_place place = {1ull << 40, 1};
	struct bench b;

	bench_init(&b, false);
	CHECK(uprobe_attach(b.prog, UPROBE_ENTRY, false, b.path, getpid(), &place, 1, &b.fds) < 0);
	CHECK_INT(
		uprobe_attach(b.prog, UPROBE_ENTRY, false, "/nowhere", getpid(), &place, 1, &b.fds),
		-ENOENT);
	CHECK_INT(b.fds.len, 0);
	bench_release(&b);
}

TEST(uprobe, ways_have_names)
{
	CHECK_STR(uprobe_way_name(UPROBE_WAY_PERF), "perf events");
	CHECK_STR(uprobe_way_name(UPROBE_WAY_MULTI), "uprobe_multi links");
	CHECK_STR(uprobe_way_name(UPROBE_WAY_SESSION), "uprobe sessions");
}
