/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that files are opened once, numbered once, and evicted when no recording needs them. */
#include "unit.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/session/module_set.h"
#include "collect/session/module_store_impl.h"
#include "target/maps.h"
#include "target/pid_space.h"

static struct module_store *new_store(const struct module_store_options *opt)
{
	const struct module_store_options usual = {.readers = NULL};
	struct module_store *s;

	CHECK_INT(module_store_new(opt ? opt : &usual, &s), 0);
	if (!s->maps.state)
		unit_skip("BPF maps need root");
	return s;
}

static struct module_set *new_set(struct module_store *s)
{
	struct module_set *set;

	CHECK_INT(module_set_new(s, NULL, &set), 0);
	return set;
}

static struct module_store_stats stats_of(struct module_store *s)
{
	struct module_store_stats stats;

	module_store_stats(s, &stats);
	return stats;
}

/* This is the mapping of this program's code as the kernel's record describes it. */
static struct map_entry our_code(map_vec *maps)
{
	CHECK_INT(maps_read(getpid(), maps), 0);
	vec_for_each(maps, e) {
		if (e->start <= (u64)(uintptr_t)our_code && (u64)(uintptr_t)our_code < e->end)
			return *e;
	}
	unit_fail(__FILE__, __LINE__, "no mapping of our own code");
}

static void record(struct module_store *s, struct module_set *set, pid_t tgid,
		   const struct map_entry *e, u64 token)
{
	const struct module_record r = {.kind = RECORD_MODULE,
					.tgid = pid_to_proc(tgid),
					.inode = token,
					.start = e->start,
					.end = e->end,
					.offset = e->offset};
	u32 loading = 0;

	CHECK_INT(bpf_map_update_elem(s->maps.modules_fd, &token, &loading, BPF_ANY), 0);
	module_set_record(set, &r);
}

/* It is -1 if the kernel would send a request. */
static int number_seen(struct module_store *s, u64 token)
{
	u32 number;

	return bpf_map_lookup_elem(s->maps.modules_fd, &token, &number) ? -1 : (int)number;
}

/* ---- one recording ---- */

TEST(module_store, a_file_has_one_number_whoever_asks)
{
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);
	struct module_table mt;
	u32 number, slot;

	record(s, set, getpid(), &e, 42);
	CHECK(module_set_wait(set));
	number = (u32)number_seen(s, 42);
	CHECK(number >= MODULE_FIRST_FILE && number < MODULE_MAX);
	slot = number % MODULE_SLOTS;
	CHECK_INT(bpf_map_lookup_elem(s->maps.tables.modules_fd, &slot, &mt), 0);
	CHECK_INT(mt.has_table, 1);
	/* An overlay shows the kernel another inode than maps does. */
	record(s, set, getpid(), &e, 43);
	CHECK(module_set_wait(set));
	CHECK_INT(number_seen(s, 43), number);
	CHECK_INT(module_set_number(set, getpid(), &e), number);
	CHECK_INT(stats_of(s).opened, 1);
	CHECK(!module_set_wait(set));
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}

TEST(module_store, a_stack_asks_once)
{
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);

	CHECK_INT(module_set_number(set, getpid(), &e), -EAGAIN);
	CHECK_INT(module_set_number(set, getpid(), &e), -EAGAIN);
	/* The kernel reports it meanwhile. */
	record(s, set, getpid(), &e, 42);
	CHECK(module_set_wait(set));
	CHECK(module_set_number(set, getpid(), &e) >= MODULE_FIRST_FILE);
	CHECK_INT(number_seen(s, 42), module_set_number(set, getpid(), &e));
	CHECK_INT(stats_of(s).opened, 1);
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}

static pid_t dead_process(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
	return pid;
}

/* The kernel must not send requests for each sample of a short-lived process' file. */
TEST(module_store, what_is_gone_is_asked_for_less_and_less)
{
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);
	pid_t gone = dead_process();
	int asked = 0, unknown = 0;

	for (int i = 0; i < 200; i++) {
		if (number_seen(s, 42) < 0) {
			record(s, set, gone, &e, 42);
			module_set_wait(set);
			asked++;
		}
		unknown += number_seen(s, 42) == MODULE_UNKNOWN;
		module_set_take(set);
		usleep(1000);
	}
	CHECK(asked >= 4 && asked < 50);
	CHECK(unknown >= 1);
	CHECK_INT(stats_of(s).failed, 1);
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}

/* A file that is hidden even from root, or no longer a file, is not tried again for a second. */
TEST(module_store, what_cannot_be_opened_is_not_tried_at_each_sample)
{
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	struct map_entry e = {.start = 4096,
			      .end = 8192,
			      .inode = 77,
			      .executable = true,
			      .path = (char *)"not a path"};

	CHECK_INT(module_set_number(set, getpid(), &e), -EAGAIN);
	CHECK(module_set_wait(set));
	for (int i = 0; i < 1000; i++)
		CHECK_INT(module_set_number(set, getpid(), &e), -ENOENT);
	CHECK(!module_set_wait(set));
	module_set_free(set);
	module_store_free(s);
}

/* When a recording ends, others can load the files that it told the kernel to wait for. */
TEST(module_store, what_nobody_loads_any_more_is_asked_for_by_the_next)
{
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	u64 token = 42;
	u32 loading = 0;

	CHECK_INT(bpf_map_update_elem(s->maps.modules_fd, &token, &loading, BPF_ANY), 0);
	module_set_free(set);
	CHECK_INT(number_seen(s, token), -1);
	module_store_free(s);
}

/* ---- many files ---- */

#define COPIES_MAX 400

/* Holds copies of a program. Each is an inode of its own that only its mapping keeps. */
struct copies {
	char dir[40];
	int n;
	void *at[COPIES_MAX];
};

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC),
	    out = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
	char buf[65536];
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_INT(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

static void copies_begin(struct copies *c)
{
	strcpy(c->dir, "/tmp/cprof-unit-XXXXXX");
	c->n = 0;
	CHECK(mkdtemp(c->dir));
}

static void copies_path(const struct copies *c, int i, char path[80])
{
	snprintf(path, 80, "%s/copy%d", c->dir, i);
}

/* Makes and maps one more copy, and returns its mapping. The caller owns the path. */
static struct map_entry copies_add(struct copies *c, bool keep_name)
{
	struct map_entry found = {.path = NULL};
	map_vec maps = {0};
	char path[80];
	int fd;

	CHECK(c->n < COPIES_MAX);
	copies_path(c, c->n, path);
	copy_file("/bin/true", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	c->at[c->n] = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(c->at[c->n] != MAP_FAILED);
	close(fd);
	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (e->start == (u64)(uintptr_t)c->at[c->n]) {
			found = *e;
			found.path = strdup(e->path);
		}
	}
	maps_release(&maps);
	CHECK(found.path);
	if (!keep_name)
		unlink(path);
	c->n++;
	return found;
}

static void copies_unmap(struct copies *c, int i)
{
	if (c->at[i])
		munmap(c->at[i], 4096);
	c->at[i] = NULL;
}

static void copies_end(struct copies *c)
{
	char path[80];

	for (int i = 0; i < c->n; i++) {
		copies_unmap(c, i);
		copies_path(c, i, path);
		unlink(path);
	}
	rmdir(c->dir);
}

static u32 load(struct module_set *set, struct copies *c, bool keep_name)
{
	struct map_entry e = copies_add(c, keep_name);
	int number = module_set_number(set, getpid(), &e);

	if (number == -EAGAIN) {
		CHECK(module_set_wait(set));
		number = module_set_number(set, getpid(), &e);
	}
	CHECK(number >= MODULE_FIRST_FILE);
	CHECK_STR(module_set_get(set, (u32)number)->path, e.path);
	free(e.path);
	return (u32)number;
}

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

struct needed {
	const u32 *numbers;
	size_t n;
};

static void mark_needed(void *arg, struct module_marks *m)
{
	const struct needed *needed = arg;

	for (size_t i = 0; i < needed->n; i++)
		module_mark(m, needed->numbers[i]);
}

/* Takes in results until nothing changes, or until so many rounds are over. */
static void settle(struct module_store *s, struct module_set *set, struct needed *needed, u32 kept)
{
	for (int i = 0; i < 200; i++) {
		module_set_take(set);
		module_set_sweep(set, mark_needed, needed);
		if (i > 10 && stats_of(s).kept <= kept)
			return;
		usleep(50000);
	}
}

static const struct module_store_options small = {
	.max_files = 16, .idle_ms = 1, .grace_ms = 1, .max_kept = 8};

TEST(module_store, memory_returns_when_files_come_and_go)
{
	struct module_store *s = new_store(&small);
	struct module_set *set = new_set(s);
	struct needed none = {.n = 0};
	size_t files = open_files();
	struct copies c;
	u32 pages;

	copies_begin(&c);
	for (int i = 0; i < COPIES_MAX; i++) {
		load(set, &c, false);
		copies_unmap(&c, i);
		module_set_take(set);
		module_set_sweep(set, mark_needed, &none);
		if (i % 40 == 39) /* it is tended five times a second, and swept once */
			settle(s, set, &none, 0);
	}
	settle(s, set, &none, 0);
	CHECK_INT(stats_of(s).opened, COPIES_MAX);
	CHECK_INT(stats_of(s).compiled, COPIES_MAX);
	CHECK(stats_of(s).nevicted >= COPIES_MAX - small.max_files);
	CHECK(stats_of(s).nloaded <= small.max_files);
	CHECK_INT(stats_of(s).kept, 0);
	/* Each file that is still there takes two descriptors: its own, and its process' root. */
	CHECK(open_files() <= files + 2 * small.max_files);
	/* These are the pages of one program, times the files, and those of the vdso. */
	pages = stats_of(s).pages;
	CHECK(pages <= (small.max_files + 1) * 8);
	CHECK_INT(stats_of(s).chunks, 1);
	module_set_free(set);
	module_store_free(s);
	copies_end(&c);
}

/* Samples refer to their file by its number, whatever its slot is used for now. */
TEST(module_store, numbers_that_samples_have_stay_those_of_their_files)
{
	struct module_store *s = new_store(&small);
	struct module_set *set = new_set(s);
	u32 numbers[100];
	struct needed all = {.numbers = numbers, .n = ARRAY_LEN(numbers)};
	u32 open = 0, named = 0;
	struct copies c;
	char path[80];

	copies_begin(&c);
	for (u32 i = 0; i < ARRAY_LEN(numbers); i++) {
		numbers[i] = load(set, &c, i % 2);
		copies_unmap(&c, (int)i);
		for (u32 k = 0; k < i; k++)
			CHECK(numbers[k] != numbers[i]);
	}
	settle(s, set, &all, 0);
	CHECK(stats_of(s).nloaded <= small.max_files);
	CHECK(stats_of(s).kept >= ARRAY_LEN(numbers) - small.max_files);
	CHECK_INT(stats_of(s).kept - stats_of(s).closed, small.max_kept);
	for (u32 i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct module *m = module_set_get(set, numbers[i]);

		copies_path(&c, (int)i, path);
		CHECK(m);
		CHECK_STR(m->path, path);
		open += m->elf != NULL;
	}
	CHECK(open <= small.max_kept + small.max_files);
	/* If its name is still there, a file that was closed is opened again for a profile. */
	module_set_reading(set, true);
	for (u32 i = 0; i < ARRAY_LEN(numbers); i++)
		named += module_set_reopen(set, numbers[i])->elf != NULL;
	CHECK(named >= ARRAY_LEN(numbers) / 2);
	module_set_reading(set, false);
	all.n = 0;
	settle(s, set, &all, 0);
	CHECK_INT(stats_of(s).kept, 0);
	CHECK(!module_set_get(set, numbers[0]));
	module_set_free(set);
	module_store_free(s);
	copies_end(&c);
}

/* A file that is seen stays, however many others come. */
TEST(module_store, a_file_that_is_met_stays)
{
	const struct module_store_options opt = {.max_files = 8, .idle_ms = 700, .grace_ms = 1};
	struct module_store *s = new_store(&opt);
	struct module_set *set = new_set(s);
	struct needed none = {.n = 0};
	struct copies c;
	u32 number, slot;

	copies_begin(&c);
	number = load(set, &c, false);
	slot = number % MODULE_SLOTS;
	for (int i = 1; i < 60; i++) {
		struct module_table mt;

		/* This is what a program of the kernel does. */
		CHECK_INT(bpf_map_lookup_elem(s->maps.tables.modules_fd, &slot, &mt), 0);
		CHECK_INT(mt.has_table, 1);
		mt.seen = (u32)s->maps.state->epoch;
		CHECK_INT(bpf_map_update_elem(s->maps.tables.modules_fd, &slot, &mt, BPF_ANY), 0);
		load(set, &c, false);
		copies_unmap(&c, i);
		module_set_take(set);
		module_set_sweep(set, mark_needed, &none);
		usleep(60000);
	}
	CHECK(stats_of(s).nevicted > 10);
	CHECK(module_set_get(set, number));
	CHECK_INT(s->by_number[number]->state, STORE_LOADED);
	module_set_free(set);
	module_store_free(s);
	copies_end(&c);
}

/* Roots of processes that have ended are closed before those of processes that run. */
TEST(module_store, roots_of_jit_processes_are_bounded)
{
	const struct proc_pid self = pid_to_proc(getpid());
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	struct module_set_stats stats;

	module_set_note_jit(set, self);
	for (u32 i = 0; i < 4 * MODULE_SET_JIT_MAX; i++)
		module_set_note_jit(set, (struct proc_pid){900000000 + i});
	module_set_stats(set, &stats);
	CHECK_INT(stats.jit, MODULE_SET_JIT_MAX);
	CHECK(module_set_jit(set, self)->root.fd >= 0);
	module_set_stats(set, &stats);
	CHECK_INT(stats.jit, MODULE_SET_JIT_MAX); /* ours was still among them */
	module_set_free(set);
	module_store_free(s);
}

/* ---- several recordings ---- */

TEST(module_store, a_second_recording_opens_and_compiles_nothing)
{
	struct module_store *s = new_store(NULL);
	struct module_set *first = new_set(s), *second;
	struct module_store_stats before;
	map_vec maps = {0};
	u32 files = 0;

	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (e->executable && e->inode)
			files += module_set_number(first, getpid(), e) == -EAGAIN;
	}
	CHECK(module_set_wait(first));
	before = stats_of(s);
	CHECK_INT(before.opened, files);
	second = new_set(s);
	vec_for_each(&maps, e) {
		int number;

		if (!e->executable || !e->inode)
			continue;
		number = module_set_number(second, getpid(), e);
		CHECK(number >= MODULE_FIRST_FILE);
		CHECK_INT(number, module_set_number(first, getpid(), e));
		CHECK(module_set_get(second, (u32)number) == module_set_get(first, (u32)number));
	}
	CHECK(!module_set_wait(second));
	CHECK_INT(stats_of(s).opened, before.opened);
	CHECK_INT(stats_of(s).compiled, before.compiled);
	CHECK_INT(stats_of(s).pages, before.pages);
	/* What the first one had stays for the second. */
	module_set_free(first);
	vec_for_each(&maps, e) {
		if (e->executable && e->inode)
			CHECK(module_set_get(second, (u32)module_set_find(second, e)));
	}
	module_set_free(second);
	module_store_free(s);
	maps_release(&maps);
}

/* When one of them takes in a file that both requested, the other one is notified. */
TEST(module_store, both_that_wait_for_a_file_hear_of_it)
{
	struct module_store *s = new_store(NULL);
	struct module_set *a = new_set(s), *b = new_set(s);
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);

	CHECK_INT(module_set_number(a, getpid(), &e), -EAGAIN);
	CHECK_INT(module_set_number(b, getpid(), &e), -EAGAIN);
	CHECK(module_set_wait(a));
	CHECK(module_set_ready(b));
	CHECK(module_set_take(b));
	CHECK(!module_set_take(b));
	CHECK_INT(module_set_number(b, getpid(), &e), module_set_number(a, getpid(), &e));
	CHECK_INT(stats_of(s).opened, 1);
	module_set_free(a);
	module_set_free(b);
	module_store_free(s);
	maps_release(&maps);
}

struct reader {
	struct module_set *set;
	const map_vec *maps;
	u32 borrowed;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;

	for (int round = 0; round < 20; round++) {
		vec_for_each(r->maps, e) {
			struct borrowed_module m;
			struct elf_section dynsym;

			if (!e->executable || !e->inode ||
			    !module_set_borrow(r->set, getpid(), e, &m))
				continue;
			if (m.module->elf && !elf_file_section(m.module->elf, ".dynsym", &dynsym))
				r->borrowed++;
			module_set_give_back(r->set, &m);
		}
	}
	return NULL;
}

/* Threads that place probes read the files that were opened for unwinding, one thread at a time. */
TEST(module_store, files_are_borrowed_by_threads)
{
	struct module_store *s = new_store(NULL);
	struct module_set *set = new_set(s);
	map_vec maps = {0};
	struct reader readers[4];
	pthread_t threads[4];
	u32 files = 0;

	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e)
		files += e->executable && e->inode;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		readers[i] = (struct reader){.set = set, .maps = &maps};
		CHECK_INT(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		CHECK_INT(readers[i].borrowed, readers[0].borrowed);
		CHECK(readers[i].borrowed > 0);
	}
	CHECK(stats_of(s).opened <= files);
	CHECK_INT(stats_of(s).opened, stats_of(s).compiled);
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}
