/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a command will map when it starts: see needed.h. */
#include "target/needed.h"

#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "base/vec.h"
#include "target/loader_list.h"

#define MAX_SCRIPT_DEPTH 4 /* fs/exec.c: BINPRM_MAX_RECURSION */
#define MAX_LISTED 512

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

/* As execvp(3) searches: a name with a slash is a path, others are looked for along PATH. */
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

/* "#!/usr/bin/env python3" runs what its second word names; other scripts what their first names. */
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

/* PT_INTERP: the dynamic loader; false for static binaries. */
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

void needed_files_of(const char *command, struct needed_files *out)
{
	char path[PATH_MAX], next[PATH_MAX], loader[PATH_MAX];
	path_vec v = {0};

	out->paths = NULL;
	if (!find_in_path(command, path, sizeof(path)))
		return;
	for (int depth = 0; depth < MAX_SCRIPT_DEPTH; depth++) {
		if (!script_interpreter(path, next, sizeof(next)))
			break;
		memcpy(path, next, sizeof(path));
	}
	add_path(&v, path);
	if (elf_interpreter(path, loader, sizeof(loader))) {
		add_path(&v, loader);
		if (loader_lists(loader))
			loader_list(loader, path, add_library, &v);
	}
	if (vec_push(&v, NULL)) {
		vec_for_each(&v, it)
			free(*it);
		vec_release(&v);
		return;
	}
	out->paths = v.data;
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
