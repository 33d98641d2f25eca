/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of a dump: which of them have what others wait for, and how they are shown. */
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/threads/thread_memory.h"
#include "collect/threads/thread_owners.h"
#include "collect/threads/thread_samples.h"
#include "format/thread_list.h"
#include "format/threads.h"
#include "format_fixture.h"
#include "unit.h"

/* Adds a thread of process `tgid` that waits for a mutex of glibc which `owner` holds. */
static struct seen_thread *waiter(struct thread_table *t, u32 tgid, u32 tid, u32 owner)
{
	struct thread_state s = {.syscall = SYS_futex,
				 .cause = WAIT_LOCK,
				 .object = 0x1000 + tid,
				 .inner = {tid},
				 .argument = {0x1000 + tid, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2}};
	struct seen_thread *seen;

	s.record.key.tid.nr = tid + 4000; /* it is in a PID namespace */
	s.record.key.tgid.nr = tgid;
	seen = thread_table_note(t, &s);
	CHECK(seen);
	seen->settled = seen->has_word = true;
	seen->word[0] = 2;
	seen->word[OWNER_WORD] = owner;
	return seen;
}

static u32 rings(struct thread_table *t)
{
	thread_owners_find(t);
	return thread_rings_find(t);
}

TEST(threads, all_rings_are_found_but_not_those_who_only_lead_to_them)
{
	struct thread_table t = {0};
	struct seen_thread *outside = waiter(&t, 7, 10, 11), *a = waiter(&t, 7, 11, 12),
			   *b = waiter(&t, 7, 12, 11), *c = waiter(&t, 8, 20, 20);

	CHECK_INT(rings(&t), 2);
	CHECK_INT(outside->ring, 0);
	CHECK(outside->owner == a);
	CHECK_INT(a->ring, 1);
	CHECK_INT(b->ring, 1);
	CHECK_INT(c->ring, 2); /* a thread can wait for itself */
	thread_table_release(&t);
}

TEST(threads, a_wait_with_a_limit_or_a_thread_that_moved_is_no_deadlock)
{
	struct thread_table t = {0};
	struct seen_thread *a = waiter(&t, 7, 11, 12), *b = waiter(&t, 7, 12, 11);

	a->state.timed = 1;
	CHECK_INT(rings(&t), 0);
	CHECK(a->owner == b);
	a->state.timed = 0;
	b->moved = true;
	CHECK_INT(rings(&t), 0);
	CHECK(!b->owner);
	thread_table_release(&t);
}

TEST(threads, owners_in_other_processes_need_a_shared_lock)
{
	struct thread_table t = {0};
	struct seen_thread *a = waiter(&t, 7, 11, 12), *b = waiter(&t, 8, 12, 11);

	CHECK_INT(rings(&t), 0);
	a->state.argument[1] = b->state.argument[1] = FUTEX_WAIT;
	CHECK_INT(rings(&t), 1);
	CHECK(a->owner == b);
	thread_table_release(&t);
}

TEST(threads, robust_locks_have_their_owner_in_the_word_and_joins_the_thread)
{
	struct thread_table t = {0};
	struct seen_thread *a = waiter(&t, 7, 11, 0), *b = waiter(&t, 7, 12, 0);

	a->word[0] = FUTEX_WAITERS | 12;
	b->word[0] = 11;
	b->state.argument[1] = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
	b->state.argument[2] = 11;
	CHECK_INT(rings(&t), 1);
	CHECK(a->owner == b && !a->joins);
	CHECK(b->owner == a && b->joins);
	CHECK_STR(thread_reason_text(b), "join");
	thread_table_release(&t);
}

TEST(threads, a_writer_is_behind_both_futexes_of_an_rwlock)
{
	struct thread_table t = {0};
	struct seen_thread *reader = waiter(&t, 7, 11, 0), *writer = waiter(&t, 7, 12, 0),
			   *holder = waiter(&t, 7, 13, 0);

	reader->word[0] = writer->word[0] = 3;
	reader->word[4] = 13;
	writer->word[3] = 13;
	reader->word[1] = 3; /* the writers' futex, and not a thread */
	CHECK_INT(rings(&t), 0);
	CHECK(reader->owner == holder);
	CHECK(writer->owner == holder);
	thread_table_release(&t);
}

TEST(threads, memory_that_is_gone_leaves_a_lock_unknown)
{
	struct thread_table t = {0};
	struct seen_thread *a = waiter(&t, 7, 11, 12);
	u32 word = 3;

	a->tgid = getpid();
	a->has_word = false;
	thread_memory_read(a); /* nothing is mapped there */
	CHECK(!a->has_word);
	a->state.object = (u64)(uintptr_t)&word;
	thread_memory_read(a);
	CHECK(a->has_word);
	CHECK_INT(a->word[0], 3);
	thread_table_release(&t);
}

TEST(threads, those_that_end_are_forgotten)
{
	struct thread_table t = {0};
	struct seen_thread *a = waiter(&t, 7, 11, 12), *b = waiter(&t, 7, 12, 11);

	a->round = 2;
	b->settled = false;
	thread_table_forget(&t, 2);
	CHECK_INT(t.all.len, 1);
	CHECK(thread_table_find(&t, (struct global_pid){4011}) == a);
	CHECK(!thread_table_find(&t, (struct global_pid){4012}));
	CHECK(!thread_table_find_inner(&t, (struct inner_key){{7}, {12}}));
	thread_table_release(&t);
}

TEST(threads, since_is_the_time_that_the_scheduler_knows)
{
	struct seen_thread t = {.state = {.now = 9000, .arrived = 3000, .accounted = 3500}};

	CHECK_INT(thread_since(&t, 1000), 4500); /* it ran until its time was added up */
	t.state.accounted = 2000; /* stolen time is not in that clock */
	CHECK_INT(thread_since(&t, 1000), 5000);
	t.state.cause = WAIT_RUNNABLE;
	t.state.queued = 7000;
	CHECK_INT(thread_since(&t, 1000), 1000);
	t.state.on_cpu = 1;
	CHECK_INT(thread_since(&t, 1000), 5000);
	CHECK_INT(thread_since(&t, 0), -1);
	CHECK_INT(thread_since(&t, 8000), 0);
}

TEST(threads, durations_have_one_unit)
{
	char text[DURATION_TEXT];

	thread_duration(999999999, text);
	CHECK_STR(text, "999 ms");
	thread_duration(1999999999, text);
	CHECK_STR(text, "1 second");
	thread_duration(119ll * 60 * 1000000000, text);
	CHECK_STR(text, "119 minutes");
	thread_duration(47ll * 3600 * 1000000000, text);
	CHECK_STR(text, "47 hours");
	thread_duration(INT64_MAX, text);
	CHECK_STR(text, "106751 days");
}

struct example {
	s64 tid;
	const char *object, *address, *owner;
};

static void add(struct profile *p, s64 location, const struct example *e)
{
	const char *const texts[][2] = {
		{"thread", "worker"},
		{"state", "sleeping"},
		{"reason", e->owner ? "mutex" : "stop"},
		{"object", e->object},
		{"address", e->address},
		{"owner", e->owner},
	};
	struct profile_label labels[8] = {{0}};
	u32 stack = (u32)location, n = 0;
	s64 one = 1;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i][1])
			labels[n++] = (struct profile_label){
				.key = (string_id)profile_string(p, texts[i][0]),
				.str = (string_id)profile_string(p, texts[i][1])};
	}
	labels[n++] =
		(struct profile_label){.key = (string_id)profile_string(p, "tid"), .num = e->tid};
	labels[n++] = (struct profile_label){.key = (string_id)profile_string(p, "since"),
					     .num = e->tid * 1000000000};
	CHECK_INT(profile_add_sample(p, &stack, 1, &one, labels, n), 0);
}

static struct profile *threads_profile(void)
{
	static const struct example examples[] = {
		{3, "first_lock", "0x100", "9 \"x\""},
		{5, "second_lock", "0x200", "9 \"x\""},
		{4, "second_lock", "0x200", "9 \"x\""},
		{9, NULL, NULL, NULL},
	};
	struct profile_mapping m = {.limit = 0x10000};
	struct profile_line line = {0};
	struct profile *p;
	s64 location;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "threads", "count"), 0);
	location = profile_location(p, (u32)profile_add_mapping(p, &m), 0x10);
	line.function = (u32)profile_function(p, "work", "work", "/src/work.c", 1);
	line.line = 7;
	CHECK_INT(profile_location_set_lines(p, (u32)location, &line, 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		add(p, location, &examples[i]);
	return p;
}

TEST(threads, groups_have_the_same_lock_and_the_largest_comes_first)
{
	struct profile *p = threads_profile();
	char *text = written(p, &format_threads, NULL);

	CHECK_STR(text, "2 threads [mutex second_lock, 4 seconds to 5 seconds, held by 9 \"x\"]\n"
			"  5 worker, 4 worker\n"
			"    work  work.c:7\n\n"
			"1 thread [mutex first_lock, 3 seconds, held by 9 \"x\"]\n"
			"  3 worker\n"
			"    work  work.c:7\n\n"
			"1 thread [stop, 9 seconds]\n"
			"  9 worker\n"
			"    work  work.c:7\n\n");
	free(text);
	profile_free(p);
}

TEST(threads, a_dump_has_the_headers_of_go)
{
	struct profile *p = threads_profile();
	char *text = written(p, &format_dump, NULL);

	CHECK(!strncmp(text,
		       "goroutine 3 [mutex first_lock, held by 9 \"x\", thread \"worker\"]:\n"
		       "work(...)\n\t/src/work.c:7 +0x10\n\n"
		       "goroutine 4 [mutex second_lock",
		       120));
	free(text);
	profile_free(p);
}

TEST(threads, jstack_has_the_states_of_java_and_each_lock_once)
{
	struct profile *p = threads_profile();
	char *text = written(p, &format_jstack, NULL), *held;

	CHECK(strstr(text, "\"worker\" #1 os_prio=0 tid=0x0000000000000003 nid=0x3 "
			   "waiting for monitor entry\n"
			   "   java.lang.Thread.State: BLOCKED (on object monitor)\n"
			   "\tat work(work.c:7)\n"
			   "\t- waiting to lock <0x0000000000000100> (a first_lock)\n"));
	CHECK(strstr(text, "\"worker\" #4 os_prio=0 tid=0x0000000000000009"));
	held = strstr(text, "\t- locked <0x0000000000000100>");
	CHECK(held && strstr(text, "#4 os_prio") < held);
	held = strstr(text, "\t- locked <0x0000000000000200>");
	CHECK(held && !strstr(held + 2, "- locked"));
	free(text);
	profile_free(p);
}

TEST(threads, counts_are_read_again_with_their_names)
{
	struct profile *p = threads_profile();
	char *text = written(p, &format_counts, NULL);

	CHECK(!strncmp(text,
		       "threads profile: total 4\n"
		       "2 @ 0x11\n"
		       "# labels: {\"state\":\"sleeping\", \"reason\":\"mutex\", "
		       "\"object\":\"second_lock\", \"owner\":\"9 \\\"x\\\"\"}\n"
		       "#\t0x11\twork+0x0\t/src/work.c:7\n\n",
		       140));
	CHECK(strstr(text, "\n--- Memory map: ---\n"));
	free(text);
	profile_free(p);
}

TEST(threads, formats_of_threads_refuse_other_profiles)
{
	struct profile *p = fixture_profile();
	struct error err = {0};
	struct memory m = {0};
	struct sink to = memory_sink(&m);

	CHECK_INT(format_dump.write(p, NULL, &to, &err), -EINVAL);
	CHECK(strstr(err.text, "cprof threads"));
	profile_free(p);
}
