/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks that wait in user space until a file is loaded: none is lost, whatever comes first. */
#include "unit.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/session/pending.h"
#include "target/pid_space.h"

#define TICKET 4711

struct fixture {
	struct pending *pending;
	struct module_set *modules;
	struct stack_store *store;
	struct collect_options opt;
	struct target target;
	u64 followed; /* the frame whose code was asked for */
	u32 follow_times; /* how often it has to wait */
	int number; /* the number that the file is reported to have */
	pid_t asked_for;
	u32 asked;
};

static int number_of(void *arg, pid_t tgid, const struct map_entry *e)
{
	struct fixture *f = arg;

	CHECK(e->inode && e->executable && e->path[0] == '/');
	f->asked_for = tgid;
	f->asked++;
	return f->number;
}

static int follow(void *arg, u64 frame)
{
	struct fixture *f = arg;

	f->followed = frame;
	return f->follow_times && f->follow_times-- ? -EAGAIN : 0;
}

static void setup(struct fixture *f)
{
	struct pending_env env = {.number = number_of, .follow = follow, .arg = f};

	memset(f, 0, sizeof(*f));
	f->opt.target = &f->target;
	CHECK_INT(module_set_new(NULL, NULL, &f->modules), 0);
	CHECK_INT(stack_store_new(&f->opt, NULL, &f->store), 0);
	env.modules = f->modules;
	env.store = f->store;
	CHECK_INT(pending_new(&env, &f->pending), 0);
}

static void teardown(struct fixture *f)
{
	pending_free(f->pending);
	stack_store_free(f->store);
	module_set_free(f->modules);
}

static void ends(const struct fixture *f, u64 out[STACK_END_COUNT])
{
	memset(out, 0, STACK_END_COUNT * sizeof(*out));
	pending_ends(f->pending, out);
}

static bool is_stored(const struct fixture *f, u64 ticket)
{
	const struct sample_key key = {.stack = ticket};

	return stack_store_knows(f->store, &key);
}

/* Finishes a stack of a thread of `tgid`, of the program with that name, which is at `pc`. */
static size_t finish_at(struct fixture *f, pid_t tgid, const char *program, u64 pc, u64 ticket)
{
	struct pending_record r = {.kind = RECORD_PENDING,
				   .key = {.stack = ticket},
				   .thread.tgid = pid_to_proc(tgid),
				   .regs.pc = pc,
				   .regs.sp = 0x7fff00000000,
				   .regs.exact = 1,
				   .copied = 4096};
	size_t size = offsetof(struct pending_record, data) + r.copied;

	snprintf(r.thread.leader_comm, sizeof(r.thread.leader_comm), "%s", program);
	CHECK_INT(pending_finish(f->pending, &r, size), 0);
	return size;
}

/* It runs this program's own code. */
static size_t finish_of(struct fixture *f, pid_t tgid, const char *program, u64 ticket)
{
	return finish_at(f, tgid, program, (u64)(uintptr_t)number_of, ticket);
}

static size_t finish(struct fixture *f, pid_t tgid, u64 ticket)
{
	return finish_of(f, tgid, "unit", ticket);
}

TEST(pending, a_stack_waits_until_its_file_is_there)
{
	u64 n[STACK_END_COUNT];
	struct fixture f;

	setup(&f);
	f.number = -EAGAIN;
	finish(&f, getpid(), TICKET);
	CHECK_INT(pending_waiting(f.pending), 1);
	CHECK(!is_stored(&f, TICKET));
	pending_retry(f.pending); /* another file came */
	CHECK_INT(pending_waiting(f.pending), 1);
	f.number = MODULE_FIRST_FILE;
	pending_retry(f.pending);
	CHECK_INT(pending_waiting(f.pending), 0);
	CHECK(is_stored(&f, TICKET));
	ends(&f, n);
	CHECK_INT(n[STACK_NO_TABLE], 1); /* the file has none here */
	CHECK_INT(n[STACK_LOADING], 0);
	CHECK_INT(f.asked_for, getpid());
	teardown(&f);
}

TEST(pending, what_is_left_is_cut_where_it_waits)
{
	u64 n[STACK_END_COUNT];
	struct fixture f;

	setup(&f);
	f.number = -EAGAIN;
	for (u64 i = 1; i <= 10; i++)
		finish(&f, getpid(), i);
	CHECK_INT(pending_waiting(f.pending), 10);
	pending_give_up(f.pending);
	CHECK_INT(pending_waiting(f.pending), 0);
	ends(&f, n);
	CHECK_INT(n[STACK_LOADING], 10);
	for (u64 i = 1; i <= 10; i++)
		CHECK(is_stored(&f, i));
	teardown(&f);
}

TEST(pending, a_file_that_cannot_be_opened_keeps_nobody)
{
	u64 n[STACK_END_COUNT];
	struct fixture f;

	setup(&f);
	f.number = -EACCES;
	finish(&f, getpid(), TICKET);
	CHECK_INT(pending_waiting(f.pending), 0);
	ends(&f, n);
	CHECK_INT(n[STACK_NO_TABLE], 1);
	teardown(&f);
}

/* The mappings are read when the record comes, because the process may be gone later. */
TEST(pending, a_process_that_is_gone_by_then)
{
	pid_t pid = fork();
	u64 n[STACK_END_COUNT];
	struct fixture f;

	if (!pid) {
		pause();
		_exit(0);
	}
	setup(&f);
	f.number = -EAGAIN;
	finish(&f, pid, TICKET);
	CHECK_INT(pending_waiting(f.pending), 1);
	CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	f.number = MODULE_FIRST_FILE;
	pending_retry(f.pending);
	CHECK(is_stored(&f, TICKET));
	ends(&f, n);
	CHECK_INT(n[STACK_NO_TABLE], 1);
	/* If the process is gone already, it had mapped what it had at its last record. */
	finish(&f, pid, TICKET + 1);
	ends(&f, n);
	CHECK_INT(n[STACK_NO_TABLE], 2);
	/* What it had mapped since then was not read. */
	pending_batch(f.pending, 1);
	finish_at(&f, pid, "unit", 0x100000000000, TICKET + 4);
	ends(&f, n);
	CHECK_INT(n[STACK_NOT_MAPPED], 0);
	CHECK_INT(n[STACK_LOADING], 1);
	/* If it has run another program since, or had no record, nothing can be known. */
	finish_of(&f, pid, "another", TICKET + 2);
	ends(&f, n);
	CHECK_INT(n[STACK_LOADING], 2);
	finish(&f, pid, TICKET + 3);
	ends(&f, n);
	CHECK_INT(n[STACK_LOADING], 3);
	teardown(&f);
}

/* All records of a batch were sent before the first one was finished, so what was mapped then is
 * known to all of them. */
TEST(pending, mappings_are_read_once_for_a_batch)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	u64 n[STACK_END_COUNT], size = (u64)sysconf(_SC_PAGESIZE);
	struct fixture f;
	void *code;

	setup(&f);
	f.number = MODULE_FIRST_FILE;
	pending_batch(f.pending, 1);
	finish(&f, getpid(), TICKET);
	code = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(code != MAP_FAILED);
	pending_batch(f.pending, 1);
	finish_at(&f, getpid(), "unit", (u64)(uintptr_t)code, TICKET + 1);
	ends(&f, n);
	CHECK_INT(n[STACK_NOT_MAPPED], 1);
	/* Another program, and another process, have their own. */
	finish_at(&f, getpid(), "another", (u64)(uintptr_t)code, TICKET + 2);
	finish_at(&f, getppid(), "unit", (u64)(uintptr_t)code, TICKET + 3);
	finish_at(&f, getpid(), "unit", (u64)(uintptr_t)code, TICKET + 4);
	ends(&f, n);
	CHECK_INT(n[STACK_NOT_MAPPED], 2);
	CHECK_INT(n[STACK_NO_TABLE], 3);
	CHECK(!munmap(code, size));
	pending_batch(f.pending, 2);
	finish_at(&f, getpid(), "unit", (u64)(uintptr_t)code, TICKET + 5);
	ends(&f, n);
	CHECK_INT(n[STACK_NOT_MAPPED], 3);
	close(fd);
	teardown(&f);
}

TEST(pending, those_that_wait_have_a_bound)
{
	size_t size, n = 0, more = 20;
	u64 seen[STACK_END_COUNT];
	struct fixture f;

	setup(&f);
	f.number = -EAGAIN;
	do
		size = finish(&f, getpid(), ++n);
	while (pending_waiting(f.pending) == n && n < 2 * PENDING_BYTES_MAX / size);
	CHECK(pending_waiting(f.pending) * size <= PENDING_BYTES_MAX);
	CHECK((pending_waiting(f.pending) + 2) * size > PENDING_BYTES_MAX);
	for (size_t i = 0; i < more; i++)
		finish(&f, getpid(), ++n);
	ends(&f, seen);
	CHECK_INT(seen[STACK_LOADING], n - pending_waiting(f.pending));
	teardown(&f);
}

TEST(pending, records_that_make_no_sense)
{
	struct pending_record r = {.kind = RECORD_PENDING, .thread.tgid = pid_to_proc(getpid())};
	size_t head = offsetof(struct pending_record, data);
	struct fixture f;

	setup(&f);
	CHECK_INT(pending_finish(f.pending, &r, head - 1), -EBADMSG);
	r.copied = 100;
	CHECK_INT(pending_finish(f.pending, &r, head + 99), -EBADMSG);
	r.copied = 0;
	r.nframes = 2;
	CHECK_INT(pending_finish(f.pending, &r, head + 15), -EBADMSG);
	r.nframes = STACK_MAX_FRAMES;
	CHECK_INT(pending_finish(f.pending, &r, sizeof(r)), -EBADMSG);
	CHECK_INT(pending_waiting(f.pending), 0);
	teardown(&f);
}
