/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the test maps itself: present, deleted, replaced, without privileges, and not ELF. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/module.h"
#include "target/process.h"

#define NOBODY 65534

static bool find(map_vec *v, const char *name, struct map_entry *out)
{
	CHECK_INT(maps_read(getpid(), v), 0);
	vec_for_each(v, e) {
		if (strstr(e->path, name)) {
			*out = *e;
			return true;
		}
	}
	return false;
}

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
	ssize_t got;

	CHECK(in >= 0 && out >= 0);
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		CHECK_INT(write(out, buffer, (size_t)got), got);
	close(in);
	close(out);
}

/* Maps one page of a file executable and returns the mapping as /proc shows it. */
static struct map_entry map_file(map_vec *v, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct map_entry e = {0};

	CHECK(fd >= 0);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	close(fd);
	CHECK(find(v, strrchr(path, '/'), &e));
	return e;
}

static const char *temp_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/tmp/cprof-unit-module-%d", getpid());
	unlink(name);
	return name;
}

/* Runs `body` as nobody, because root may read everything, which hides the fallbacks. */
static void as_nobody(void (*body)(void))
{
	int status;
	pid_t pid;

	if (geteuid()) {
		body();
		return;
	}
	pid = fork();
	if (!pid) {
		CHECK_INT(setgid(NOBODY), 0);
		CHECK_INT(setuid(NOBODY), 0);
		prctl(PR_SET_DUMPABLE, 1);
		body();
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(module, opens_our_program)
{
	struct process_info me;
	struct module *m;
	map_vec v = {0};
	struct map_entry e;

	CHECK_INT(process_read(getpid(), &me), 0);
	CHECK(find(&v, me.exe, &e));
	CHECK_INT(module_open_mapped(NULL, getpid(), e.start, e.end, &m), 0);
	CHECK_INT(m->kind, MODULE_KIND_FILE);
	CHECK_STR(m->path, me.exe);
	CHECK(m->elf && m->build_id.len == elf_file_build_id(m->elf)->len);
	CHECK_INT(m->tgid, getpid());
	CHECK_INT(m->root.user.uid, geteuid());
	CHECK_INT(m->inner.nr, me.inner.nr);
	CHECK(m->root.fd >= 0 && m->start == e.start && m->end == e.end && m->offset == e.offset);
	module_free(m);
	maps_release(&v);
}

TEST(module, no_such_mapping_or_process)
{
	struct module *m;

	CHECK_INT(module_open_mapped(NULL, getpid(), 4096, 8192, &m), -ESTALE);
	CHECK_INT(module_open_mapped(NULL, 0x7ffffff0, 4096, 8192, &m), -ESRCH);
}

TEST(module, memory_is_no_file)
{
	struct module *m;
	map_vec v = {0};
	struct map_entry e;

	CHECK(find(&v, "[stack]", &e));
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), -ENOEXEC);
	maps_release(&v);
}

TEST(module, deleted_file_is_read_through_map_files)
{
	const char *name = temp_name();
	struct module *m;
	map_vec v = {0};
	struct map_entry e;

	if (geteuid())
		unit_skip("map_files needs root");
	copy_file("/bin/true", name);
	map_file(&v, name);
	maps_release(&v);
	unlink(name);
	CHECK(find(&v, name, &e) && e.deleted);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), 0);
	CHECK_STR(m->path, name);
	CHECK(m->elf);
	module_free(m);
	maps_release(&v);
}

static void open_by_path(void)
{
	const char *name = temp_name();
	struct module *m;
	map_vec v = {0};
	struct map_entry e;

	copy_file("/bin/true", name);
	e = map_file(&v, name);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), 0);
	CHECK(m->elf);
	module_free(m);
	/* Another file takes its place, and must not be confused with the mapped one. */
	unlink(name);
	copy_file("/bin/false", name);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), -ESTALE);
	unlink(name);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), -ESTALE);
	maps_release(&v);
}

TEST(module, path_inside_the_root_without_privileges)
{
	as_nobody(open_by_path);
}

static void swap_for_fifo(void)
{
	const char *name = temp_name();
	struct module *m;
	map_vec v = {0};
	struct map_entry e;

	copy_file("/bin/true", name);
	e = map_file(&v, name);
	unlink(name);
	CHECK_INT(mkfifo(name, 0600), 0);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), -ESTALE);
	unlink(name);
	maps_release(&v);
}

TEST(module, fifo_in_its_place_does_not_block)
{
	as_nobody(swap_for_fifo);
}

TEST(module, file_that_is_no_elf)
{
	const char *name = temp_name();
	struct module *m;
	map_vec v = {0};
	struct map_entry e;
	struct stat st;

	copy_file("/etc/passwd", name);
	e = map_file(&v, name);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), 0);
	CHECK(!m->elf && !m->build_id.len);
	/* The file stays open, so that its inode, by which the kernel knows it, cannot become
	 * another file. */
	unlink(name);
	CHECK(m->plain.fd >= 0);
	CHECK_INT(fstat(m->plain.fd, &st), 0);
	CHECK_INT(st.st_ino, e.inode);
	module_free(m);
	maps_release(&v);
	unlink(name);
}

TEST(module, a_closed_file_is_opened_again_where_it_still_lies)
{
	const char *name = temp_name();
	struct module *m;
	map_vec v = {0};
	struct map_entry e;

	copy_file("/proc/self/exe", name);
	e = map_file(&v, name);
	CHECK_INT(module_open_entry(NULL, getpid(), &e, &m), 0);
	for (int round = 0; round < 2; round++) {
		elf_file_free(m->elf);
		m->elf = NULL;
		target_root_release(&m->root);
		m->closed = true;
		module_reopen(m);
		/* The second time, something else is at the path. */
		CHECK_INT(m->elf != NULL, !round);
		CHECK_INT(m->closed, round);
		unlink(name);
		copy_file("/proc/self/exe", name);
	}
	module_free(m);
	maps_release(&v);
	unlink(name);
}

TEST(module, vdso_comes_from_memory)
{
	struct elf_section text;
	struct module *m;
	int result = module_new_special(MODULE_KIND_VDSO, NULL, getpid(), &m);

	if (result == -ENOENT)
		unit_skip("this process has no vdso");
	CHECK_INT(result, 0);
	CHECK_STR(m->path, "[vdso]");
	CHECK_INT(elf_file_section(m->elf, ".eh_frame", &text), 0);
	CHECK(text.data.len > 0 && m->end > m->start);
	module_free(m);
}

TEST(module, special_kinds)
{
	struct module *m;

	CHECK_INT(module_new_special(MODULE_KIND_JIT, NULL, getpid(), &m), 0);
	CHECK(m->root.fd >= 0 && m->root.user.uid == geteuid() && !m->elf);
	CHECK_STR(m->path, "//anon");
	module_free(m);
	CHECK_INT(module_new_special(MODULE_KIND_JIT, NULL, 0x7ffffff0, &m), 0);
	CHECK(m->root.fd == -1);
	module_free(m);
	CHECK_INT(module_new_special(MODULE_KIND_KERNEL, NULL, 0, &m), 0);
	CHECK_STR(m->path, "[kernel.kallsyms]");
	module_free(m);
	CHECK_INT(module_new_special(MODULE_KIND_FILE, NULL, 0, &m), -EINVAL);
	module_free(NULL);
}
