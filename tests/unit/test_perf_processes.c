/* SPDX-License-Identifier: Apache-2.0 */
/* Processes by the kernel's records of fork, exec, exit, names and mappings. No process has these
 * numbers. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collect/perf/perf_processes.h"
#include "short_memory.h"
#include "unit.h"

#define PARENT 900000001u
#define CHILD 900000002u
#define JIT 0x7f0000000000ull

struct fixture {
	struct perf_modules *modules;
	struct perf_processes *processes;
};

static struct fixture fixture(void)
{
	struct fixture f;

	CHECK_INT(perf_modules_new(NULL, NULL, &f.modules), 0);
	CHECK_INT(perf_processes_new(f.modules, &f.processes), 0);
	return f;
}

static void release(struct fixture *f)
{
	perf_processes_free(f->processes);
	perf_modules_free(f->modules);
}

static void update(struct fixture *f, struct perf_record r)
{
	CHECK_INT(perf_processes_update(f->processes, &r), 0);
}

static void fork_record(struct fixture *f, u32 pid, u32 tid, u32 ppid, u32 ptid)
{
	update(f,
	       (struct perf_record){.type = PERF_RECORD_FORK,
				    .task = {.pid = pid, .ppid = ppid, .tid = tid, .ptid = ptid}});
}

static void exit_record(struct fixture *f, u32 pid, u32 tid)
{
	update(f, (struct perf_record){.type = PERF_RECORD_EXIT, .task = {.pid = pid, .tid = tid}});
}

static void comm_record(struct fixture *f, u32 pid, u32 tid, const char *name, bool exec)
{
	update(f,
	       (struct perf_record){.type = PERF_RECORD_COMM,
				    .comm = {.pid = pid, .tid = tid, .exec = exec, .name = name}});
}

static void map_record(struct fixture *f, u32 pid, u64 start, const char *path)
{
	update(f,
	       (struct perf_record){
		       .type = PERF_RECORD_MMAP2,
		       .mapped = {
			       .pid = pid, .tid = pid, .start = start, .len = 4096, .path = path}});
}

static const struct space_map *mapping(struct fixture *f, u32 pid, u64 addr)
{
	struct perf_process *proc = perf_processes_find(f->processes, pid);

	CHECK(proc);
	return address_space_find(perf_process_space(proc), addr);
}

TEST(perf_processes, a_child_has_its_parents_mappings_until_it_execs)
{
	struct fixture f = fixture();
	struct thread_id owner;

	CHECK_INT(perf_processes_add_thread(f.processes, PARENT, PARENT), 0);
	comm_record(&f, PARENT, PARENT, "parent", false);
	map_record(&f, PARENT, JIT, "//anon");
	fork_record(&f, CHILD, CHILD, PARENT, PARENT);
	CHECK(mapping(&f, CHILD, JIT));
	CHECK_INT(mapping(&f, CHILD, JIT)->module, MODULE_ANON);
	perf_processes_owner(f.processes, CHILD, CHILD, &owner);
	CHECK_STR(owner.comm, "parent");
	comm_record(&f, CHILD, CHILD, "a-name-that-is-longer-than-15", true);
	CHECK(!mapping(&f, CHILD, JIT));
	CHECK(mapping(&f, PARENT, JIT));
	map_record(&f, CHILD, 0x5000, "[vdso]");
	CHECK_INT(mapping(&f, CHILD, 0x5000)->module, MODULE_VDSO);
	CHECK_INT(0x5008 + mapping(&f, CHILD, 0x5000)->shift, 8);
	perf_processes_owner(f.processes, CHILD, CHILD, &owner);
	CHECK_STR(owner.leader_comm, "a-name-that-is-");
	release(&f);
}

TEST(perf_processes, end_with_their_last_thread)
{
	struct fixture f = fixture();

	CHECK_INT(perf_processes_add_thread(f.processes, PARENT, PARENT), 0);
	fork_record(&f, PARENT, PARENT + 10, PARENT, PARENT);
	exit_record(&f, PARENT, PARENT); /* the first thread may end first */
	CHECK(perf_processes_find(f.processes, PARENT));
	exit_record(&f, PARENT, PARENT + 10);
	CHECK(!perf_processes_find(f.processes, PARENT));
	exit_record(&f, PARENT, PARENT + 10); /* reported twice */
	CHECK(!perf_processes_alive(f.processes));
	release(&f);
}

/* Their exit records were lost. Samples that wait may still need these processes for a while. */
TEST(perf_processes, whose_end_nobody_told_are_forgotten)
{
	const u64 second = 1000000000;
	struct fixture f = fixture();
	u64 now = 1000 * second;

	CHECK_INT(perf_processes_read(f.processes, getpid()), 0);
	CHECK_INT(perf_processes_add_thread(f.processes, getpid(), getpid()), 0);
	for (u32 i = 0; i < 3000; i++) {
		fork_record(&f, CHILD + 2 * i, CHILD + 2 * i, getpid(), getpid());
		fork_record(&f, CHILD + 2 * i, CHILD + 2 * i + 1, CHILD + 2 * i, CHILD + 2 * i);
	}
	perf_processes_forget_ended(f.processes, now);
	perf_processes_forget_ended(f.processes, now + 19 * second);
	CHECK(perf_processes_find(f.processes, CHILD));
	CHECK(perf_processes_find(f.processes, CHILD + 2 * 2999));
	perf_processes_forget_ended(f.processes, now + 25 * second);
	for (u32 i = 0; i < 3000; i++)
		CHECK(!perf_processes_find(f.processes, CHILD + 2 * i));
	CHECK(perf_processes_find(f.processes, (u32)getpid()));
	CHECK(perf_processes_alive(f.processes));
	/* A PID that is used again is another process. */
	fork_record(&f, CHILD, CHILD, getpid(), getpid());
	CHECK(perf_processes_find(f.processes, CHILD));
	release(&f);
}

TEST(perf_processes, a_thread_number_may_pass_to_another_process)
{
	struct fixture f = fixture();

	CHECK_INT(perf_processes_add_thread(f.processes, PARENT, PARENT), 0);
	fork_record(&f, PARENT, CHILD, PARENT, PARENT); /* its exit record is lost */
	fork_record(&f, CHILD, CHILD, PARENT, PARENT);
	exit_record(&f, CHILD, CHILD);
	CHECK(!perf_processes_find(f.processes, CHILD));
	exit_record(&f, PARENT, PARENT);
	CHECK(!perf_processes_find(f.processes, PARENT));
	release(&f);
}

TEST(perf_processes, records_of_strangers_are_ignored)
{
	struct fixture f = fixture();

	map_record(&f, PARENT, JIT, "//anon");
	comm_record(&f, PARENT, PARENT, "stranger", true);
	exit_record(&f, PARENT, PARENT);
	CHECK(!perf_processes_find(f.processes, PARENT));
	release(&f);
}

TEST(perf_processes, reads_what_is_running)
{
	struct fixture f = fixture();
	u64 here = (u64)(uintptr_t)&fixture;
	const struct space_map *map;

	CHECK_INT(perf_processes_read(f.processes, getpid()), 0);
	map = mapping(&f, (u32)getpid(), here);
	CHECK(map && map->module >= MODULE_FIRST_FILE);
	module_set_wait(perf_modules_set(f.modules));
	CHECK(perf_modules_rows(f.modules, map->module));
	CHECK(perf_processes_alive(f.processes));
	release(&f);
}

TEST(perf_processes, a_fork_without_memory_can_be_told_again)
{
	struct perf_record fork = {
		.type = PERF_RECORD_FORK,
		.task = {.pid = CHILD, .ppid = PARENT, .tid = CHILD, .ptid = PARENT}};
	struct fixture f = fixture();
	int code = -ENOMEM;
	long tries = 0;

	while (code) {
		short_memory_after(tries++);
		code = perf_processes_update(f.processes, &fork);
		short_memory_after(-1);
		CHECK(!code || code == -ENOMEM);
	}
	CHECK(tries > 4); /* two tables, of two parts each */
	CHECK(perf_processes_find(f.processes, CHILD));
	exit_record(&f, CHILD, CHILD);
	CHECK(!perf_processes_find(f.processes, CHILD));
	release(&f);
}
