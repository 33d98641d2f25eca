/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that files are evicted when there are many, and that memory and numbers return. */
#include "unit.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/session/module_set.h"
#include "collect/session/module_store_impl.h"
#include "store_fixture.h"
#include "target/maps.h"

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
		if (i > 10 && store_fixture_stats(s).kept <= kept)
			return;
		usleep(50000);
	}
}

static const struct module_store_options small = {
	.max_files = 16, .idle_ms = 1, .grace_ms = 1, .max_kept = 8};

TEST(module_evict, memory_returns_when_files_come_and_go)
{
	struct module_store *s = store_fixture_new(&small);
	struct module_set *set = store_fixture_set(s);
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
	CHECK_INT(store_fixture_stats(s).opened, COPIES_MAX);
	CHECK_INT(store_fixture_stats(s).compiled, COPIES_MAX);
	CHECK(store_fixture_stats(s).nevicted >= COPIES_MAX - small.max_files);
	CHECK(store_fixture_stats(s).nloaded <= small.max_files);
	CHECK_INT(store_fixture_stats(s).kept, 0);
	/* Each file that is still there takes two descriptors: its own, and its process' root. */
	CHECK(open_files() <= files + 2 * small.max_files);
	/* These are the pages of one program, times the files, and those of the vdso. */
	pages = store_fixture_stats(s).pages;
	CHECK(pages <= (small.max_files + 1) * 8);
	CHECK_INT(store_fixture_stats(s).chunks, 1);
	module_set_free(set);
	module_store_free(s);
	copies_end(&c);
}

/* Samples refer to their file by its number, whatever its slot is used for now. */
TEST(module_evict, numbers_that_samples_have_stay_those_of_their_files)
{
	struct module_store *s = store_fixture_new(&small);
	struct module_set *set = store_fixture_set(s);
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
	CHECK(store_fixture_stats(s).nloaded <= small.max_files);
	CHECK(store_fixture_stats(s).kept >= ARRAY_LEN(numbers) - small.max_files);
	CHECK_INT(store_fixture_stats(s).kept - store_fixture_stats(s).closed, small.max_kept);
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
	CHECK_INT(store_fixture_stats(s).kept, 0);
	CHECK(!module_set_get(set, numbers[0]));
	module_set_free(set);
	module_store_free(s);
	copies_end(&c);
}

/* A file that is seen stays, however many others come. */
TEST(module_evict, a_file_that_is_seen_stays)
{
	const struct module_store_options opt = {.max_files = 8, .idle_ms = 700, .grace_ms = 1};
	struct module_store *s = store_fixture_new(&opt);
	struct module_set *set = store_fixture_set(s);
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
	CHECK(store_fixture_stats(s).nevicted > 10);
	CHECK(module_set_get(set, number));
	CHECK_INT(s->by_number[number]->state, STORE_LOADED);
	module_set_free(set);
	module_store_free(s);
	copies_end(&c);
}
