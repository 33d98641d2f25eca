/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes have probes in which files, with files and processes that are made up. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/probe/probe_set.h"
#include "fixture.h"
#include "short_memory.h"
#include "target/module.h"

#define ENDED 0x7ffffff0 /* no process ever has this number, so it counts as one that has ended */
#define FILES_MAX 2048

/* What the operations of the set saw and decided. */
struct world {
	struct module_set *modules;
	struct uprobe_pins *pins;
	struct probe_set *set;
	u32 reads, released, attached;
	u32 space; /* how many files with functions may exist */
	u64 gone; /* what is mapped here cannot be attached to any more */
	int last_link; /* a descriptor */
	u32 functions; /* files with functions that exist now */
};

struct made_up_file {
	struct probed_file base;
	bool functions;
};

/* "alloc" in its name stands for functions, and "sampler" for an exclusive file. */
static int read_file(void *arg, struct elf_file *elf, const char *path, struct probed_file **out)
{
	struct world *w = arg;
	bool functions = strstr(path, "alloc") || strstr(path, "sampler");
	struct made_up_file *f;

	CHECK(elf);
	w->reads++;
	if (functions && w->functions == w->space)
		return -ENOSPC;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->functions = functions;
	f->base.exclusive = strstr(path, "sampler");
	if (functions && code_spans_add_place(&f->base.probed, 4096)) {
		free(f);
		return -ENOMEM;
	}
	w->functions += functions;
	*out = &f->base;
	return 0;
}

static void release_file(void *arg, struct probed_file *base)
{
	struct made_up_file *f = (struct made_up_file *)base;
	struct world *w = arg;

	CHECK_INT(f->base.users, 0);
	w->released++;
	w->functions -= f->functions;
	vec_release(&f->base.probed);
	free(f);
}

static int attach_file(void *arg, const struct probed_file *base, struct attach_target *t)
{
	struct world *w = arg;
	char gone[32];

	if (!((const struct made_up_file *)base)->functions)
		return 0;
	snprintf(gone, sizeof(gone), "/%llx-", (unsigned long long)w->gone);
	if (w->gone && strstr(t->path, gone))
		return -ENOENT;
	w->last_link = eventfd(0, EFD_CLOEXEC);
	CHECK(w->last_link >= 0);
	if (vec_push(t->links, (struct uprobe_link){.fd = w->last_link})) {
		close(w->last_link);
		return -ENOMEM;
	}
	w->attached++;
	t->attached++;
	return 0;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void begin(struct world *w, u32 unused_max)
{
	static const struct probe_set_ops ops = {
		.read = read_file, .release = release_file, .attach = attach_file};

	*w = (struct world){.space = FILES_MAX};
	CHECK_INT(module_set_new(NULL, NULL, &w->modules), 0);
	CHECK_INT(uprobe_pins_new(false, &(struct collect_options){.log = NULL}, &w->pins), 0);
	CHECK_INT(probe_set_new(&(struct probe_set_options){.ops = &ops,
							    .arg = w,
							    .pins = w->pins,
							    .modules = w->modules,
							    .unused_max = unused_max},
				&w->set),
		  0);
}

static void end(struct world *w)
{
	probe_set_free(w->set);
	CHECK_INT(w->functions, 0);
	uprobe_pins_free(w->pins);
	module_set_free(w->modules);
}

/* Makes the file known to the modules, as if it had been opened. */
static void make_file(struct world *w, u64 inode, const char *path)
{
	Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					 ELFDATA2LSB, EV_CURRENT},
			     .e_type = ET_DYN,
			     .e_machine = EM_X86_64,
			     .e_version = EV_CURRENT,
			     .e_ehsize = sizeof(header)};
	struct module *m = calloc(1, sizeof(*m));

	CHECK(m);
	m->kind = MODULE_KIND_FILE;
	m->root = TARGET_ROOT_NONE;
	m->plain = INPUT_FILE_NONE;
	m->path = strdup(path);
	m->inode = inode;
	m->dev_major = 7;
	CHECK_INT(
		elf_file_open_memory((struct bytes){(const u8 *)&header, sizeof(header)}, &m->elf),
		0);
	CHECK(module_set_add(w->modules, m) > 0);
}

/* Maps a file executable at a place. */
static struct map_entry at(u64 start, u64 inode, const char *path)
{
	return (struct map_entry){.start = start,
				  .end = start + 4096,
				  .inode = inode,
				  .dev_major = 7,
				  .readable = true,
				  .executable = true,
				  .path = (char *)path};
}

static int search(struct world *w, pid_t tgid, const struct map_entry *entries, size_t n)
{
	const map_vec maps = {.data = (struct map_entry *)entries, .len = n};
	struct error err;

	return probe_set_add_mapped(w->set, tgid, &maps, &err);
}

/* Returns a process that lives as long as this one. */
static pid_t living(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static struct probe_set_stats stats_of(const struct world *w)
{
	struct probe_set_stats stats;

	probe_set_stats(w->set, &stats);
	return stats;
}

TEST(probe_set, a_file_is_read_once_and_attached_once_for_each_process)
{
	const struct map_entry maps[] = {at(0x1000, 1, "program"), at(0x8000, 2, "liballoc.so"),
					 at(0x9000, 2, "liballoc.so")};
	struct world w;

	begin(&w, 0);
	make_file(&w, 1, "program");
	make_file(&w, 2, "liballoc.so");
	for (int round = 0; round < 3; round++) {
		for (pid_t tgid = ENDED; tgid < ENDED + 3; tgid++)
			CHECK_INT(search(&w, tgid, maps, 3), 0);
	}
	CHECK_INT(w.reads, 2);
	CHECK_INT(w.attached, 3);
	CHECK_INT(stats_of(&w).probes, 3);
	CHECK_INT(stats_of(&w).processes, 3);
	CHECK_INT(stats_of(&w).files, 2);
	CHECK_INT(search(&w, ENDED, maps, 0), -ESRCH);
	end(&w);
	CHECK_INT(w.released, 2);
}

TEST(probe_set, what_is_unmapped_while_it_is_attached)
{
	const struct map_entry maps[] = {at(0x8000, 2, "liballoc.so"),
					 at(0x9000, 2, "liballoc.so")};
	struct world w;

	begin(&w, 0);
	make_file(&w, 2, "liballoc.so");
	/* Nothing is attached, and it is tried again. */
	w.gone = 0x8000;
	CHECK_INT(search(&w, ENDED, maps, 1), 0);
	CHECK_INT(stats_of(&w).probes, 0);
	w.gone = 0;
	CHECK_INT(search(&w, ENDED, maps, 1), 0);
	CHECK_INT(stats_of(&w).probes, 1);
	/* Another mapping of the file does as well. */
	w.gone = 0x8000;
	CHECK_INT(search(&w, ENDED + 1, maps, 2), 0);
	CHECK_INT(stats_of(&w).probes, 2);
	end(&w);
}

TEST(probe_set, processes_that_have_ended_or_have_the_number_of_another_one)
{
	const struct map_entry maps[] = {at(0x8000, 2, "liballoc.so")};
	struct world w;
	int ended, ours;

	begin(&w, 0);
	make_file(&w, 2, "liballoc.so");
	CHECK_INT(search(&w, ENDED, maps, 1), 0);
	ended = w.last_link;
	CHECK_INT(search(&w, getpid(), maps, 1), 0);
	ours = w.last_link;
	CHECK(is_open(ended) && is_open(ours));
	probe_set_forget_ended(w.set);
	CHECK(!is_open(ended) && is_open(ours));
	CHECK_INT(stats_of(&w).processes, 1);
	probe_set_forget(w.set, getpid());
	CHECK(!is_open(ours));
	probe_set_forget(w.set, getpid());
	/* It is another process now, which has no probes yet. */
	CHECK_INT(search(&w, getpid(), maps, 1), 0);
	CHECK_INT(w.attached, 3);
	probe_set_detach(w.set);
	CHECK(!is_open(w.last_link));
	CHECK_INT(stats_of(&w).processes, 0);
	end(&w);
}

TEST(probe_set, an_exclusive_file_counts_in_the_first_search_only)
{
	const struct map_entry maps[] = {at(0x8000, 2, "liballoc.so"), at(0x9000, 3, "sampler.so")};
	struct world w;

	begin(&w, 0);
	make_file(&w, 2, "liballoc.so");
	make_file(&w, 3, "sampler.so");
	CHECK_INT(search(&w, ENDED, maps, 2), 0);
	CHECK_INT(w.attached, 1);
	CHECK_INT(search(&w, ENDED + 1, maps, 1), 0);
	CHECK_INT(w.attached, 2);
	CHECK_INT(search(&w, ENDED + 1, maps, 2), 0);
	CHECK_INT(w.attached, 2);
	end(&w);
}

TEST(probe_set, files_of_thousands_of_programs_are_released)
{
	struct world w;

	begin(&w, 8);
	for (u32 i = 0; i < 1000; i++) {
		const struct map_entry map = at(0x8000, 100 + i, "static-alloc");

		make_file(&w, 100 + i, "static-alloc");
		CHECK_INT(search(&w, ENDED + (pid_t)(i % 4), &map, 1), 0);
		CHECK_INT(search(&w, ENDED + (pid_t)(i % 4), &map, 1), 0);
		probe_set_forget(w.set, ENDED + (pid_t)(i % 4));
		CHECK(stats_of(&w).files <= 9);
	}
	CHECK_INT(w.reads, 1000);
	CHECK_INT(w.released, 992);
	end(&w);
	CHECK_INT(w.released, 1000);
}

TEST(probe_set, a_file_that_finds_no_space_gets_that_of_one_that_is_not_used)
{
	const struct map_entry maps[] = {at(0x8000, 2, "a-alloc"), at(0x8000, 3, "b-alloc"),
					 at(0x8000, 4, "c-alloc"), at(0x9000, 5, "d-alloc")};
	struct world w;
	pid_t pid[5];

	begin(&w, 0);
	for (u32 i = 0; i < 4; i++)
		make_file(&w, 2 + i, maps[i].path);
	for (u32 i = 0; i < 5; i++)
		pid[i] = living();
	w.space = 2;
	for (u32 i = 0; i < 3; i++)
		CHECK_INT(search(&w, pid[i], &maps[i], 1), 0);
	CHECK_INT(w.attached, 2);
	CHECK_INT(stats_of(&w).refused, 1);
	/* It is not read again as long as nothing has changed, and it counts once. */
	CHECK_INT(search(&w, pid[2], &maps[2], 1), 0);
	CHECK_INT(search(&w, pid[3], &maps[2], 1), 0);
	CHECK_INT(w.reads, 3);
	CHECK_INT(stats_of(&w).refused, 1);
	/* A process ends. */
	probe_set_forget(w.set, pid[0]);
	CHECK_INT(w.functions, 1); /* it does not stay, because another one waits */
	CHECK_INT(search(&w, pid[2], &maps[2], 1), 0);
	CHECK_INT(search(&w, pid[3], &maps[2], 1), 0);
	CHECK_INT(w.attached, 4);
	CHECK_INT(w.reads, 4);
	/* Nothing waits, so this one stays until its space is needed. */
	probe_set_forget(w.set, pid[1]);
	CHECK_INT(w.functions, 2);
	CHECK_INT(search(&w, pid[4], &maps[3], 1), 0);
	CHECK_INT(w.attached, 5);
	CHECK_INT(stats_of(&w).refused, 1);
	end(&w);
}

TEST(probe_set, a_file_that_was_unmapped_gives_its_space_only_when_it_is_needed)
{
	const struct map_entry program = at(0x1000, 1, "program"),
			       plugin = at(0x8000, 2, "alloc.so"),
			       other = at(0x8000, 3, "alloc2.so"), both[] = {program, plugin};
	const pid_t pid = living();
	struct world w;
	int link;

	begin(&w, 0);
	make_file(&w, 1, "program");
	make_file(&w, 2, "alloc.so");
	make_file(&w, 3, "alloc2.so");
	w.space = 1;
	CHECK_INT(search(&w, pid, both, 2), 0);
	link = w.last_link;
	for (int i = 0; i < 3; i++)
		CHECK_INT(search(&w, pid, &program, 1), 0);
	CHECK(is_open(link)); /* dlopen() may map it again */
	CHECK_INT(search(&w, getpid(), &other, 1), 0);
	CHECK(!is_open(link) || w.last_link == link);
	CHECK_INT(w.attached, 2);
	CHECK_INT(stats_of(&w).refused, 0);
	end(&w);
}

/* The processes that have it ended without notice, or nobody has waited for them. */
TEST(probe_set, what_has_ended_gives_its_space_when_it_is_needed)
{
	const struct map_entry maps[] = {at(0x8000, 2, "a-alloc"), at(0x8000, 3, "b-alloc"),
					 at(0x8000, 4, "c-alloc")};
	const pid_t zombie = living();
	siginfo_t info;
	struct world w;

	begin(&w, 0);
	for (u32 i = 0; i < 3; i++)
		make_file(&w, 2 + i, maps[i].path);
	w.space = 1;
	CHECK_INT(search(&w, ENDED, &maps[0], 1), 0);
	CHECK_INT(search(&w, zombie, &maps[1], 1), 0);
	kill(zombie, SIGKILL);
	CHECK_INT(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
	CHECK_INT(search(&w, getpid(), &maps[2], 1), 0);
	CHECK_INT(w.attached, 3);
	CHECK_INT(stats_of(&w).refused, 0);
	end(&w);
}

/* Returns our only executable mapping of a file. */
static struct map_entry map_fixture(const char *path, map_vec *maps)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *mem = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	CHECK(fd >= 0 && mem != MAP_FAILED);
	close(fd);
	CHECK_INT(maps_read(getpid(), maps), 0);
	vec_for_each(maps, e) {
		if (e->start == (u64)(uintptr_t)mem)
			return *e;
	}
	unit_fail(__FILE__, __LINE__, "it is not mapped");
}

TEST(probe_set, a_file_that_has_changed_while_no_process_had_it)
{
	const char *path;
	struct map_entry e;
	map_vec maps = {0};
	struct world w;

	if (geteuid())
		unit_skip("map_files needs root");
	fixture_run("cp /proc/self/exe liballoc.so");
	path = strdup(fixture_path("liballoc.so"));
	e = map_fixture(path, &maps);
	begin(&w, 0);
	CHECK_INT(search(&w, getpid(), &e, 1), 0);
	CHECK_INT(w.reads, 1);
	probe_set_forget(w.set, getpid());
	CHECK_INT(search(&w, getpid(), &e, 1), 0);
	CHECK_INT(w.reads, 1);
	CHECK_INT(w.attached, 2);
	probe_set_forget(w.set, getpid());
	usleep(20000); /* times of files have the resolution of a timer tick */
	CHECK_INT(chmod(path, 0700), 0);
	CHECK_INT(search(&w, getpid(), &e, 1), 0);
	CHECK_INT(w.reads, 2);
	CHECK_INT(w.released, 1);
	CHECK_INT(w.attached, 3);
	end(&w);
	maps_release(&maps);
	free((char *)path);
}

TEST(probe_set, memory_that_runs_out)
{
	const struct map_entry maps[] = {at(0x1000, 1, "program"), at(0x8000, 2, "liballoc.so")};
	bool failed = true;

	for (long after = 0; failed; after++) {
		struct world w;

		begin(&w, 0);
		make_file(&w, 1, "program");
		make_file(&w, 2, "liballoc.so");
		short_memory_after(after);
		failed = search(&w, ENDED, maps, 2) == -ENOMEM;
		short_memory_after(-1);
		CHECK(after < 100);
		/* What failed is done again. */
		CHECK_INT(search(&w, ENDED, maps, 2), 0);
		CHECK(is_open(w.last_link));
		CHECK_INT(search(&w, ENDED, maps, 2), 0);
		CHECK(w.attached <= 2);
		end(&w);
	}
}
