/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the file that an exec will run: see program.h. */
#include "program.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEAD_BYTES 4096
#define SCRIPTS_MAX 5 /* fs/exec.c allows as many interpreters of interpreters */
#define DEFAULT_PATH "/bin:/usr/bin"

static const struct program none = {.fd = -1};

/* The beginning of a file, with a 0 after it. */
struct head {
	_Alignas(16) char bytes[HEAD_BYTES + 1];
	size_t len;
};

/* System calls are made directly, because the C library's functions may be wrapped by others, and
 * are points at which the thread may be cancelled. */
static bool read_head(int fd, struct head *head)
{
	long got = syscall(SYS_pread64, fd, head->bytes, HEAD_BYTES, 0L);

	head->len = got > 0 ? (size_t)got : 0;
	head->bytes[head->len] = '\0';
	return got > 0;
}

static int open_file(const char *path)
{
	/* O_NONBLOCK: it may be a FIFO */
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
}

static void close_file(int fd)
{
	syscall(SYS_close, fd);
}

/* Cuts the line at the end of the interpreter's path. */
static const char *interpreter(struct head *head)
{
	char *path = head->bytes + 2;

	path += strspn(path, " \t");
	path[strcspn(path, " \t\n")] = '\0';
	return *path ? path : NULL;
}

/* Returns whether it is a program of this machine whose program headers are in `head`. */
static bool is_elf(const struct head *head)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)head->bytes;

	return head->len >= sizeof(*e) && !memcmp(e->e_ident, ELFMAG, SELFMAG) &&
	       e->e_ident[EI_CLASS] == ELFCLASS64 && e->e_phentsize == sizeof(Elf64_Phdr) &&
	       e->e_phoff % sizeof(uint64_t) == 0 && e->e_phoff <= head->len &&
	       e->e_phnum <= (head->len - e->e_phoff) / sizeof(Elf64_Phdr);
}

static bool has_interpreter(const struct head *head)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)head->bytes;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(const void *)(head->bytes + e->e_phoff);

	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (ph[i].p_type == PT_INTERP)
			return true;
	}
	return false;
}

RARE struct program program_open(const char *path)
{
	struct head head;

	for (int depth = 0; path && depth <= SCRIPTS_MAX; depth++) {
		int fd = open_file(path);

		if (fd < 0)
			return none;
		if (!read_head(fd, &head)) {
			close_file(fd);
			return none;
		}
		if (is_elf(&head))
			return (struct program){.fd = fd, .dynamic = has_interpreter(&head)};
		close_file(fd);
		path = head.len > 2 && !memcmp(head.bytes, "#!", 2) ? interpreter(&head) : NULL;
	}
	return none;
}

RARE struct program program_of(int fd)
{
	struct head head;

	if (!read_head(fd, &head) || !is_elf(&head))
		return none;
	return (struct program){.fd = fd, .dynamic = has_interpreter(&head)};
}

RARE struct program program_search(const char *file)
{
	const char *dirs = getenv("PATH");
	size_t name = file ? strlen(file) : 0;
	char path[PATH_MAX];

	if (!name || memchr(file, '/', name))
		return program_open(file);
	for (dirs = dirs ? dirs : DEFAULT_PATH;; dirs++) {
		size_t len = strcspn(dirs, ":");

		if (len + name + 2 <= sizeof(path)) {
			memcpy(path, dirs, len);
			path[len] = '/';
			memcpy(path + len + (len > 0), file, name + 1);
			if (!syscall(SYS_faccessat, AT_FDCWD, path, X_OK))
				return program_open(path);
		}
		dirs += len;
		if (!*dirs)
			return none;
	}
}

void program_close(const struct program *p)
{
	if (p->fd >= 0)
		close_file(p->fd);
}
