/* SPDX-License-Identifier: Apache-2.0 */
/* Puts libcprof-heap.so in front of a command's allocator: see preload.h. */
#include "record/preload.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/invoker.h"
#include "base/path.h"
#include "base/regular_file.h"
#include "target/allocator.h"
#include "target/needed.h"

#define LIBRARY "libcprof-heap.so"

/* The owner of cprof's own file controls what it does anyway. */
static bool is_trusted(uid_t owner)
{
	struct stat self;

	return invoker_trusts(owner) || (!stat("/proc/self/exe", &self) && self.st_uid == owner);
}

/*
 * A command that root starts runs the library as root. So no other user may have put it there or be
 * able to replace it: in /tmp, where cprof may have been copied to, anybody can create a file next
 * to it.
 */
static bool is_safe(const char *path)
{
	char copy[PATH_MAX];
	struct stat file, dir;

	snprintf(copy, sizeof(copy), "%s", path);
	if (lstat(path, &file) || stat(dirname(copy), &dir))
		return false;
	if (!S_ISREG(file.st_mode) || (file.st_mode & S_IWOTH) || !is_trusted(file.st_uid))
		return false;
	return is_trusted(dir.st_uid) && (!(dir.st_mode & S_IWOTH) || (dir.st_mode & S_ISVTX));
}

/* Tries the library in `dir`, by its path without links. */
static int try_place(const char *dir, const char *place, char *out, size_t size)
{
	char path[PATH_MAX], whole[PATH_MAX];
	struct stat entry; /* this may be a link */

	snprintf(path, sizeof(path), "%s/%s" LIBRARY, dir, place);
	/* A colon or a blank would end its path there (ld.so(8), LD_PRELOAD). */
	if (!realpath(path, whole) || strpbrk(whole, ": ") || access(whole, R_OK) ||
	    strlen(whole) >= size)
		return -ENOENT;
	if (lstat(path, &entry) || !is_trusted(entry.st_uid) || !is_safe(whole))
		return -EPERM;
	strcpy(out, whole);
	return 0;
}

static int find_library(char *out, size_t size)
{
	char self[PATH_MAX], *dir;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int err;

	if (len < 0)
		return -errno;
	self[len] = '\0';
	dir = dirname(self);
	err = try_place(dir, "", out, size);
	return err == -ENOENT ? try_place(dir, "../lib/cprof/", out, size) : err;
}

/* What the program itself defines is found before what is preloaded. */
static bool has_allocator(const char *path, struct readers *readers)
{
	struct allocator a = {0};
	struct elf_file *elf;
	struct input_file in;
	bool found;

	if (regular_file_input(readers, path, &in) || elf_file_open_input(&in, &elf))
		return false;
	found = !allocator_find(elf, NULL, &a);
	allocator_release(&a);
	elf_file_free(elf);
	return found;
}

/* AddressSanitizer's runtime ends a program in which another library comes first. */
static bool has_sanitizer(char *const *paths)
{
	for (; *paths; paths++) {
		if (!strncmp(path_name(*paths), "libasan.so", 10) ||
		    strstr(*paths, "/libclang_rt.asan"))
			return true;
	}
	return false;
}

/* A program without an interpreter ignores LD_PRELOAD. */
static bool is_out_of_reach(const char *command, struct readers *readers)
{
	struct needed_files needed = {0};
	bool out;

	needed_files_of(command, readers, &needed);
	out = needed.paths && needed.paths[0] &&
	      (!needed.paths[1] || has_allocator(needed.paths[0], readers) ||
	       has_sanitizer(needed.paths));
	needed_files_release(&needed);
	return out;
}

/* What the command starts may have the sanitizer, so this tells it not to check which library comes
 * first. */
static int fill_environment(struct preload *p, u64 rate)
{
	const char *others = getenv("LD_PRELOAD"), *asan = getenv("ASAN_OPTIONS");

	others = others ? others : "";
	asan = asan ? asan : "";
	if (asprintf(&p->env[0], "LD_PRELOAD=%s%s%s", p->path, *others ? ":" : "", others) < 0)
		p->env[0] = NULL;
	else if (asprintf(&p->env[1], "CPROF_HEAP_RATE=%llu", (unsigned long long)rate) < 0)
		p->env[1] = NULL;
	else if (asprintf(&p->env[3], "CPROF_HEAP_ASK=1") < 0)
		p->env[3] = NULL;
	else if (asprintf(&p->env[2], "ASAN_OPTIONS=%s%sverify_asan_link_order=0", asan,
			  *asan ? ":" : "") < 0)
		p->env[2] = NULL;
	return p->env[2] ? 0 : -ENOMEM;
}

int preload_init(struct preload *p, const char *command, u64 rate, struct readers *readers)
{
	int err;

	*p = (struct preload){0};
	err = find_library(p->path, sizeof(p->path));
	if (!err && is_out_of_reach(command, readers))
		err = -ENOTSUP;
	if (!err)
		err = fill_environment(p, rate);
	if (err == -ENOMEM)
		preload_release(p);
	return err;
}

void preload_release(struct preload *p)
{
	free(p->env[0]);
	free(p->env[1]);
	free(p->env[2]);
	free(p->env[3]);
	*p = (struct preload){0};
}
