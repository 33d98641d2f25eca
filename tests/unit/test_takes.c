/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests recordings that are read while they continue, of programs that count what they do. Takes
 * add up to the truth, snapshots only grow, and recordings that run side by side have what each
 * would have alone.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "collect/event_options.h"
#include "collect/heap/heap_options.h"
#include "collect/session/module_store.h"
#include "collect/session/program_pool.h"
#include "collect/wait/wait_options.h"
#include "counted.h"
#include "record/kinds.h"
#include "record/recording.h"
#include "unit.h"
#include "view/wait_kind.h"

#define TAKES 50
#define VALUES_MAX 6

/* Holds one recording of one program. */
struct trial {
	const char *kind, *mode; /* the verb, and what the program does */
	enum recording_mode how;
	const char *cause; /* only these samples are added up; if NULL, all of them */
	struct heap_options heap;
	struct wait_options wait;
	struct counted target;
	struct module_store *store; /* NULL if the recording has its own */
	struct recording *r;
	s64 sum[VALUES_MAX]; /* of all takes */
	s64 snapshot[VALUES_MAX]; /* of the last snapshot */
	s64 last[VALUES_MAX]; /* of the last take */
	s64 whole[VALUES_MAX];
	u32 nvalues;
	u32 shares; /* bits of values that are shares of a total, and rounded */
	atomic_bool done; /* the program has done everything */
};

/* These tests do not check names. */
static bool at_once(void *arg)
{
	return true;
}

static const void *own_options(struct trial *t, const struct profile_kind *kind)
{
	if (kind->defaults == &heap_defaults) {
		bool peak = t->heap.peak, leaks = t->heap.leaks;

		t->heap = heap_defaults;
		t->heap.rate = 1;
		t->heap.peak = peak;
		t->heap.leaks = leaks;
		t->heap.limit = (struct probe_limit){0};
		return &t->heap;
	}
	if (kind->defaults == &wait_defaults) {
		const struct wait_options asked = t->wait;

		t->wait = wait_defaults;
		t->wait.holds = asked.holds;
		t->wait.wakers = asked.wakers;
		t->wait.owners = asked.owners;
		t->wait.limit = (struct probe_limit){0};
		return &t->wait;
	}
	return kind->defaults;
}

/* Begins to record the program, which is running. */
static void trial_record(struct trial *t)
{
	const struct profile_kind *kind = kind_by_name(t->kind);
	struct recording_options opt = {.kind = kind,
					.target = RECORDING_PIDS,
					.mode = t->how,
					.stop_naming = at_once,
					.store = t->store,
					.command_stdout = -1};
	struct error err;
	int code;

	CHECK(kind);
	opt.text = t->target.text;
	opt.collect = (struct collect_options){
		.frequency = 997, .user = true, .own = own_options(t, kind)};
	code = recording_new(&opt, &t->r, &err);
	if (!code)
		code = recording_start(t->r, &err);
	if (code)
		unit_fail(__FILE__, __LINE__, "%s: %s", t->kind, err.text);
}

static void trial_begin(struct trial *t)
{
	if (geteuid())
		unit_skip("BPF needs root");
	counted_start(&t->target, t->mode);
	trial_record(t);
}

static void sum_profile(const struct trial *t, const struct profile *p, s64 sum[VALUES_MAX])
{
	const u32 n = (u32)p->sample_types.len;

	memset(sum, 0, VALUES_MAX * sizeof(*sum));
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];

		if (t->cause && !wait_has_label(p, s, "cause", t->cause))
			continue;
		for (u32 v = 0; v < n && v < VALUES_MAX; v++) {
			CHECK(p->values.data[i * n + v] >= 0);
			sum[v] += p->values.data[i * n + v];
		}
	}
}

static void take(struct trial *t)
{
	struct profile *p;
	struct error err;

	CHECK_INT(recording_take(t->r, &p, &err), 0);
	t->nvalues = (u32)p->sample_types.len;
	sum_profile(t, p, t->last);
	for (u32 v = 0; v < VALUES_MAX; v++)
		t->sum[v] += t->last[v];
	profile_free(p);
}

/* Returns whether takes add up to the nanosecond: the value is not a state, and not a share of a
 * total. */
static bool adds_up(const struct trial *t, u32 value)
{
	return value < t->nvalues && !(t->heap.rate && value > 1) && !(t->shares & 1u << value);
}

static void snapshot(struct trial *t)
{
	s64 now[VALUES_MAX];
	struct profile *p;
	struct error err;

	CHECK_INT(recording_snapshot(t->r, &p, &err), 0);
	sum_profile(t, p, now);
	for (u32 v = 0; v < VALUES_MAX; v++)
		CHECK(!adds_up(t, v) || now[v] >= t->snapshot[v]);
	memcpy(t->snapshot, now, sizeof(now));
	profile_free(p);
}

/* Takes the rest after the end, so all takes are the whole. */
static void trial_finish(struct trial *t)
{
	struct profile *p;
	struct error err;

	recording_stop(t->r);
	if (t->nvalues)
		take(t);
	CHECK_INT(recording_profile(t->r, &p, &err), 0);
	sum_profile(t, p, t->whole);
	profile_free(p);
}

static void trial_end(struct trial *t)
{
	recording_free(t->r);
	counted_end(&t->target);
}

/* Takes 50 times while the program works, and makes three snapshots. */
static void take_often(struct trial *t)
{
	trial_begin(t);
	for (u32 i = 0; i < TAKES; i++) {
		counted_work(&t->target, 1);
		CHECK(recording_step(t->r, 1 + (int)i % 5) >= 0);
		take(t);
		if (i % 20 == 10)
			snapshot(t);
	}
	counted_finish(&t->target);
	CHECK(recording_step(t->r, 1) >= 0);
	snapshot(t);
	trial_finish(t);
	for (u32 v = 0; v < VALUES_MAX; v++) {
		if (!adds_up(t, v))
			continue;
		CHECK(t->whole[v] >= t->snapshot[v]);
		CHECK_INT(t->sum[v], t->whole[v]);
	}
}

static void take_heap(const char *kind, bool live)
{
	struct trial t = {.kind = kind, .mode = "blocks"};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "allocs"));
	CHECK_INT(t.sum[1], counted_number(&t.target, "bytes"));
	if (live) {
		CHECK_INT(t.last[2], counted_number(&t.target, "live"));
		CHECK_INT(t.last[3], counted_number(&t.target, "live_bytes"));
	}
	trial_end(&t);
}

TEST(takes, heap)
{
	take_heap("heap", true);
}

TEST(takes, allocs)
{
	take_heap("allocs", false);
}

TEST(takes, heap_with_leaks_and_the_peak)
{
	struct trial t = {.kind = "heap", .mode = "blocks", .heap.leaks = true, .heap.peak = true};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "allocs"));
	CHECK_INT(t.last[2], counted_number(&t.target, "live"));
	CHECK(t.last[4] >= t.last[2]);
	trial_end(&t);
}

/* Returns the time that the host has taken from this virtual machine: proc(5), /proc/stat. */
static double stolen_ns(void)
{
	unsigned long long jiffies = 0;
	FILE *f = fopen("/proc/stat", "r");

	CHECK(f != NULL);
	if (fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &jiffies) != 1)
		jiffies = 0;
	fclose(f);
	return (double)jiffies * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

static void take_cpu(enum recording_mode how)
{
	struct trial t = {.kind = "cpu", .mode = "spin", .how = how};
	double error_ns, stolen = stolen_ns();

	take_often(&t);
	stolen = stolen_ns() - stolen;
	CHECK(t.sum[0] > 0);
	/*
	 * Ticks cover what the program has used since it began, except for what starting it
	 * took. Each tick that finds a program on the CPU counts for a whole period, so
	 * their number has the error of a drawn sample. Five standard errors are allowed. Ticks
	 * also fall into stolen time, which the kernel leaves out of a thread's CPU time.
	 */
	error_ns = 5 * sqrt((double)t.sum[0]) * (double)t.sum[1] / (double)t.sum[0];
	CHECK((double)t.sum[1] <=
	      (double)counted_number(&t.target, "cpu_ns") + error_ns + stolen + 2e7);
	trial_end(&t);
}

TEST(takes, cpu)
{
	take_cpu(RECORDING_MODE_BPF);
}

TEST(takes, cpu_without_bpf)
{
	take_cpu(RECORDING_MODE_PERF);
}

TEST(takes, block)
{
	struct trial t = {.kind = "block", .mode = "locks"};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "contended"));
	trial_end(&t);
}

TEST(takes, mutex)
{
	struct trial t = {.kind = "mutex", .mode = "locks"};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "contended"));
	trial_end(&t);
}

TEST(takes, mutex_owners)
{
	struct trial t = {.kind = "mutex", .mode = "locks", .wait.owners = true};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "contended"));
	trial_end(&t);
}

TEST(takes, mutex_holds)
{
	struct trial t = {.kind = "mutex", .mode = "locks", .wait.holds = true};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "locks"));
	CHECK_INT(t.sum[1], counted_number(&t.target, "contended"));
	trial_end(&t);
}

TEST(takes, offcpu)
{
	struct trial t = {.kind = "offcpu", .mode = "naps", .cause = "sleep"};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "naps"));
	trial_end(&t);
}

/* A joined thread may be alive for another moment. */
TEST(takes, threadcreate)
{
	struct trial t = {.kind = "threadcreate", .mode = "threads", .shares = 1u << 1};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "threads"));
	CHECK_INT(t.whole[1], counted_number(&t.target, "threads_live"));
	CHECK_INT(t.last[1], t.whole[1]);
	trial_end(&t);
}

/* A wait's waker is known when the wait is over. */
TEST(takes, offcpu_wakers)
{
	struct trial t = {.kind = "offcpu", .mode = "naps", .cause = "sleep", .wait.wakers = true};

	take_often(&t);
	CHECK_INT(t.sum[0], counted_number(&t.target, "naps"));
	trial_end(&t);
}

TEST(takes, wall)
{
	struct trial t = {.kind = "wall", .mode = "spin", .shares = 1 << 0 | 1 << 3};

	take_often(&t);
	/* The scheduler measures running time. It is reported in proportion to ticks, and rounded
	 * down in each sample. */
	CHECK(t.sum[0] > 0 && t.sum[0] <= t.whole[0] + 1000);
	trial_end(&t);
}

/* ---- side by side ---- */

/* Checks what the program printed, as if it had been recorded alone. */
static void check_truth(struct trial *t, const char *first)
{
	s64 truth;

	trial_finish(t);
	truth = counted_number(&t->target, first);
	CHECK_INT(t->whole[0], truth);
	if (!strcmp(t->kind, "heap"))
		CHECK_INT(t->whole[2], counted_number(&t->target, "live"));
	trial_end(t);
}

static void work_off(struct trial *t, u32 n, u32 round)
{
	struct pollfd polls[4];

	for (u32 i = 0; i < n; i++) {
		if (round < TAKES)
			counted_work(&t[i].target, 1);
		else if (!t[i].done)
			counted_finish(&t[i].target);
		t[i].done = round >= TAKES;
		polls[i] = (struct pollfd){.fd = recording_fd(t[i].r), .events = POLLIN};
		CHECK(polls[i].fd >= 0);
	}
	CHECK(poll(polls, n, 10000) > 0); /* a step is due ten times a second */
	for (u32 i = 0; i < n; i++) {
		if (polls[i].revents)
			CHECK_INT(recording_step(t[i].r, 0), 0);
	}
}

TEST(takes, several_recordings_in_one_thread)
{
	struct trial t[] = {
		{.kind = "heap", .mode = "blocks"},
		{.kind = "offcpu", .mode = "naps", .cause = "sleep"},
		{.kind = "block", .mode = "locks"},
	};
	static const char *const first[] = {"allocs", "naps", "contended"};

	for (u32 i = 0; i < ARRAY_LEN(t); i++)
		trial_begin(&t[i]);
	for (u32 round = 0; round <= TAKES; round++) {
		work_off(t, ARRAY_LEN(t), round);
		take(&t[round % ARRAY_LEN(t)]);
	}
	for (u32 i = 0; i < ARRAY_LEN(t); i++) {
		check_truth(&t[i], first[i]);
		CHECK_INT(t[i].sum[0], t[i].whole[0]);
	}
}

static bool is_done(void *arg)
{
	const struct trial *t = arg;

	return t->done;
}

static void *run_trial(void *arg)
{
	struct trial *t = arg;
	int over;

	/* On a busy machine the program may be done before this thread first runs. */
	do {
		over = recording_step(t->r, 5);
		take(t);
	} while (!over && !is_done(t));
	CHECK(over >= 0);
	return NULL;
}

TEST(takes, several_recordings_in_a_thread_each)
{
	struct trial t[] = {
		{.kind = "heap", .mode = "blocks"},
		{.kind = "mutex", .mode = "locks", .wait.holds = true},
		{.kind = "offcpu", .mode = "naps", .cause = "sleep"},
	};
	static const char *const first[] = {"allocs", "locks", "naps"};
	pthread_t threads[ARRAY_LEN(t)];

	for (u32 i = 0; i < ARRAY_LEN(t); i++) {
		trial_begin(&t[i]);
		CHECK(!pthread_create(&threads[i], NULL, run_trial, &t[i]));
	}
	for (u32 round = 0; round < TAKES; round++) {
		for (u32 i = 0; i < ARRAY_LEN(t); i++)
			counted_work(&t[i].target, 1);
		usleep(2000);
	}
	for (u32 i = 0; i < ARRAY_LEN(t); i++) {
		counted_finish(&t[i].target);
		t[i].done = true;
	}
	for (u32 i = 0; i < ARRAY_LEN(t); i++) {
		CHECK(!pthread_join(threads[i], NULL));
		check_truth(&t[i], first[i]);
		CHECK_INT(t[i].sum[0], t[i].whole[0]);
	}
}

/* ---- one after the other, with the same programs ---- */

#define TURNS 4

/* Each round leaves blocks and stacks behind in the maps. */
static void record_in_turn(struct trial *t, const char *first)
{
	trial_begin(t);
	for (u32 i = 0; i < 5; i++) {
		counted_work(&t->target, 1);
		CHECK(recording_step(t->r, 5) >= 0);
	}
	take(t);
	counted_work(&t->target, 3);
	counted_finish(&t->target);
	check_truth(t, first);
}

struct turn {
	struct trial trial;
	const char *first; /* the count of the program that the first value should be */
};

static const struct turn turns[] = {
	{{.kind = "heap", .mode = "blocks"}, "allocs"},
	{{.kind = "allocs", .mode = "blocks"}, "allocs"},
	{{.kind = "block", .mode = "locks"}, "contended"},
	{{.kind = "mutex", .mode = "locks"}, "contended"},
	{{.kind = "mutex", .mode = "locks", .wait.owners = true}, "contended"},
	{{.kind = "mutex", .mode = "locks", .wait.holds = true}, "locks"},
	{{.kind = "offcpu", .mode = "naps", .cause = "sleep"}, "naps"},
};

/* Whatever an earlier recording left, its programs count for the next one as new ones would. */
TEST(takes, programs_of_earlier_recordings)
{
	const struct module_store_options opt = {.max_programs = 2 * ARRAY_LEN(turns)};
	struct program_pool_stats stats;
	struct module_store *store;

	CHECK_INT(module_store_new(&opt, &store), 0);
	for (u32 turn = 0; turn < TURNS; turn++) {
		for (u32 i = 0; i < ARRAY_LEN(turns); i++) {
			struct trial t = turns[i].trial;

			t.store = store;
			record_in_turn(&t, turns[i].first);
		}
		program_pool_settle(module_store_programs(store));
	}
	stats = program_pool_stats(module_store_programs(store));
	CHECK_INT(stats.loaded, ARRAY_LEN(turns)); /* each kind once */
	CHECK_INT(stats.reused, (TURNS - 1) * ARRAY_LEN(turns));
	CHECK(stats.spares >= ARRAY_LEN(turns) && stats.spares <= 2 * ARRAY_LEN(turns));
	CHECK_INT(stats.idle, 2 * ARRAY_LEN(turns));
	module_store_free(store);
}

/* The threads of the program are the same each time, and the kernel keeps data for each. */
static void record_in_parts(struct trial *t, const char *first)
{
	s64 sum = 0;

	trial_begin(t);
	for (u32 part = 1; part <= TURNS; part++) {
		counted_work(&t->target, 2 * part);
		CHECK(recording_step(t->r, 5) >= 0);
		counted_rest(&t->target);
		trial_finish(t);
		sum += t->whole[0];
		recording_free(t->r);
		program_pool_settle(module_store_programs(t->store));
		if (part < TURNS)
			trial_record(t);
	}
	counted_finish(&t->target);
	CHECK_INT(sum, counted_number(&t->target, first));
	counted_end(&t->target);
}

TEST(takes, recordings_of_one_program_in_a_row)
{
	const struct module_store_options opt = {.max_programs = 2 * ARRAY_LEN(turns)};
	struct module_store *store;

	CHECK_INT(module_store_new(&opt, &store), 0);
	for (u32 i = 0; i < ARRAY_LEN(turns); i++) {
		struct trial t = turns[i].trial;

		t.store = store;
		record_in_parts(&t, turns[i].first);
	}
	CHECK_INT(program_pool_stats(module_store_programs(store)).loaded, ARRAY_LEN(turns));
	module_store_free(store);
}
