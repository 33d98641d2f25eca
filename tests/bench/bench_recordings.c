/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_recordings PID KIND RUNS: how long recordings of one process take until they are ready, and
 * what a second one adds. Programs are kept, as a server would have it. CPU time is that of the
 * calling thread.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collect/session/module_store.h"
#include "collect/session/program_pool.h"
#include "record/kinds.h"
#include "record/recording.h"

#define RUNS_MAX 1000

static const char *pid;
static const struct profile_kind *kind;
static struct module_store *store;
static double begun_wall, begun_cpu; /* of the last recording */

struct times {
	double wall[RUNS_MAX], cpu[RUNS_MAX];
	int n;
};

static double ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

/* From the first call on the recording counts, while heap still tries out what its probes cost. */
static void note_beginning(void)
{
	if (begun_wall)
		return;
	begun_wall = ms(CLOCK_MONOTONIC);
	begun_cpu = ms(CLOCK_THREAD_CPUTIME_ID);
}

static struct recording *begin(struct times *t)
{
	struct recording_options opt = {
		.kind = kind, .target = RECORDING_PIDS, .text = pid, .store = store};
	double wall = ms(CLOCK_MONOTONIC), cpu = ms(CLOCK_THREAD_CPUTIME_ID);
	struct recording *r;
	struct error err;

	begun_wall = 0;
	opt.collect.frequency = 99;
	opt.collect.user = opt.collect.kernel = true;
	opt.collect.begins = note_beginning;
	if (recording_new(&opt, &r, &err) || recording_start(r, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	t->wall[t->n] = begun_wall - wall;
	t->cpu[t->n++] = begun_cpu - cpu;
	return r;
}

static void end(struct recording *r)
{
	struct profile *p;
	struct error err;

	for (int i = 0; i < 3; i++) {
		if (recording_step(r, 10) < 0)
			exit(1);
	}
	recording_stop(r);
	if (recording_profile(r, &p, &err))
		exit(1);
	profile_free(p);
	recording_free(r);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, struct times *t)
{
	qsort(t->wall, (size_t)t->n, sizeof(double), by_value);
	qsort(t->cpu, (size_t)t->n, sizeof(double), by_value);
	printf("  %-8s %-24s %8.1f %8.1f %8.1f %8.1f %8.1f\n", kind->name, what, t->wall[0],
	       t->wall[t->n / 2], t->wall[t->n * 99 / 100], t->cpu[t->n / 2],
	       t->cpu[t->n * 99 / 100]);
	fflush(stdout);
	t->n = 0;
}

/* ---- memory ---- */

struct memory {
	long own_kb; /* resident, without rings that are mapped, which are BPF maps */
	long maps_kb; /* of BPF maps, which the kernel does not count to the process */
};

static long number_in(const char *path, const char *format)
{
	FILE *f = fopen(path, "re");
	char line[200];
	long n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, format, &n) == 1)
			break;
	}
	if (f)
		fclose(f);
	return n;
}

static struct memory memory_now(void)
{
	struct memory m = {.own_kb = number_in("/proc/self/smaps_rollup", "Pss_Anon: %ld")};
	DIR *dir = opendir("/proc/self/fdinfo");
	static bool seen[1 << 20];
	struct dirent *e;

	memset(seen, 0, sizeof(seen));
	while (dir && (e = readdir(dir))) {
		char path[300];
		long id;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		id = number_in(path, "map_id: %ld");
		if (id <= 0 || id >= 1 << 20 || seen[id])
			continue;
		seen[id] = true;
		m.maps_kb += number_in(path, "memlock: %ld") / 1024;
	}
	if (dir)
		closedir(dir);
	return m;
}

static void print_added(const char *what, struct memory from, struct memory to)
{
	printf("  %-8s %-24s %8.1f MB, and %.1f MB of BPF maps\n", kind->name, what,
	       (double)(to.own_kb - from.own_kb) / 1024,
	       (double)(to.maps_kb - from.maps_kb) / 1024);
}

/* ---- the table ---- */

static void measure(struct program_pool *pool, int runs)
{
	struct recording *first, *second, *third;
	static struct times t, t3;
	struct memory one, two;

	first = begin(&t);
	print("first", &t);
	program_pool_settle(pool);
	one = memory_now();
	second = begin(&t);
	program_pool_settle(pool);
	two = memory_now(); /* with the spare that replaces its own */
	end(second);
	program_pool_settle(pool);
	for (int i = 1; i < runs; i++) {
		second = begin(&t);
		third = begin(&t3);
		end(second);
		end(third);
		program_pool_settle(pool);
	}
	print("second, side by side", &t);
	print("third, right after it", &t3);
	end(first);
	program_pool_settle(pool);
	for (int i = 0; i < runs; i++)
		end(begin(&t));
	print("next, at once", &t);
	print_added("a second adds", one, two);
}

int main(int argc, char **argv)
{
	struct module_store_options opt = {.max_programs = 8};
	int runs = argc > 3 ? atoi(argv[3]) : 30;

	if (argc < 3 || runs < 2 || runs > RUNS_MAX || !(kind = kind_by_name(argv[2])))
		return 2;
	pid = argv[1];
	if (readers_new(&opt.readers) || readers_start(opt.readers) ||
	    module_store_new(&opt, &store))
		return 1;
	measure(module_store_programs(store), runs);
	module_store_free(store);
	readers_free(opt.readers);
	return 0;
}
