/* SPDX-License-Identifier: Apache-2.0 */
/* What waits count as when they end, by the rules that the programs at the scheduler share with
 * user space. */
#include <sys/cdefs.h>

#include "base/bpf_shared.h"
#include "../../bpf/wait_state.h"
#include "unit.h"

#define BEGUN 1000u

static const struct wait_rules rules = {.begun = BEGUN, .min_ns = 0};

/* Makes a thread that left its CPU at 2000 with a stack. */
static struct thread_wait left_for(enum wait_cause cause)
{
	return (struct thread_wait){
		.since = 2000, .key = {.stack = 7}, .counted = 1, .cause = cause, .waker = 99};
}

static void check(const struct wait_count *n, enum wait_cause cause, u64 object, u64 samples,
		  u64 ns)
{
	CHECK(n->counts);
	CHECK_INT(n->key.stack, 7);
	CHECK_INT(n->key.cause, cause);
	CHECK_INT(n->key.object, object);
	CHECK_INT(n->samples, samples);
	CHECK_INT(n->ns, ns);
}

TEST(wait_state, the_time_after_the_waking_is_the_schedulers)
{
	struct thread_wait t = left_for(WAIT_DISK);
	struct wait_count n[2];

	t.woken = 2700;
	wait_end_off_cpu(&t, &rules, 3000, n);
	check(&n[0], WAIT_DISK, 99, 1, 700);
	check(&n[1], WAIT_RUNNABLE, 0, 0, 300);
	/* Its time is counted once, whatever it is called. */
	CHECK_INT(n[0].ns + n[1].ns, 3000 - t.since);
}

TEST(wait_state, who_is_not_woken_yet_waits_for_the_same)
{
	struct thread_wait t = left_for(WAIT_SLEEP);
	struct wait_count n[2];

	wait_end_off_cpu(&t, &rules, 3000, n);
	check(&n[0], WAIT_SLEEP, 99, 1, 1000);
	CHECK(!n[1].counts);
}

/* This is the waker of an earlier sleep, or one that is seen too early. */
TEST(wait_state, a_waking_outside_of_the_wait_is_none)
{
	struct thread_wait t = left_for(WAIT_SLEEP);
	struct wait_count n[2];

	t.woken = 1999;
	wait_end_off_cpu(&t, &rules, 3000, n);
	check(&n[0], WAIT_SLEEP, 99, 1, 1000);
	t.woken = 3001;
	wait_end_off_cpu(&t, &rules, 3000, n);
	check(&n[0], WAIT_SLEEP, 99, 1, 1000);
	CHECK(!n[1].counts);
}

TEST(wait_state, a_preempted_thread_is_one_wait_for_a_cpu)
{
	struct thread_wait t = left_for(WAIT_RUNNABLE);
	struct wait_count n[2];

	t.woken = t.since;
	wait_end_off_cpu(&t, &rules, 3000, n);
	CHECK(!n[0].counts);
	check(&n[1], WAIT_RUNNABLE, 0, 1, 1000);
}

TEST(wait_state, time_before_the_recording_does_not_count)
{
	struct thread_wait t = left_for(WAIT_DISK);
	struct wait_count n[2];

	t.since = 100;
	t.woken = 900;
	wait_end_off_cpu(&t, &rules, 1500, n);
	check(&n[0], WAIT_DISK, 99, 1, 0);
	check(&n[1], WAIT_RUNNABLE, 0, 0, 500);
	CHECK_INT(wait_passed(BEGUN, 100, 900), 0);
	CHECK_INT(wait_passed(BEGUN, 3000, 2000), 0);
}

TEST(wait_state, short_waits_waits_without_a_stack_and_running_threads_do_not_count)
{
	const struct wait_rules longer = {.begun = BEGUN, .min_ns = 1001};
	struct thread_wait t = left_for(WAIT_DISK), running = t, bare = t;
	struct wait_count n[2];

	t.woken = 2500;
	wait_end_off_cpu(&t, &longer, 3000, n);
	CHECK(!n[0].counts && !n[1].counts);
	wait_end_off_cpu(&t, &longer, 3001, n); /* all of it together is long enough */
	CHECK(n[0].counts && n[1].counts);
	running.running = 1;
	wait_end_off_cpu(&running, &rules, 3000, n);
	CHECK(!n[0].counts && !n[1].counts);
	bare.counted = 0;
	wait_end_off_cpu(&bare, &rules, 3000, n);
	CHECK(!n[0].counts && !n[1].counts);
	wait_end_off_cpu(&t, &rules, 1999, n); /* the clock of another CPU */
	CHECK(!n[0].counts && !n[1].counts);
}

TEST(wait_state, a_lock_wait_that_was_over_counts_from_its_first_sleep_to_its_end)
{
	struct thread_wait t = left_for(WAIT_SLEEP);
	struct wait_count n;

	wait_end_lock(&t, &rules, &n);
	CHECK(!n.counts); /* there was none */
	t.first = 1200;
	t.came = 1900;
	t.past = (struct sample_key){
		.stack = 7, .object = 0x10, .cause = WAIT_LOCK, .outcome = WAIT_ACQUIRED};
	wait_end_lock(&t, &rules, &n);
	check(&n, WAIT_LOCK, 0x10, 1, 700);
	CHECK_INT(n.key.outcome, WAIT_ACQUIRED);
	t.first = 900;
	wait_end_lock(&t, &(struct wait_rules){.begun = BEGUN, .min_ns = 901}, &n);
	CHECK(!n.counts); /* 900 of it are in the recording */
}

TEST(wait_state, a_lock_wait_that_goes_on_counts_from_its_first_sleep)
{
	struct thread_wait t = left_for(WAIT_LOCK);
	struct wait_count n;

	t.object = 0x20;
	wait_unfinished(&t, &rules, 5000, &n);
	check(&n, WAIT_LOCK, 0x20, 1, 3000);
	CHECK_INT(n.key.outcome, WAIT_UNFINISHED);
	t.first = 1500;
	wait_unfinished(&t, &rules, 5000, &n);
	check(&n, WAIT_LOCK, 0x20, 1, 3500);
	t.cause = WAIT_SLEEP;
	wait_unfinished(&t, &rules, 5000, &n);
	CHECK(!n.counts);
	t.cause = WAIT_LOCK;
	t.running = 1;
	wait_unfinished(&t, &rules, 5000, &n);
	CHECK(!n.counts);
}
