/* SPDX-License-Identifier: Apache-2.0 */
/* Variables by their address, in this very process and in symbol tables that lie. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/wait/lock_names.h"
#include "symbol/data_symbol.h"
#include "unit.h"

/* It is as large as a mutex, without a red zone after it, because sizes decide about names. */
#ifdef __clang__
__attribute__((no_sanitize("address")))
#endif
pthread_mutex_t lock_of_the_test = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char before[0x148];
	pthread_mutex_t lock;
} big_of_the_test;

/* Returns every file that this process runs, as a recording would have them. */
static struct module_set *own_modules(void)
{
	struct module_set *set;
	map_vec maps = {0};

	CHECK_INT(module_set_new(NULL, NULL, &set), 0);
	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		struct module *m;

		if (e->executable && e->inode && !module_open_entry(NULL, getpid(), e, &m))
			CHECK(module_set_add(set, m) > 0);
	}
	maps_release(&maps);
	return set;
}

TEST(lock_names, a_global_by_its_name)
{
	struct module_set *set = own_modules();
	struct lock_names *names;
	const char *name;

	CHECK_INT(lock_names_new(set, &names), 0);
	name = lock_names_find(names, getpid(), (u64)(uintptr_t)&lock_of_the_test);
	CHECK(name);
	CHECK_STR(name, "lock_of_the_test");
	name = lock_names_find(names, getpid(), (u64)(uintptr_t)&lock_of_the_test + 8);
	CHECK(name);
	CHECK_STR(name, "lock_of_the_test");
	lock_names_free(names);
	module_set_free(set);
}

TEST(lock_names, inside_something_big_with_the_distance)
{
	struct module_set *set = own_modules();
	struct lock_names *names;
	const char *name;

	pthread_mutex_lock(&big_of_the_test.lock); /* keeps it in the program */
	CHECK_INT(lock_names_new(set, &names), 0);
	name = lock_names_find(names, getpid(), (u64)(uintptr_t)&big_of_the_test.lock);
	CHECK(name);
	CHECK_STR(name, "big_of_the_test+0x148");
	lock_names_free(names);
	module_set_free(set);
}

TEST(lock_names, none_on_the_heap_on_the_stack_and_nowhere)
{
	struct module_set *set = own_modules();
	struct lock_names *names;
	char *heap = malloc(64);
	int stack;

	CHECK_INT(lock_names_new(set, &names), 0);
	CHECK(!lock_names_find(names, getpid(), (u64)(uintptr_t)heap));
	CHECK(!lock_names_find(names, getpid(), (u64)(uintptr_t)&stack));
	CHECK(!lock_names_find(names, getpid(), 0));
	CHECK(!lock_names_find(names, getpid(), ~0ull));
	free(heap);
	lock_names_free(names);
	module_set_free(set);
}

TEST(lock_names, of_a_process_that_is_gone_as_they_were_noted)
{
	struct module_set *set = own_modules();
	struct lock_names *names;

	CHECK_INT(lock_names_new(set, &names), 0);
	lock_names_note(names, 0x3fffffff); /* beyond PID_MAX_LIMIT */
	CHECK(!lock_names_find(names, 0x3fffffff, (u64)(uintptr_t)&lock_of_the_test));
	lock_names_free(names);
	module_set_free(set);
}

TEST(lock_names, what_is_remembered_is_bounded)
{
	struct module_set *set = own_modules();
	struct lock_names *names;
	const char *name;

	CHECK_INT(lock_names_new(set, &names), 0);
	lock_names_note(names, getpid());
	for (pid_t i = 0; i < 2 * (pid_t)LOCK_NAMES_PROCESSES_MAX; i++)
		lock_names_note(names, 900000000 + i);
	CHECK_INT(lock_names_processes(names), LOCK_NAMES_PROCESSES_MAX);
	/* Our process has not ended, so it is among them, and it is found after however many
	 * others. */
	for (u64 i = 0; i < LOCK_NAMES_MAX + 1000; i++)
		CHECK(!lock_names_find(names, 900000000, i * 8));
	name = lock_names_find(names, getpid(), (u64)(uintptr_t)&lock_of_the_test);
	CHECK(name && strstr(name, "lock_of_the_test"));
	lock_names_free(names);
	module_set_free(set);
}
