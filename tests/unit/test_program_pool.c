/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what later recordings of a process need not do again, because programs are kept. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "collect/session/machine.h"
#include "collect/session/module_store.h"
#include "collect/session/probed_processes.h"
#include "collect/session/program_pool.h"
#include "collect/wait/wait_options.h"
#include "record/kinds.h"
#include "record/recording.h"
#include "unit.h"

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

struct fixture {
	pid_t target;
	char pid[16];
	struct module_store *store;
	struct program_pool *pool;
};

/* The target sleeps and works. */
static void fixture_init(struct fixture *f, u32 max_programs)
{
	const struct module_store_options opt = {.max_programs = max_programs};
	char text[64];

	if (geteuid())
		unit_skip("BPF needs root");
	f->target = fork();
	for (double sum = 0; !f->target; sum++) {
		for (int i = 0; i < 100; i++)
			snprintf(text, sizeof(text), "%f", sum);
		usleep(100);
	}
	snprintf(f->pid, sizeof(f->pid), "%d", (int)f->target);
	CHECK_INT(module_store_new(&opt, &f->store), 0);
	f->pool = module_store_programs(f->store);
}

static void fixture_release(struct fixture *f)
{
	module_store_free(f->store);
	kill(f->target, SIGKILL);
	waitpid(f->target, NULL, 0);
}

/*
 * These tests do not check names. Names come from a process that is forked while other recordings
 * run, and the sanitizer's allocator may be locked for good there.
 */
static bool at_once(void *arg)
{
	return true;
}

static struct recording *prepared(struct fixture *f, const char *kind)
{
	struct recording_options opt = {.kind = kind_by_name(kind),
					.target = RECORDING_PIDS,
					.text = f->pid,
					.stop_naming = at_once,
					.store = f->store};
	struct recording *r = NULL;
	struct error err = {.text = ""};

	opt.collect.frequency = 499;
	opt.collect.user = opt.collect.kernel = true;
	(void)!recording_new(&opt, &r, &err);
	CHECK_STR(err.text, "");
	return r;
}

static struct recording *begun(struct fixture *f, const char *kind, double *cpu)
{
	double before = cpu_ms();
	struct recording *r = prepared(f, kind);
	struct error err;

	CHECK_INT(recording_start(r, &err), 0);
	*cpu = cpu_ms() - before;
	return r;
}

static void end(struct recording *r)
{
	struct collect_stats stats;
	struct profile *p;
	struct error err;

	do {
		CHECK_INT(recording_step(r, 5), 0);
		recording_stats(r, &stats);
	} while (stats.samples < 3);
	recording_stop(r);
	CHECK_INT(recording_profile(r, &p, &err), 0);
	CHECK(p->samples.len > 0);
	profile_free(p);
	recording_free(r);
}

/* Begins one more recording, which must find everything done. */
static struct recording *begun_at_once(struct fixture *f, const char *kind, double *cpu)
{
	struct module_store_stats before, after;
	struct program_pool_stats had;
	struct recording *r;

	program_pool_settle(f->pool);
	had = program_pool_stats(f->pool);
	module_store_stats(f->store, &before);
	r = begun(f, kind, cpu);
	module_store_stats(f->store, &after);
	CHECK_INT(program_pool_stats(f->pool).loaded, had.loaded);
	CHECK_INT(program_pool_stats(f->pool).reused, had.reused + 1);
	CHECK_INT(after.opened, before.opened);
	CHECK_INT(after.compiled, before.compiled);
	CHECK_INT(after.pages, before.pages);
	return r;
}

TEST(program_pool, a_second_recording_finds_its_programs_loaded)
{
	struct recording *first, *second, *third;
	double cpu[3];
	struct fixture f;

	fixture_init(&f, 8);
	first = begun(&f, "cpu", &cpu[0]);
	/* Side by side, and one after the other. */
	second = begun_at_once(&f, "cpu", &cpu[1]);
	end(first);
	third = begun_at_once(&f, "cpu", &cpu[2]);
	printf("# CPU time until ready: %.1f ms, then %.1f side by side, %.1f afterwards\n", cpu[0],
	       cpu[1], cpu[2]);
	/* The difference is twentyfold. */
	CHECK(cpu[1] < cpu[0] / 3 && cpu[2] < cpu[0] / 3);
	end(second);
	end(third);
	fixture_release(&f);
}

/* There are spares for two of them. */
TEST(program_pool, two_more_recordings_can_begin_at_once)
{
	struct recording *all[3];
	struct program_pool_stats had, now;
	struct fixture f;
	double cpu;

	fixture_init(&f, 8);
	all[0] = begun(&f, "cpu", &cpu);
	program_pool_settle(f.pool);
	had = program_pool_stats(f.pool);
	CHECK_INT(had.idle, 2);
	all[1] = begun(&f, "cpu", &cpu);
	all[2] = begun(&f, "cpu", &cpu);
	now = program_pool_stats(f.pool);
	CHECK_INT(now.loaded, had.loaded);
	CHECK_INT(now.waited, had.waited);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		end(all[i]);
	fixture_release(&f);
}

/* A second spare takes no place of programs with other settings. */
TEST(program_pool, spares_leave_other_programs_alone)
{
	struct fixture f;

	fixture_init(&f, 2);
	recording_free(prepared(&f, "cpu"));
	recording_free(prepared(&f, "offcpu"));
	program_pool_settle(f.pool);
	CHECK_INT(program_pool_stats(f.pool).idle, 2);
	recording_free(prepared(&f, "cpu"));
	recording_free(prepared(&f, "offcpu"));
	CHECK_INT(program_pool_stats(f.pool).loaded, 2);
	fixture_release(&f);
}

/* Kinds that attach probes measure their cost once for all recordings of the store. */
TEST(program_pool, the_cost_of_probes_is_measured_once)
{
	struct recording *first, *second;
	struct machine *machine;
	struct fixture f;
	double cpu[2];

	fixture_init(&f, 8);
	machine = module_store_machine(f.store);
	CHECK_INT(machine_measured(machine), 0);
	first = begun(&f, "heap", &cpu[0]);
	CHECK_INT(machine_measured(machine), 1);
	second = begun_at_once(&f, "heap", &cpu[1]);
	CHECK_INT(machine_measured(machine), 1);
	recording_stop(first);
	recording_stop(second);
	recording_free(first);
	recording_free(second);
	fixture_release(&f);
}

/* Breakpoints of one recording are no leftovers to the next one, and the one that ends first does
 * not wait until they have disappeared. */
TEST(program_pool, recordings_know_of_each_other_where_they_have_probes)
{
	struct recording *first, *second;
	struct probed_processes *probed;
	struct fixture f;
	double cpu;

	fixture_init(&f, 8);
	probed = module_store_probed(f.store);
	CHECK_INT(probed_processes_count(probed, f.target), 0);
	first = begun(&f, "heap", &cpu);
	CHECK_INT(probed_processes_count(probed, f.target), 1);
	CHECK_INT(probed_processes_count(probed, getpid()), 0);
	second = begun(&f, "allocs", &cpu);
	CHECK_INT(probed_processes_count(probed, f.target), 2);
	recording_stop(first);
	CHECK_INT(probed_processes_count(probed, f.target), 1);
	recording_stop(second);
	CHECK_INT(probed_processes_count(probed, f.target), 0);
	recording_free(first);
	recording_free(second);
	fixture_release(&f);
}

/* A recording that was only prepared leaves the programs of its kind to others. */
TEST(program_pool, programs_of_another_kind_can_be_loaded_ahead)
{
	static const char *const kinds[] = {"offcpu", "wall"};
	struct recording *first, *others[ARRAY_LEN(kinds)];
	struct fixture f;
	double cpu;

	fixture_init(&f, 8);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		recording_free(prepared(&f, kinds[i]));
	first = begun(&f, "cpu", &cpu);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		others[i] = begun_at_once(&f, kinds[i], &cpu);
	end(first);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		end(others[i]);
	fixture_release(&f);
}

TEST(program_pool, programs_are_kept_up_to_a_limit)
{
	static const char *const kinds[] = {"cpu", "offcpu", "block", "cpu"};
	struct program_pool_stats stats;
	struct fixture f;

	fixture_init(&f, 2);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		recording_free(prepared(&f, kinds[i]));
		program_pool_settle(f.pool);
		stats = program_pool_stats(f.pool);
		CHECK(stats.idle >= 1 && stats.idle <= 2);
	}
	CHECK_INT(stats.loaded, 4); /* that of the first kind had to go */
	recording_free(prepared(&f, "block"));
	CHECK_INT(program_pool_stats(f.pool).loaded, 4);
	fixture_release(&f);
}

/* A recording that cannot be prepared returns programs in the state that they are in. */
TEST(program_pool, failures_leave_nothing_behind)
{
	struct recording_options opt = {.kind = kind_by_name("cpu"), .target = RECORDING_PIDS};
	struct recording *r;
	struct fixture f;
	struct error err;

	fixture_init(&f, 2);
	opt.store = f.store;
	opt.text = f.pid;
	opt.collect.user = true;
	opt.collect.frequency = 2000000000; /* more than the kernel allows */
	CHECK(recording_new(&opt, &r, &err) < 0);
	CHECK_INT(program_pool_stats(f.pool).idle, 0);
	recording_free(prepared(&f, "cpu"));
	fixture_release(&f);
}

/* ---- many ---- */

typedef VEC(u32) id_vec;

struct objects {
	u32 descriptors; /* of any kind */
	id_vec maps, programs;
};

static void note_id(const char *fd, const char *field, id_vec *ids)
{
	char path[300], line[200], format[32];
	unsigned id;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", fd);
	snprintf(format, sizeof(format), "%s:\t%%u", field);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, format, &id) == 1)
			CHECK_INT(vec_push(ids, id), 0);
	}
	if (f)
		fclose(f);
}

/* Adds the BPF objects that this process has open. */
static void note_objects(struct objects *o)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	CHECK(dir);
	o->descriptors = 0;
	while ((e = readdir(dir))) {
		o->descriptors++;
		note_id(e->d_name, "map_id", &o->maps);
		note_id(e->d_name, "prog_id", &o->programs);
	}
	closedir(dir);
}

static bool is_there(u32 id, int (*open_by_id)(u32 id))
{
	int fd = open_by_id(id);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Returns a number from what the kernel tells of a descriptor, or 0. */
static u64 number_of(int fd, const char *format)
{
	unsigned long long n = 0;
	char path[64], line[200];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, format, &n) == 1)
			break;
	}
	if (f)
		fclose(f);
	return n;
}

/* Returns the kernel's memory of all maps that this process has, each once. */
static u64 bytes_of_maps(void)
{
	struct objects o = {0};
	u64 sum = 0;

	note_objects(&o);
	for (size_t i = 0; i < o.maps.len; i++) {
		bool again = false;
		int fd;

		for (size_t k = 0; k < i; k++)
			again |= o.maps.data[k] == o.maps.data[i];
		fd = again ? -1 : bpf_map_get_fd_by_id(o.maps.data[i]);
		if (fd < 0)
			continue;
		sum += number_of(fd, "memlock: %llu");
		close(fd);
	}
	vec_release(&o.maps);
	vec_release(&o.programs);
	return sum;
}

/* One more object has a small ring, and tables whose entries are allocated when they are needed. */
TEST(program_pool, one_more_recording_adds_few_bytes_of_maps)
{
	static const char *const kinds[] = {"cpu", "offcpu", "wall", "block", "mutex"};
	u64 cpus = (u64)libbpf_num_possible_cpus(), most = (4u << 20) + cpus * (768u << 10), bytes;
	struct features features = {0};
	struct fixture f;
	double cpu;

	fixture_init(&f, 8);
	machine_uprobes(module_store_machine(f.store), &features);
	if (features.kernel_major * 1000 + features.kernel_minor < 6004)
		unit_skip("before 6.4 the kernel does not tell how much memory a map has");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct recording *first = begun(&f, kinds[i], &cpu), *second;

		program_pool_settle(f.pool);
		bytes = bytes_of_maps();
		second = begun_at_once(&f, kinds[i], &cpu);
		program_pool_settle(f.pool);
		bytes = bytes_of_maps() - bytes; /* of the object that replaces the spare */
		printf("# %s: %llu KB of maps\n", kinds[i], (unsigned long long)bytes >> 10);
		CHECK(bytes > 0 && bytes < most);
		recording_free(first);
		recording_free(second);
	}
	fixture_release(&f);
}

/* The kernel frees them a while after the last descriptor was closed. */
static void check_gone(const id_vec *ids, int (*open_by_id)(u32 id))
{
	CHECK(ids->len > 0);
	for (u32 tried = 0; tried < 3000; tried++) {
		u32 there = 0;

		vec_for_each(ids, id)
			there += is_there(*id, open_by_id);
		if (!there)
			return;
		usleep(10000);
	}
	unit_fail(__FILE__, __LINE__, "BPF objects are left");
}

TEST(program_pool, many_recordings_leave_nothing_behind)
{
	static const char *const kinds[] = {"cpu", "offcpu", "cpu", "wall"};
	u32 n = getenv("RECORDINGS") ? (u32)atoi(getenv("RECORDINGS")) : 24;
	struct objects before = {0}, first = {0}, last = {0}, after = {0};
	struct fixture f;
	double cpu;

	/* The pool has three objects of each kind. */
	fixture_init(&f, 9);
	module_store_free(f.store); /* libbpf has opened what it keeps */
	note_objects(&before);
	fixture_release(&(struct fixture){.target = f.target});
	fixture_init(&f, 9);
	for (u32 i = 0; i < n; i++) {
		end(begun(&f, kinds[i % ARRAY_LEN(kinds)], &cpu));
		if (i == n / 2)
			program_pool_settle(f.pool);
		if (i == n / 2)
			note_objects(&first);
	}
	program_pool_settle(f.pool);
	note_objects(&last);
	CHECK_INT(last.descriptors, first.descriptors);
	CHECK_INT(last.maps.len, first.maps.len);
	CHECK_INT(last.programs.len, first.programs.len);
	CHECK(program_pool_stats(f.pool).loaded <= 3);
	fixture_release(&f);
	note_objects(&after);
	CHECK_INT(after.descriptors, before.descriptors);
	check_gone(&last.maps, (int (*)(u32))bpf_map_get_fd_by_id);
	check_gone(&last.programs, (int (*)(u32))bpf_prog_get_fd_by_id);
	vec_release(&first.maps);
	vec_release(&first.programs);
	vec_release(&last.maps);
	vec_release(&last.programs);
}
