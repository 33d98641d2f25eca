/* SPDX-License-Identifier: Apache-2.0 */
/* Files that other threads open and compile: each request gets its answer, in time. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/readers.h"
#include "collect/session/module_loader.h"

#define PATIENCE_MS 60000u

static double seconds(void)
{
	return (double)monotonic_ns() * 1e-9;
}

/* Returns our executable mapping that contains an address; the caller frees the path. */
static struct map_entry mapping_of(const void *address)
{
	struct map_entry found = {0};
	map_vec maps = {0};

	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (e->start <= (u64)(uintptr_t)address && (u64)(uintptr_t)address < e->end) {
			found = *e;
			found.path = strdup(e->path);
		}
	}
	maps_release(&maps);
	CHECK(found.path);
	return found;
}

static struct module_loader *new_loader(struct readers *readers)
{
	struct module_loader *l;

	CHECK_INT(module_loader_new(readers, NULL, NULL, &l), 0);
	return l;
}

static void ask(struct module_loader *l, pid_t tgid, u64 start, u64 end, u64 token)
{
	const struct module_request q = {
		.tgid = tgid, .entry = {.start = start, .end = end}, .token = token};

	CHECK_INT(module_loader_ask(l, &q), 0);
}

static struct module_result next(struct module_loader *l)
{
	struct module_result r;

	while (!module_loader_take(l, &r))
		CHECK(module_loader_wait(l, PATIENCE_MS));
	return r;
}

static void release(struct module_result *r)
{
	module_free(r->module);
	module_rows_release(&r->rows);
}

static void check_loaded(const struct module_result *r, const struct map_entry *e)
{
	CHECK_INT(r->err, 0);
	CHECK_INT(r->inode, e->inode);
	CHECK(r->module && r->module->elf && !r->module->unread);
	CHECK_STR(r->module->path, e->path);
	CHECK_INT(r->rows_err, 0);
	CHECK(r->rows.rows && r->rows.rows->nrows > 1000 && r->rows.nrules > 50);
}

TEST(module_loader, a_mapping_of_which_only_the_place_is_known)
{
	struct module_loader *l = new_loader(NULL);
	struct map_entry e = mapping_of((void *)(uintptr_t)new_loader);
	struct module_result r;

	ask(l, getpid(), e.start, e.end, 4711);
	r = next(l);
	CHECK_INT(r.token, 4711);
	CHECK_INT(r.tgid, getpid());
	CHECK_INT(r.start, e.start);
	check_loaded(&r, &e);
	release(&r);
	/* It is not compiled again, whichever process maps it. */
	ask(l, getpid(), e.start, e.end, 4712);
	r = next(l);
	CHECK_INT(r.token, 4712);
	CHECK_INT(r.err, 0);
	CHECK_INT(r.inode, e.inode);
	CHECK(!r.module && !r.rows.rows);
	CHECK(!module_loader_take(l, &r));
	free(e.path);
	module_loader_free(l);
}

TEST(module_loader, what_is_not_there)
{
	struct module_loader *l = new_loader(NULL);
	struct map_entry e = mapping_of((void *)(uintptr_t)new_loader);
	struct module_result r;

	ask(l, 0x7ffffff0, e.start, e.end, 1);
	r = next(l);
	CHECK_INT(r.err, -ESRCH);
	CHECK_INT(r.inode, 0);
	ask(l, getpid(), 4096, 8192, 2);
	r = next(l);
	CHECK_INT(r.err, -ESTALE);
	CHECK_INT(r.token, 2);
	free(e.path);
	module_loader_free(l);
}

/* This also holds with requests in the queue, and with answers that nobody took. */
TEST(module_loader, is_freed_at_any_time)
{
	struct map_entry e = mapping_of((void *)(uintptr_t)new_loader);

	for (int round = 0; round < 20; round++) {
		struct module_loader *l = new_loader(NULL);

		for (int i = 0; i < round; i++)
			ask(l, getpid(), e.start, e.end, (u64)i);
		if (round % 3 == 1)
			(void)module_loader_wait(l, PATIENCE_MS);
		module_loader_free(l);
	}
	free(e.path);
}

TEST(module_loader, without_threads_the_asking_one_loads)
{
	const bool root = !geteuid();
	struct rlimit before, none;
	struct map_entry e = mapping_of((void *)(uintptr_t)new_loader);
	struct module_loader *l;
	struct module_result r;

	/* The limit does not apply to root. */
	if (root && setresuid(65534, 65534, 0))
		unit_skip("cannot become an ordinary user");
	CHECK_INT(getrlimit(RLIMIT_NPROC, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	if (setrlimit(RLIMIT_NPROC, &none) || access(e.path, R_OK))
		unit_skip("this program cannot be read by an ordinary user");
	l = new_loader(NULL);
	ask(l, getpid(), e.start, e.end, 1);
	CHECK(module_loader_take(l, &r));
	check_loaded(&r, &e);
	release(&r);
	free(e.path);
	module_loader_free(l);
	/* A sanitizer looks for leaks from a separate thread, which must be able to trace this
	 * process. */
	CHECK_INT(setrlimit(RLIMIT_NPROC, &before), 0);
	if (root && (setresuid(0, 0, 0) || prctl(PR_SET_DUMPABLE, 1)))
		unit_fail(__FILE__, __LINE__, "cannot become root again");
}

/* Mounts a FUSE file system without a server, in a separate mount namespace, and returns its
 * device. */
static dev_t mount_silence(void)
{
	int fuse = open("/dev/fuse", O_RDWR), minor = -1;
	char options[100], line[1000];
	FILE *f;

	if (geteuid() || fuse < 0 || unshare(CLONE_NEWNS))
		unit_skip("needs root and /dev/fuse");
	CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (mount("silent", "/mnt", "fuse", 0, options))
		unit_skip("cannot mount FUSE here");
	f = fopen("/proc/self/mountinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " /mnt ") && strstr(line, " fuse silent "))
			sscanf(line, "%*d %*d 0:%d", &minor);
	}
	CHECK(f && minor >= 0);
	fclose(f);
	return makedev(0, (unsigned)minor);
}

TEST(module_loader, a_file_that_does_not_answer_keeps_no_other)
{
	struct map_entry e = mapping_of((void *)(uintptr_t)new_loader);
	dev_t dev = mount_silence();
	struct module_request silent = {.tgid = getpid(),
					.entry = {.start = 4096,
						  .end = 8192,
						  .inode = 5,
						  .dev_major = major(dev),
						  .dev_minor = minor(dev),
						  .path = (char *)"/mnt/file"},
					.token = 1};
	double begin = seconds(), first;
	struct module_loader *l;
	struct readers *readers;
	struct module_result r;

	CHECK_INT(readers_new(&readers), 0);
	l = new_loader(readers);
	CHECK_INT(module_loader_ask(l, &silent), 0);
	ask(l, getpid(), e.start, e.end, 2);
	r = next(l);
	first = seconds() - begin;
	CHECK_INT(r.token, 2);
	check_loaded(&r, &e);
	release(&r);
	r = next(l);
	CHECK_INT(r.token, 1);
	CHECK_INT(r.err, 0);
	CHECK(r.module && r.module->unread && !r.module->elf);
	CHECK_STR(r.module->path, "/mnt/file");
	CHECK(first < seconds() - begin);
	CHECK(seconds() - begin >= READERS_ANSWER_MS * 1e-3);
	release(&r);
	module_loader_free(l);
	readers_free(readers);
	free(e.path);
	CHECK(!umount2("/mnt", MNT_DETACH));
}

static double cpu_seconds(void)
{
	return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) * 1e-9;
}

/* Returns the CPU time that is used after the loader is freed. It is negative if the loader was
 * nearly done by then. */
static double used_after_free(const struct map_entry *e, double whole)
{
	const struct timespec pause = {.tv_nsec = 200000};
	struct module_loader *l = new_loader(NULL);
	double begun = cpu_seconds(), freed;

	ask(l, getpid(), e->start, e->end, 1);
	while (cpu_seconds() - begun < whole / 4)
		nanosleep(&pause, NULL);
	freed = cpu_seconds();
	module_loader_free(l);
	return freed - begun > whole / 2 ? -1 : cpu_seconds() - freed;
}

/* The files of clang take a tenth of a second to compile; no program of ours takes that long. */
static struct map_entry map_large_file(void)
{
	glob_t found;
	void *mem;
	int fd;

	if (glob("/usr/lib/*/libLLVM-*.so.1", 0, NULL, &found))
		unit_skip("no libLLVM here");
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	mem = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(mem != MAP_FAILED);
	close(fd);
	globfree(&found);
	return mapping_of(mem);
}

TEST(module_loader, nobody_waits_for_a_file_when_it_is_freed)
{
	struct map_entry e = map_large_file();
	struct module_loader *l = new_loader(NULL);
	double begun = cpu_seconds(), whole, least = -1, used;
	struct module_result r;

	ask(l, getpid(), e.start, e.end, 1);
	r = next(l);
	whole = cpu_seconds() - begun;
	release(&r);
	module_loader_free(l);
	/*
	 * On a busy machine the worker may have the CPU for a time slice more before this thread
	 * can tell it to stop, so the least of several trials counts.
	 */
	for (int i = 0; i < 20 && (least < 0 || least > whole / 4); i++) {
		used = used_after_free(&e, whole);
		if (used >= 0 && (least < 0 || used < least))
			least = used;
	}
	if (least < 0)
		unit_skip("this machine is too busy to free it in time");
	if (least > whole / 4)
		unit_fail(__FILE__, __LINE__, "%.1f of %.1f ms were used afterwards", least * 1e3,
			  whole * 1e3);
	free(e.path);
}
