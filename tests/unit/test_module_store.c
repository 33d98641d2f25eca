/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that files are opened once and numbered once, and that recordings share them. */
#include "unit.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/session/module_set.h"
#include "collect/session/module_store_impl.h"
#include "store_fixture.h"
#include "target/maps.h"
#include "target/pid_space.h"

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
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *set = store_fixture_set(s);
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
	CHECK_INT(store_fixture_stats(s).opened, 1);
	CHECK(!module_set_wait(set));
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}

TEST(module_store, a_stack_asks_once)
{
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *set = store_fixture_set(s);
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);

	CHECK_INT(module_set_number(set, getpid(), &e), -EAGAIN);
	CHECK_INT(module_set_number(set, getpid(), &e), -EAGAIN);
	/* The kernel reports it meanwhile. */
	record(s, set, getpid(), &e, 42);
	CHECK(module_set_wait(set));
	CHECK(module_set_number(set, getpid(), &e) >= MODULE_FIRST_FILE);
	CHECK_INT(number_seen(s, 42), module_set_number(set, getpid(), &e));
	CHECK_INT(store_fixture_stats(s).opened, 1);
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
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *set = store_fixture_set(s);
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
	CHECK_INT(store_fixture_stats(s).failed, 1);
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}

/* A file that is hidden even from root, or no longer a file, is not tried again for a second. */
TEST(module_store, what_cannot_be_opened_is_not_tried_at_each_sample)
{
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *set = store_fixture_set(s);
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
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *set = store_fixture_set(s);
	u64 token = 42;
	u32 loading = 0;

	CHECK_INT(bpf_map_update_elem(s->maps.modules_fd, &token, &loading, BPF_ANY), 0);
	module_set_free(set);
	CHECK_INT(number_seen(s, token), -1);
	module_store_free(s);
}

/* ---- several recordings ---- */

TEST(module_store, a_second_recording_opens_and_compiles_nothing)
{
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *first = store_fixture_set(s), *second;
	struct module_store_stats before;
	map_vec maps = {0};
	u32 files = 0;

	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (e->executable && e->inode)
			files += module_set_number(first, getpid(), e) == -EAGAIN;
	}
	CHECK(module_set_wait(first));
	before = store_fixture_stats(s);
	CHECK_INT(before.opened, files);
	second = store_fixture_set(s);
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
	CHECK_INT(store_fixture_stats(s).opened, before.opened);
	CHECK_INT(store_fixture_stats(s).compiled, before.compiled);
	CHECK_INT(store_fixture_stats(s).pages, before.pages);
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
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *a = store_fixture_set(s), *b = store_fixture_set(s);
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);

	CHECK_INT(module_set_number(a, getpid(), &e), -EAGAIN);
	CHECK_INT(module_set_number(b, getpid(), &e), -EAGAIN);
	CHECK(module_set_wait(a));
	CHECK(module_set_ready(b));
	CHECK(module_set_take(b));
	CHECK(!module_set_take(b));
	CHECK_INT(module_set_number(b, getpid(), &e), module_set_number(a, getpid(), &e));
	CHECK_INT(store_fixture_stats(s).opened, 1);
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
	struct module_store *s = store_fixture_new(NULL);
	struct module_set *set = store_fixture_set(s);
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
	CHECK(store_fixture_stats(s).opened <= files);
	CHECK_INT(store_fixture_stats(s).opened, store_fixture_stats(s).compiled);
	module_set_free(set);
	module_store_free(s);
	maps_release(&maps);
}
