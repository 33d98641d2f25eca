/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the files that a command will map when it starts: see needed.h. */
#include "target/needed.h"

#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "base/vec.h"
#include "target/loader_list.h"

#define MAX_SCRIPT_DEPTH 4 /* fs/exec.c: BINPRM_MAX_RECURSION */
#define MAX_LISTED 512
#define LIST_BYTES (256u << 10)

typedef VEC(char *) path_vec;

static int add_path(path_vec *v, const char *path)
{
	char *copy = strdup(path);

	if (copy && !vec_push(v, copy))
		return 0;
	free(copy);
	return -ENOMEM;
}

static bool is_executable_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* This searches as execvp(3) does: a name with a slash is a path, and others are looked up in
 * PATH. */
static bool find_in_path(const char *command, char *out, size_t size)
{
	const char *dirs = getenv("PATH");

	if (strchr(command, '/')) {
		snprintf(out, size, "%s", command);
		return is_executable_file(out);
	}
	for (; dirs && *dirs; dirs += strspn(dirs, ":")) {
		size_t len = strcspn(dirs, ":");

		snprintf(out, size, "%.*s/%s", (int)len, dirs, command);
		if (is_executable_file(out))
			return true;
		dirs += len;
	}
	return false;
}

/* For "#!/usr/bin/env python3" the second word names the interpreter; for other scripts the first
 * one does. */
static bool script_interpreter(const char *path, char *out, size_t size)
{
	char line[256], *word, *rest = NULL;
	int fd = regular_file_open(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	bool got = f && fgets(line, sizeof(line), f);

	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	if (!got || strncmp(line, "#!", 2) != 0)
		return false;
	word = strtok_r(line + 2, " \t\n", &rest);
	if (!word)
		return false;
	if (!strcmp(word, "/usr/bin/env")) {
		word = strtok_r(NULL, " \t\n", &rest);
		return word && find_in_path(word, out, size);
	}
	snprintf(out, size, "%s", word);
	return is_executable_file(out);
}

/* Finds PT_INTERP, the dynamic loader; false for static binaries. */
static bool elf_interpreter(const char *path, char *out, size_t size)
{
	int fd = regular_file_open(path);
	Elf *elf = NULL;
	size_t n = 0;
	bool found = false;

	if (fd < 0)
		return false;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_getphdrnum(elf, &n))
		n = 0;
	for (size_t i = 0; i < n && !found; i++) {
		GElf_Phdr ph;
		ssize_t got;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz < 2 || ph.p_filesz >= size)
			break;
		got = pread(fd, out, ph.p_filesz, (off_t)ph.p_offset);
		out[got > 0 ? got : 0] = '\0';
		found = got > 0 && out[0] == '/';
	}
	elf_end(elf);
	close(fd);
	return found;
}

static bool add_library(void *arg, const char *path)
{
	path_vec *v = arg;

	return v->len <= MAX_LISTED && !add_path(v, path);
}

static void release_paths(path_vec *v)
{
	vec_for_each(v, it)
		free(*it);
	vec_release(v);
}

static void list_here(const char *command, path_vec *v)
{
	char path[PATH_MAX], next[PATH_MAX], loader[PATH_MAX];

	if (!find_in_path(command, path, sizeof(path)))
		return;
	for (int depth = 0; depth < MAX_SCRIPT_DEPTH; depth++) {
		if (!script_interpreter(path, next, sizeof(next)))
			break;
		memcpy(path, next, sizeof(path));
	}
	add_path(v, path);
	if (elf_interpreter(path, loader, sizeof(loader))) {
		add_path(v, loader);
		if (loader_lists(loader))
			loader_list(loader, path, add_library, v);
	}
}

/* ---- through a reader, which returns the list as a nameless file of NUL-terminated paths ----- */

static int write_paths(int fd, const path_vec *v)
{
	vec_for_each(v, it) {
		size_t size = strlen(*it) + 1;

		if (write(fd, *it, size) != (ssize_t)size)
			return -EIO;
	}
	return 0;
}

static int list_for_reader(const void *arg, size_t size, const int *fds, u32 nfds)
{
	int fd = memfd_create("cprof-needed", MFD_CLOEXEC), err;
	path_vec v = {0};

	(void)size, (void)fds, (void)nfds;
	if (fd < 0)
		return -errno;
	list_here(arg, &v);
	err = write_paths(fd, &v);
	release_paths(&v);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int list_by_reader(const char *command, struct readers *readers, path_vec *v)
{
	const struct file_opener o = {.open = list_for_reader,
				      .arg = command,
				      .size = strlen(command) + 1,
				      .place = "PATH",
				      .path = command};
	char text[LIST_BYTES];
	struct input_file in;
	ssize_t got;
	int err = readers_open(readers, &o, &in);

	if (err)
		return err;
	got = input_file_read(&in, text, sizeof(text) - 1, 0);
	input_file_close(&in);
	if (got < 0)
		return (int)got;
	text[got] = '\0';
	for (char *path = text; path < text + got && !err; path += strlen(path) + 1)
		err = add_path(v, path);
	return err;
}

void needed_files_of(const char *command, struct readers *readers, struct needed_files *out)
{
	path_vec v = {0};

	out->paths = NULL;
	if (readers)
		/* The list is only a guess, so it may be missing. */
		(void)list_by_reader(command, readers, &v);
	else
		list_here(command, &v);
	if (v.len && !vec_push(&v, NULL))
		out->paths = v.data;
	else
		release_paths(&v);
}

int needed_files_add(struct needed_files *n, const char *path)
{
	char **grown, *copy = strdup(path);
	size_t len = 0;

	while (n->paths && n->paths[len])
		len++;
	grown = realloc(n->paths, (len + 2) * sizeof(*grown));
	if (grown)
		n->paths = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	grown[len] = copy;
	grown[len + 1] = NULL;
	return 0;
}

void needed_files_release(struct needed_files *n)
{
	for (char **p = n->paths; p && *p; p++)
		free(*p);
	free(n->paths);
	n->paths = NULL;
}
