/* SPDX-License-Identifier: Apache-2.0 */
/* Tests recordings of one process on one target by BPF: what the second one adds. */
#include "unit.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/session/module_store_impl.h"
#include "record/kinds.h"
#include "record/recording.h"

static double now_ms(void)
{
	return (double)monotonic_ns() * 1e-6;
}

/* What was only needed while programs were loaded, such as the types of the kernel, may still be in
 * the heap although it was freed. */
static u64 memory_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	unsigned long long kb = 0;
	char line[200];

#ifndef UNIT_SANITIZED /* glibc's allocator is not in use, and not even set up */
	malloc_trim(0);
#endif
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pss: %llu", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

/* The target works in its own code and in that of the C library. */
static pid_t start_target(void)
{
	volatile double sum = 0;
	pid_t pid = fork();
	char text[64];

	if (pid)
		return pid;
	for (;;) {
		for (int i = 0; i < 1000; i++)
			sum += i;
		snprintf(text, sizeof(text), "%f", sum);
	}
}

struct figures {
	double ready_ms;
	/* may be negative, because pages that are shared with other processes count in part */
	s64 added_kb;
};

#ifdef UNIT_SANITIZED
/* Names come from a process that is forked while the other recording runs, and the sanitizer's
 * allocator may be locked for good there. */
static bool at_once(void *arg)
{
	return true;
}
#define STOP_NAMING at_once
#define NAMED_LEAST 0
#else
#define STOP_NAMING NULL
#define NAMED_LEAST 50
#endif

static struct recording *begin(const struct profile_kind *kind, struct module_store *store,
			       const char *pid, struct figures *f)
{
	struct recording_options opt = {.kind = kind,
					.target = RECORDING_PIDS,
					.text = pid,
					.stop_naming = STOP_NAMING,
					.store = store};
	struct recording *r = NULL;
	u64 before = memory_kb();
	struct error err = {.text = ""};
	double start = now_ms();

	opt.collect.frequency = 499;
	opt.collect.user = opt.collect.kernel = true;
	if (recording_new(&opt, &r, &err) == -EPERM)
		unit_skip("BPF needs root");
	CHECK_STR(err.text, "");
	CHECK_INT(recording_start(r, &err), 0);
	f->ready_ms = now_ms() - start;
	f->added_kb = (s64)memory_kb() - (s64)before;
	return r;
}

static u64 samples_of(struct recording *r)
{
	struct collect_stats s;

	recording_stats(r, &s);
	return s.samples;
}

static void end(struct recording *r, u32 *named, u64 *whole, u64 *samples)
{
	const struct symbolize_stats *names;
	struct collect_stats s;
	struct profile *p;
	struct error err;

	recording_stop(r);
	CHECK_INT(recording_profile(r, &p, &err), 0);
	recording_stats(r, &s);
	names = recording_names(r);
	*named = (u32)(names->addresses ? 100 * names->named / names->addresses : 0);
	*whole = s.ends[STACK_WHOLE];
	*samples = s.samples;
	profile_free(p);
}

TEST(shared_store, a_second_recording_is_ready_at_once)
{
	const struct module_store_options usual = {.readers = NULL};
	struct module_store_stats before, after;
	pid_t target = start_target();
	struct recording *first, *second;
	struct module_store *store;
	struct figures a, b;
	u64 whole, samples;
	u32 named;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)target);
	CHECK_INT(module_store_new(&usual, &store), 0);
	first = begin(&kind_cpu, store, pid, &a);
	while (samples_of(first) < 50)
		CHECK_INT(recording_step(first, 20), 0);
	module_store_stats(store, &before);
	second = begin(&kind_cpu, store, pid, &b);
	module_store_stats(store, &after);
	CHECK(before.opened >= 2); /* this program and the C library */
	CHECK_INT(after.opened, before.opened);
	CHECK_INT(after.compiled, before.compiled);
	CHECK_INT(after.pages, before.pages);
	while (samples_of(second) < 50) {
		CHECK_INT(recording_step(first, 20), 0);
		CHECK_INT(recording_step(second, 20), 0);
	}
	printf("# first: ready in %.0f ms, %lld KB; second: ready in %.0f ms, %lld KB\n",
	       a.ready_ms, (long long)a.added_kb, b.ready_ms, (long long)b.added_kb);
	CHECK(b.added_kb < 5 * 1024);
	/* Both recordings see the same program, and the store outlives the one that ends first. */
	end(first, &named, &whole, &samples);
	CHECK(named >= NAMED_LEAST && whole >= samples * 9 / 10);
	recording_free(first);
	while (samples_of(second) < 100)
		CHECK_INT(recording_step(second, 20), 0);
	end(second, &named, &whole, &samples);
	CHECK(named >= NAMED_LEAST && whole >= samples * 9 / 10);
	recording_free(second);
	module_store_stats(store, &after);
	CHECK_INT(after.opened, before.opened);
	module_store_free(store);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}

/* ---- under pressure ---- */

struct worker {
	struct module_store *store;
	const char *pid;
	u64 samples, whole, in_target;
};

static bool is_in(const struct profile *p, const struct profile_sample *s, const char *function)
{
	for (u32 i = 0; i < s->nlocations; i++) {
		u32 at = p->stack_locations.data[s->first_location + i];
		const struct profile_location *l = &p->locations.data[at];

		for (u32 k = 0; k < l->nlines; k++) {
			u32 f = p->lines.data[l->first_line + k].function;

			if (!strcmp(profile_text(p, p->functions.data[f].name), function))
				return true;
		}
	}
	return false;
}

static void *record_in_thread(void *arg)
{
	struct worker *w = arg;
	struct figures f;
	struct recording *r = begin(&kind_cpu, w->store, w->pid, &f);
	struct collect_stats stats;
	struct profile *p;
	struct error err;

	while (samples_of(r) < 600)
		CHECK_INT(recording_step(r, 20), 0);
	recording_stop(r);
	CHECK_INT(recording_profile(r, &p, &err), 0);
	recording_stats(r, &stats);
	w->samples = stats.samples;
	w->whole = stats.ends[STACK_WHOLE];
	vec_for_each(&p->samples, s)
		w->in_target += is_in(p, s, "start_target") ? (u64)p->values.data[s->first_value]
							    : 0;
	profile_free(p);
	recording_free(r);
	return NULL;
}

/*
 * The store may keep one file, and evicts what was unseen for a millisecond. So numbers, slots
 * and pages change owners all the time, under two recordings in two threads. No sample may be lost
 * by that, or get names from another file.
 */
TEST(shared_store, files_that_are_evicted_under_two_recordings_cost_no_sample)
{
	const struct module_store_options tight = {
		.max_files = 1, .idle_ms = 1, .grace_ms = 1, .max_kept = 1};
	pid_t target = start_target();
	struct module_store_stats stats;
	struct module_store *store;
	struct worker workers[2];
	pthread_t threads[2];
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)target);
	CHECK_INT(module_store_new(&tight, &store), 0);
	for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
		workers[i] = (struct worker){.store = store, .pid = pid};
		CHECK_INT(pthread_create(&threads[i], NULL, record_in_thread, &workers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
		pthread_join(threads[i], NULL);
		CHECK(workers[i].samples >= 600);
		CHECK(workers[i].whole >= workers[i].samples * 95 / 100);
		CHECK(!NAMED_LEAST || workers[i].in_target >= workers[i].samples * 95 / 100);
	}
	module_store_stats(store, &stats);
	printf("# %llu files evicted, %llu opened\n", (unsigned long long)stats.nevicted,
	       (unsigned long long)stats.opened);
	module_store_free(store);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}

/* Open files leave half of the descriptors to the rest of cprof. */
TEST(shared_store, the_limit_of_open_files_is_shared_with_others)
{
	const struct module_store_options usual = {.readers = NULL};
	struct rlimit limit = {.rlim_cur = 800, .rlim_max = 800};
	struct module_store *store;

	CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_INT(module_store_new(&usual, &store), 0);
	CHECK_INT(store->o.max_files, 100);
	CHECK_INT(store->o.max_kept, 100);
	module_store_free(store);
}
