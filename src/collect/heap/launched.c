/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the programs that a command runs: see launched.h. */
#include "collect/heap/launched.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/regular_file.h"
#include "base/sampler_question.h"
#include "target/maps.h"
#include "target/pid_space.h"
#include "target/process.h"

#define LOAD_NS (SAMPLER_WAIT_NS / 4) /* at most this much of the wait is for a table */
#define STEP_NS 200000

/* ---- answers ---- */

/* The target says where to write. Only memory of the sampler itself is read, which cannot be of a
 * kind that waits for somebody (userfaultfd). */
static bool is_of_sampler(const struct launched *l, pid_t tgid, u64 address)
{
	struct stat sampler;
	map_vec maps = {0};
	bool found = false;

	if (stat(l->sampler, &sampler) || maps_read(tgid, &maps)) {
		maps_release(&maps);
		return false;
	}
	vec_for_each(&maps, e)
		found |= e->inode == sampler.st_ino && e->writable && !e->shared &&
			 address >= e->start && address < e->end &&
			 sizeof(struct sampler_answers) <= e->end - address;
	maps_release(&maps);
	return found;
}

/* If another process has the number by now, it is not waiting for this answer. */
static int write_answer(int memory, const struct new_process *question)
{
	struct sampler_answers a;
	off_t at = (off_t)question->answers;

	if (pread(memory, &a, sizeof(a), at) != sizeof(a))
		return -EIO;
	if (a.magic != SAMPLER_MAGIC || a.asked < question->number ||
	    a.answered >= question->number)
		return -ESTALE;
	at += (off_t)offsetof(struct sampler_answers, answered);
	return pwrite(memory, &question->number, sizeof(question->number), at) ==
			       sizeof(question->number)
		       ? 0
		       : -EIO;
}

static void answer(const struct launched *l, pid_t tgid, const struct new_process *question)
{
	char path[PROCESS_PATH_MAX];
	int memory, err = -EFAULT;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tgid);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory >= 0 && is_of_sampler(l, tgid, question->answers))
		err = write_answer(memory, question);
	if (memory >= 0)
		close(memory);
	if (err)
		log_debug(l->log, "PID %d, which asked for probes, was not answered: %s", (int)tgid,
			  error_reason(err));
}

/* ---- unwind tables ---- */

static bool is_loading(const struct launched *l, u64 inode)
{
	u32 number = 0;

	return !bpf_map_lookup_elem(l->modules_fd, &inode, &number) && !number;
}

static void *map_program(const struct launched *l, const char *path)
{
	struct input_file in;
	void *mem = MAP_FAILED;

	if (regular_file_input(l->readers, path, &in))
		return MAP_FAILED;
	if (in.fd >= 0) /* otherwise the table is loaded when the program is mapped */
		mem = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, in.fd, 0);
	input_file_close(&in);
	return mem;
}

/* The recording takes in a table in another thread. Tables are requested by mappings, so it is
 * mapped here meanwhile. */
static void load_table(const struct launched *l, const char *path, u64 inode)
{
	const struct timespec step = {.tv_nsec = STEP_NS};
	const u64 deadline = monotonic_ns() + LOAD_NS;
	void *mem = inode ? map_program(l, path) : MAP_FAILED;

	if (inode && mem == MAP_FAILED)
		bpf_map_delete_elem(l->modules_fd, &inode);
	if (mem == MAP_FAILED)
		return;
	module_set_record(l->modules, &(struct module_record){.kind = RECORD_MODULE,
							      .tgid = pid_to_proc(getpid()),
							      .inode = inode,
							      .start = (uintptr_t)mem,
							      .end = (uintptr_t)mem +
								     (u64)sysconf(_SC_PAGESIZE)});
	while (is_loading(l, inode) && monotonic_ns() < deadline && !nanosleep(&step, NULL))
		;
	munmap(mem, 1);
}

/* ---- programs ---- */

static bool add_program(const struct launched *l, const char *path, pid_t runs, pid_t only,
			bool *had)
{
	struct error err;

	*had = false;
	if (!probe_set_add_program(l->set, path, runs, only, had, &err))
		return true;
	log_debug(l->log, "%s", err.text);
	return false;
}

static u32 probes(const struct launched *l)
{
	struct probe_set_stats stats;

	probe_set_stats(l->set, &stats);
	return stats.probes;
}

/* Returns whether the probes of its program were there before. */
static bool probe_program(const struct launched *l, pid_t tgid)
{
	char path[PROCESS_PATH_MAX];
	u32 before = probes(l);
	bool had;

	process_path(tgid, "exe", path);
	add_program(l, path, tgid, 0, &had);
	if (probes(l) != before)
		seen_programs_place(l->programs, tgid, monotonic_ns());
	return had;
}

void launched_find(const struct launched *l, pid_t tgid)
{
	probe_program(l, tgid);
}

static void program_began(const struct launched *l, pid_t tgid, u64 time)
{
	bool had = probe_program(l, tgid);

	seen_programs_begin(l->programs, tgid, time, had);
}

static void expect_program(const struct launched *l, pid_t tgid, const struct new_process *question)
{
	bool spawns = question->asks == ALLOC_FN_USDT_SPAWN;
	char path[PROCESS_PATH_MAX];
	struct error err;
	bool had;

	snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)tgid, (u32)question->file);
	load_table(l, path, question->inode);
	if (!add_program(l, path, tgid, spawns ? 0 : tgid, &had) || spawns)
		return;
	if (!(question->file & SAMPLER_FILE_DYNAMIC)) {
		seen_programs_expect(l->programs, tgid);
		return;
	}
	/* Until its exec a vfork child has the memory of its parent, which must not get probes. */
	if (question->shares_memory)
		return;
	if (probe_set_expect_mapped(l->set, tgid, &err))
		log_debug(l->log, "%s", err.text);
	else
		seen_programs_expect(l->programs, tgid);
}

/* It waits since its first allocations, which are those of the dynamic linker. */
static void probe_bypassed(const struct launched *l, pid_t tgid, const struct new_process *question)
{
	char path[PROCESS_PATH_MAX];
	struct error err;

	process_path(tgid, "exe", path);
	load_table(l, path, question->inode);
	if (probe_set_add_process(l->set, tgid, &err))
		log_debug(l->log, "%s", err.text);
	else
		seen_programs_begin(l->programs, tgid, monotonic_ns(), true);
}

void launched_ignore(const struct launched *l, const struct new_process *question)
{
	if (question->asks && question->inode)
		bpf_map_delete_elem(l->modules_fd, &question->inode);
}

void launched_hear(const struct launched *l, const struct new_process *news)
{
	pid_t tgid;

	if (news->ended)
		seen_programs_add(l->programs, news);
	if (news->ended || pid_from_proc(news->tgid, &tgid)) {
		launched_ignore(l, news);
		return;
	}
	if (news->asks) {
		if (news->asks == ALLOC_FN_USDT_BYPASSED)
			probe_bypassed(l, tgid, news);
		else
			expect_program(l, tgid, news);
		answer(l, tgid, news);
	} else if (news->exec) {
		program_began(l, tgid, news->time);
	}
}
