/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of real events on this process: every record is whole and in the order of time, even across
 * the end of the ring. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/events.h"
#include "collect/perf/perf_record.h"
#include "collect/perf/perf_rings.h"
#include "collect/perf/perf_tasks.h"
#include "unit.h"

static u64 time_of(struct bytes raw)
{
	u64 time, at = PERF_SAMPLE_TIME_AT;
	u32 type;

	memcpy(&type, raw.data, sizeof(type));
	if (type != PERF_RECORD_SAMPLE)
		at = raw.len - PERF_TRAILER_TIME_AT;
	CHECK(at + sizeof(time) <= raw.len);
	memcpy(&time, raw.data + at, sizeof(time));
	return time;
}

static double cpu_seconds(void)
{
	return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) * 1e-9;
}

/* Uses some CPU time, with forks so that there are records of other kinds as well. */
static void work(double seconds)
{
	double until = cpu_seconds() + seconds;

	if (fork() == 0)
		_exit(0);
	while (cpu_seconds() < until)
		;
}

struct tally {
	u64 samples, others, last;
	u64 late; /* records that are older than the one before */
};

static void take_all(struct perf_rings *rings, bool kernel, bool all, struct tally *t)
{
	struct perf_record r;
	struct bytes raw;

	perf_rings_begin(rings, all);
	while (perf_rings_next(rings, &raw)) {
		t->late += time_of(raw) < t->last;
		t->last = time_of(raw);
		CHECK_INT(perf_record_decode(raw, kernel, &r), 0);
		if (r.type != PERF_RECORD_SAMPLE) {
			t->others++;
			continue;
		}
		if (r.sample.pid != (u32)getpid())
			continue;
		t->samples++;
		CHECK_INT(r.sample.abi, PERF_SAMPLE_REGS_ABI_64);
		if (r.sample.user_mode)
			CHECK(r.sample.ip == r.sample.regs.pc);
	}
}

TEST(perf_rings, one_stream_in_the_order_of_time)
{
	const struct perf_tasks_options opt = {.event = event_by_name("cpu-clock"),
					       .frequency = 2000,
					       .stack_bytes = 16384,
					       .children = true};
	struct perf_rings *rings;
	struct perf_tasks *tasks;
	struct tally t = {0};
	struct error err = {0};

	if (perf_rings_new(1, &rings, &err))
		unit_skip("%s", err.text);
	CHECK_INT(perf_rings_size(rings), 65536);
	CHECK_INT(perf_tasks_new(&opt, rings, &tasks), 0);
	CHECK_INT(perf_tasks_add(tasks, getpid(), &err), 0);
	CHECK_INT(perf_tasks_add(tasks, getpid(), &err), -EEXIST);
	CHECK_INT(perf_tasks_start(tasks, &err), 0);
	/* Four samples fill a ring, so most rounds begin at another position in it. */
	for (int round = 0; round < 100; round++) {
		work(0.001);
		take_all(rings, perf_tasks_kernel(tasks), false, &t);
	}
	perf_tasks_stop(tasks);
	take_all(rings, perf_tasks_kernel(tasks), true, &t);
	CHECK(t.samples > 10); /* of 200, because the machine may be busy */
	CHECK(t.others >= 100);
	/*
	 * The kernel takes a record's time before its place in the ring. An interrupt in between,
	 * or a CPU that a hypervisor stops, makes a few of them late. Without merging the rings,
	 * half of them would be.
	 */
	CHECK(t.late <= (t.samples + t.others) / 10);
	perf_tasks_free(tasks);
	perf_rings_free(rings);
}

TEST(perf_tasks, tells_an_inherited_event_from_a_threads_own)
{
	const struct perf_tasks_options opt = {
		.event = event_by_name("cpu-clock"), .frequency = 100, .stack_bytes = 4096};
	struct perf_rings *rings;
	struct perf_tasks *tasks;
	struct error err = {0};
	u32 self = (u32)getpid();

	if (perf_rings_new(1, &rings, &err))
		unit_skip("%s", err.text);
	CHECK_INT(perf_tasks_new(&opt, rings, &tasks), 0);
	CHECK_INT(perf_tasks_add(tasks, getpid(), &err), 0);
	/* The kernel assigns ids, and one that we never opened belongs to an unknown event. */
	CHECK(!perf_tasks_is_double(tasks, self, ~0ull));
	CHECK(!perf_tasks_is_double(tasks, self + 1, ~0ull));
	CHECK_INT(perf_tasks_add(tasks, 0x3fffffff, &err), -ESRCH);
	perf_tasks_forget(tasks, self);
	perf_tasks_forget(tasks, self);
	perf_tasks_free(tasks);
	perf_rings_free(rings);
}
