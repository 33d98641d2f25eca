/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings of one process on one target, by BPF: what the second one adds. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collect/session/module_store.h"
#include "record/kinds.h"
#include "record/recording.h"

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

static u64 memory_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	unsigned long long kb = 0;
	char line[200];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pss: %llu", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

/* It works, in its own code and in the C library's. */
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
	u64 added_kb;
};

static struct recording *begin(const struct profile_kind *kind, struct module_store *store,
			       const char *pid, struct figures *f)
{
	struct recording_options opt = {
		.kind = kind, .target = RECORDING_PIDS, .text = pid, .store = store};
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
	f->added_kb = memory_kb() - before;
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
	printf("# first: ready in %.0f ms, %llu KB; second: ready in %.0f ms, %llu KB\n",
	       a.ready_ms, (unsigned long long)a.added_kb, b.ready_ms,
	       (unsigned long long)b.added_kb);
	/* Both see the same program, and the store outlives the one that ends first. */
	end(first, &named, &whole, &samples);
	CHECK(named >= 50 && whole >= samples * 9 / 10);
	recording_free(first);
	while (samples_of(second) < 100)
		CHECK_INT(recording_step(second, 20), 0);
	end(second, &named, &whole, &samples);
	CHECK(named >= 50 && whole >= samples * 9 / 10);
	recording_free(second);
	module_store_stats(store, &after);
	CHECK_INT(after.opened, before.opened);
	module_store_free(store);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}
