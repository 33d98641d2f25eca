/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the files that a process maps: see module.h. */
#include "target/module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "target/mapped_file.h"
#include "target/process.h"
#include "target/process_root.h"

static u64 last_id; /* the last one that a module received */

static int module_new(enum module_kind kind, const char *path, struct module **out)
{
	struct module *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->kind = kind;
	m->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	m->root = TARGET_ROOT_NONE;
	m->plain = INPUT_FILE_NONE;
	m->path = strdup(path);
	if (!m->path) {
		free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

/* This is best effort: if the process has gone, the module has no root. */
static void set_owner(struct module *m, struct readers *readers, pid_t tgid)
{
	struct process_info info;

	m->tgid = tgid;
	if (!process_read(tgid, &info)) {
		m->inner = info.inner;
		if (process_root_open(tgid, &m->root))
			m->root = TARGET_ROOT_NONE;
	}
	m->root.readers = readers;
}

static void set_elf(struct module *m, struct elf_file *elf)
{
	m->elf = elf;
	m->build_id = *elf_file_build_id(elf);
}

static bool is_not_elf(int code)
{
	return code == -ENOEXEC || code == -ENOTSUP || code == -EBADMSG;
}

static int module_read_elf(struct module *m, const struct map_entry *e)
{
	struct elf_file *elf;
	struct input_file in;
	int result = mapped_file_open(m->tgid, &m->root, e, &in);

	if (result)
		return result;
	result = elf_file_open_input(&in, &elf);
	if (!result)
		set_elf(m, elf);
	if (!is_not_elf(result))
		return result;
	/* The attempt to read it as ELF has closed it. */
	return mapped_file_open(m->tgid, &m->root, e, &m->plain);
}

int module_open_entry(struct readers *readers, pid_t tgid, const struct map_entry *e,
		      struct module **out)
{
	struct module *m;
	int result;

	if (e->path[0] != '/' || !e->inode)
		return -ENOEXEC;
	result = module_new(MODULE_KIND_FILE, e->path, &m);
	if (result)
		return result;
	set_owner(m, readers, tgid);
	m->start = e->start;
	m->end = e->end;
	m->offset = e->offset;
	m->inode = e->inode;
	m->dev_major = e->dev_major;
	m->dev_minor = e->dev_minor;
	result = module_read_elf(m, e);
	m->unread = result == -ETIMEDOUT;
	if (result && !m->unread) {
		module_free(m);
		return result;
	}
	*out = m;
	return 0;
}

bool module_path_is_memory(const char *path)
{
	static const char *const memory[] = {"/memfd:", "/dev/zero", "/dev/shm/", "/SYSV",
					     "/anon_hugepage"};

	for (size_t i = 0; i < ARRAY_LEN(memory); i++) {
		if (!strncmp(path, memory[i], strlen(memory[i])))
			return true;
	}
	return false;
}

bool module_is_generated(const struct module *m)
{
	return m->kind == MODULE_KIND_FILE && !m->elf && !m->unread && !m->closed &&
	       module_path_is_memory(m->path);
}

bool module_entry_is_generated(pid_t tgid, const struct map_entry *e)
{
	const struct target_root none = TARGET_ROOT_NONE;
	struct input_file in;
	char magic[4] = "";

	if (!module_path_is_memory(e->path))
		return false;
	if (mapped_file_open(tgid, &none, e, &in))
		return true;
	if (input_file_read(&in, magic, sizeof(magic), 0) != sizeof(magic))
		magic[0] = '\0';
	input_file_close(&in);
	return memcmp(magic, "\177ELF", sizeof(magic)) != 0;
}

void module_reopen(struct module *m)
{
	/* No mapping is ever at 0-0, so our own map_files cannot match. */
	const struct map_entry e = {.inode = m->inode,
				    .dev_major = m->dev_major,
				    .dev_minor = m->dev_minor,
				    .path = m->path};
	struct module *again;

	if (!m->closed || module_open_entry(m->root.readers, getpid(), &e, &again))
		return;
	if (again->elf && again->build_id.len == m->build_id.len &&
	    !memcmp(again->build_id.data, m->build_id.data, m->build_id.len)) {
		m->elf = again->elf;
		m->root = again->root;
		again->elf = NULL;
		again->root = TARGET_ROOT_NONE;
		m->closed = false;
	}
	module_free(again);
}

static const struct map_entry *find_entry(const map_vec *maps, u64 start, u64 end)
{
	vec_for_each(maps, e) {
		if (e->start == start && e->end == end)
			return e;
	}
	return NULL;
}

int module_open_mapped(struct readers *readers, pid_t tgid, u64 start, u64 end, struct module **out)
{
	const struct map_entry *e;
	map_vec maps = {0};
	int result = maps_read(tgid, &maps);

	if (!result) {
		e = find_entry(&maps, start, end);
		result = e ? module_open_entry(readers, tgid, e, out) : -ESTALE;
	}
	maps_release(&maps);
	return result;
}

int module_open_file(struct readers *readers, const char *path, struct module **out)
{
	struct elf_file *elf;
	struct input_file in;
	struct module *m;
	int result = regular_file_input(readers, path, &in);
	const struct input_file same = in;

	if (!result)
		result = elf_file_open_input(&in, &elf);
	if (result)
		return result;
	result = module_new(MODULE_KIND_FILE, path, &m);
	if (result) {
		elf_file_free(elf);
		return result;
	}
	set_elf(m, elf);
	m->inode = same.inode;
	m->dev_major = same.dev_major;
	m->dev_minor = same.dev_minor;
	result = target_root_ours(&m->root);
	m->root.readers = readers;
	if (result) {
		module_free(m);
		return result;
	}
	*out = m;
	return 0;
}

/* All processes (of one word size) have the same vdso, so ours serves for all of them. */
static int vdso_find(struct map_entry *out)
{
	u64 start = getauxval(AT_SYSINFO_EHDR);
	map_vec maps = {0};
	int result = maps_read(getpid(), &maps);

	if (!result)
		result = -ENOENT;
	vec_for_each(&maps, e) {
		if (start && e->start == start && !strcmp(e->path, "[vdso]")) {
			*out = *e;
			out->path = NULL;
			result = 0;
		}
	}
	maps_release(&maps);
	return result;
}

static int vdso_open(struct module *m)
{
	struct map_entry e = {0};
	struct elf_file *elf;
	int result = vdso_find(&e);

	if (result)
		return result;
	result = elf_file_open_memory(
		(struct bytes){(const u8 *)(uintptr_t)e.start, (size_t)(e.end - e.start)}, &elf);
	if (result)
		return result;
	m->start = e.start;
	m->end = e.end;
	set_elf(m, elf);
	return 0;
}

int module_new_special(enum module_kind kind, struct readers *readers, pid_t tgid,
		       struct module **out)
{
	static const char *const paths[] = {
		[MODULE_KIND_KERNEL] = "[kernel.kallsyms]",
		[MODULE_KIND_VDSO] = "[vdso]",
		[MODULE_KIND_JIT] = "//anon",
		[MODULE_KIND_NONE] = "[unknown]",
	};
	struct module *m;
	int result;

	if ((size_t)kind >= ARRAY_LEN(paths) || !paths[kind])
		return -EINVAL;
	result = module_new(kind, paths[kind], &m);
	if (result)
		return result;
	if (kind == MODULE_KIND_JIT) {
		set_owner(m, readers, tgid);
		runtime_find(tgid, m->inner, &m->runtime);
	}
	if (kind == MODULE_KIND_VDSO)
		result = vdso_open(m);
	if (result) {
		module_free(m);
		return result;
	}
	*out = m;
	return 0;
}

void module_free(struct module *m)
{
	if (!m)
		return;
	target_root_release(&m->root);
	elf_file_free(m->debug_alt);
	elf_file_free(m->debug);
	elf_file_free(m->elf);
	input_file_close(&m->plain);
	runtime_release(&m->runtime);
	free(m->path);
	free(m);
}
