/* SPDX-License-Identifier: Apache-2.0 */
/* A command with libcprof-heap.so in front of its allocator: see preload.h. */
#include "record/preload.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "target/allocator.h"
#include "target/needed.h"

#define LIBRARY "libcprof-heap.so"

/* A colon or a blank in its path would end it there (ld.so(8), LD_PRELOAD). */
static bool is_usable(const char *path)
{
	return !strpbrk(path, ": ") && !access(path, R_OK);
}

static int find_library(char *out, size_t size)
{
	static const char *const places[] = {"", "../lib/cprof/"};
	char self[PATH_MAX], *dir;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return -errno;
	self[len] = '\0';
	dir = dirname(self);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int used = snprintf(out, size, "%s/%s" LIBRARY, dir, places[i]);

		if (used > 0 && (size_t)used < size && is_usable(out))
			return 0;
	}
	return -ENOENT;
}

/* What the program itself defines is found before what is preloaded. */
static bool has_allocator(const char *path)
{
	int fd = regular_file_open(path);
	struct allocator a = {0};
	struct elf_file *elf;
	bool found = false;

	if (fd < 0)
		return false;
	if (!elf_file_open(fd, &elf)) {
		found = !allocator_find(elf, NULL, &a);
		allocator_release(&a);
		elf_file_free(elf);
	}
	close(fd);
	return found;
}

/* Without an interpreter nobody reads LD_PRELOAD. */
static bool is_out_of_reach(const char *command)
{
	struct needed_files needed = {0};
	bool out;

	needed_files_of(command, &needed);
	out = needed.paths && needed.paths[0] &&
	      (!needed.paths[1] || has_allocator(needed.paths[0]));
	needed_files_release(&needed);
	return out;
}

int preload_init(struct preload *p, const char *command, u64 rate)
{
	const char *others = getenv("LD_PRELOAD");
	int err;

	*p = (struct preload){0};
	err = find_library(p->path, sizeof(p->path));
	if (!err && is_out_of_reach(command))
		err = -ENOTSUP;
	if (err)
		return err;
	if (asprintf(&p->env[0], "LD_PRELOAD=%s%s%s", p->path, others && *others ? ":" : "",
		     others ? others : "") < 0)
		p->env[0] = NULL;
	else if (asprintf(&p->env[1], "CPROF_HEAP_RATE=%llu", (unsigned long long)rate) < 0)
		p->env[1] = NULL;
	if (p->env[1])
		return 0;
	preload_release(p);
	return -ENOMEM;
}

void preload_release(struct preload *p)
{
	free(p->env[0]);
	free(p->env[1]);
	*p = (struct preload){0};
}
