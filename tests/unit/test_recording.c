/* SPDX-License-Identifier: Apache-2.0 */
/* What a recording promises, tested with a collector that behaves as the test says. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/recording.h"
#include "unit.h"

#define DURATION_MS 250
#define FAILS_AT 3 /* polls */

/* Records what the last fake collector has seen. */
static struct fake {
	struct collector base;
	bool fails;
	u32 polls, stops, shrinks, told;
	int reads_without_memory; /* this many reads fail */
	int longest_ms; /* the longest that a poll was given */
	u64 began_ns;
	int pipe[2]; /* the data that comes in; the first end is the collector's descriptor */
	enum collect_range read; /* the last one that was read */
	u64 beyond_ms; /* how far polls were allowed to go past the end */
} fake;

static int fake_begin(struct collector *c, struct error *err)
{
	return 0;
}

static int fake_start(struct collector *c, struct error *err)
{
	fake.began_ns = monotonic_ms();
	return 0;
}

static int fake_poll(struct collector *c, int timeout_ms)
{
	const struct timespec all = {.tv_nsec = (long)timeout_ms * 1000000};
	u64 until = monotonic_ms() + (u64)timeout_ms, end = fake.began_ns + DURATION_MS;

	if (until > end && until - end > fake.beyond_ms)
		fake.beyond_ms = until - end;
	if (timeout_ms > fake.longest_ms)
		fake.longest_ms = timeout_ms;
	nanosleep(&all, NULL);
	return ++fake.polls == FAILS_AT && fake.fails ? -ENOMEM : 0;
}

static void fake_stop(struct collector *c)
{
	fake.stops++;
}

static int fake_read(struct collector *c, enum collect_range range, struct profile *p,
		     struct error *err)
{
	fake.read = range;
	CHECK_INT(p->sample_types.len, 0); /* each read gives a new one */
	if (profile_add_sample_type(p, "samples", "count"))
		return -ENOMEM;
	/* No location is in it, so nothing looks into what it borrows. */
	CHECK(profile_add_mapping(p, &(struct profile_mapping){.source = c}) >= 0);
	return fake.reads_without_memory-- > 0 ? -ENOMEM : 0;
}

static int fake_fd(struct collector *c)
{
	return fake.pipe[0];
}

static void fake_shrink(struct collector *c)
{
	fake.shrinks++;
}

static void fake_stats(struct collector *c, struct collect_stats *out)
{
	*out = (struct collect_stats){0};
}

static void fake_free(struct collector *c)
{
}

static int fake_new(const struct collect_options *opt, struct collector **out, struct error *err)
{
	static const struct collector_ops ops = {.name = "fake",
						 .prepare = fake_begin,
						 .start = fake_start,
						 .poll = fake_poll,
						 .fd = fake_fd,
						 .stop = fake_stop,
						 .read = fake_read,
						 .shrink = fake_shrink,
						 .stats = fake_stats,
						 .free = fake_free};

	fake.base.ops = &ops;
	*out = &fake.base;
	return 0;
}

/* Returns options for a recording of this process. */
static struct recording_options options_of(u64 duration_ms)
{
	static const struct profile_kind kind = {.name = "fake", .collector_new = fake_new};
	static char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return (struct recording_options){.kind = &kind,
					  .target = RECORDING_PIDS,
					  .text = pid,
					  .collect.duration_ns = duration_ms * 1000000};
}

static struct recording *started(u64 duration_ms)
{
	const struct recording_options opt = options_of(duration_ms);
	struct recording *r = NULL;
	struct error err;

	CHECK(!recording_new(&opt, &r, &err));
	CHECK(!recording_start(r, &err));
	return r;
}

TEST(recording, gives_no_step_more_time_than_is_left)
{
	struct recording *r = started(DURATION_MS);

	while (!recording_step(r, 100))
		;
	CHECK(fake.longest_ms <= 100);
	CHECK(fake.beyond_ms <= 2); /* clocks in milliseconds, rounded up */
	CHECK(recording_elapsed_ns(r) >= DURATION_MS * 1000000ull);
	recording_free(r);
}

TEST(recording, keeps_what_it_has_when_a_step_fails)
{
	struct profile *p = NULL;
	struct recording *r;
	struct error err;
	int code;

	fake.fails = true;
	r = started(0);
	while (!(code = recording_step(r, 10)))
		;
	CHECK_INT(code, -ENOMEM);
	CHECK_INT(fake.polls, FAILS_AT);
	recording_stop(r);
	CHECK_INT(fake.stops, 1);
	CHECK(!recording_profile(r, &p, &err));
	CHECK_INT(p->duration_nanos, recording_elapsed_ns(r));
	CHECK(!p->mappings.data[0].source); /* what it pointed to is gone with the collector */
	profile_free(p);
	recording_free(r);
}

TEST(recording, merges_stacks_until_the_profile_finds_memory)
{
	struct collect_stats stats;
	struct profile *p = NULL;
	struct recording *r = started(1);
	struct error err;
	bool said = false;

	recording_stop(r);
	fake.reads_without_memory = 3;
	CHECK(!recording_profile(r, &p, &err));
	CHECK_INT(fake.shrinks, 3);
	recording_stats(r, &stats);
	CHECK_INT(stats.gaps.of[GAP_STACKS].times, 3);
	CHECK_INT(stats.gaps.of[GAP_STACKS].code, -ENOMEM);
	vec_for_each(&p->comments, c)
		said |= !strncmp(profile_text(p, *c), "incomplete: stacks were merged", 30);
	CHECK(said);
	profile_free(p);
	recording_free(r);
}

TEST(recording, without_any_memory_there_is_an_error_and_no_profile)
{
	struct profile *p = NULL;
	struct recording *r = started(1);
	struct error err = {.code = 0};

	recording_stop(r);
	fake.reads_without_memory = 1000;
	CHECK_INT(recording_profile(r, &p, &err), -ENOMEM);
	CHECK(!p);
	CHECK_STR(err.text, "cannot build the profile: cannot allocate memory");
	recording_free(r);
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

TEST(recording, a_descriptor_says_when_a_step_is_due)
{
	struct recording *r;
	u64 began;
	int fd;

	CHECK(!pipe2(fake.pipe, O_CLOEXEC | O_NONBLOCK));
	r = started(DURATION_MS);
	fd = recording_fd(r);
	CHECK(fd >= 0);
	CHECK_INT(recording_fd(r), fd);
	/* Data comes in. */
	CHECK_INT(recording_step(r, 0), 0);
	CHECK_INT(write(fake.pipe[1], "x", 1), 1);
	CHECK(is_readable(fd, 0));
	CHECK_INT(read(fake.pipe[0], &(char){0}, 1), 1);
	/* No data comes in, but the step is due anyway, and the end is in time. */
	began = monotonic_ms();
	while (!recording_step(r, 0))
		CHECK(is_readable(fd, 10000));
	CHECK(monotonic_ms() - began < 10000);
	CHECK(recording_elapsed_ns(r) >= DURATION_MS * 1000000ull);
	CHECK(fake.polls >= 3 && fake.polls < 100); /* it is not readable all the time */
	recording_free(r);
}

static bool is_over(void *arg)
{
	u32 *left = arg;

	return !(*left)--;
}

static void count_progress(void *arg, struct recording *r)
{
	CHECK(recording_elapsed_ns(r) > 0);
	fake.told++;
}

TEST(recording, runs_until_it_is_stopped)
{
	u32 left = 8;
	struct recording_options opt = options_of(0);
	struct recording *r = NULL;
	struct error err;

	opt.stop = is_over;
	opt.progress = count_progress;
	opt.arg = &left;
	CHECK(!recording_new(&opt, &r, &err));
	CHECK(!recording_run(r, &err));
	CHECK_INT(fake.stops, 1);
	CHECK(fake.polls >= 3);
	CHECK(fake.longest_ms <= RECORDING_STEP_MS);
	CHECK(fake.told <= 1 + recording_elapsed_ns(r) / 500000000);
	recording_free(r);
}

TEST(recording, each_profile_tells_its_own_time)
{
	struct recording *r = started(0);
	struct profile *p;
	struct error err;
	s64 first, begun;

	CHECK_INT(recording_step(r, 10), 0);
	CHECK(!recording_take(r, &p, &err));
	CHECK_INT(fake.read, COLLECT_SINCE);
	first = p->duration_nanos;
	begun = p->time_nanos;
	profile_free(p);
	CHECK_INT(recording_step(r, 10), 0);
	CHECK(!recording_take(r, &p, &err));
	CHECK_INT(p->time_nanos, begun + first);
	first += p->duration_nanos;
	profile_free(p);
	CHECK(!recording_snapshot(r, &p, &err));
	CHECK_INT(fake.read, COLLECT_SO_FAR);
	CHECK_INT(p->time_nanos, begun);
	CHECK(p->duration_nanos >= first);
	profile_free(p);
	recording_stop(r);
	CHECK(!recording_profile(r, &p, &err));
	CHECK_INT(fake.read, COLLECT_WHOLE);
	profile_free(p);
	CHECK_INT(recording_take(r, &p, &err), -EINVAL);
	CHECK_STR(err.text, "the recording has been read already");
	recording_free(r);
}
