/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the files of a probe set: see probe_set.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/regular_file.h"
#include "collect/probe/probe_set_impl.h"
#include "elf/dynamic_flags.h"
#include "target/mapped_file.h"
#include "target/module.h"

static struct probed_file *file_by_key(const struct probe_set *s, const struct probed_file_key *key)
{
	struct probed_file *f;

	HASH_FIND(hh, s->files, key, sizeof(*key), f);
	return f;
}

static struct probed_file_key key_of(const struct map_entry *e)
{
	return (struct probed_file_key){e->inode, e->dev_major, e->dev_minor};
}

bool probed_file_is_mapped(const struct probed_file *f, const map_vec *maps)
{
	vec_for_each(maps, e) {
		const struct probed_file_key key = key_of(e);

		if (!memcmp(&key, &f->key, sizeof(key)))
			return true;
	}
	return false;
}

/* ---- whether it is still the same ---- */

/* What the kernel has cached of a file suffices, and the file system may be one that does not
 * answer. */
static struct probed_file_version version_at(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_CTIME | STATX_SIZE, &st))
		return (struct probed_file_version){0};
	return (struct probed_file_version){st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec, st.stx_size};
}

static bool is_same_version(const struct probed_file_version *a,
			    const struct probed_file_version *b)
{
	return a->changed_s && a->changed_s == b->changed_s && a->changed_ns == b->changed_ns &&
	       a->size == b->size;
}

/* ---- files that no process has ---- */

static void release(struct probe_set *s, struct probed_file *f)
{
	for (size_t i = 0; i < s->unused.len; i++) {
		if (s->unused.data[i] != f)
			continue;
		s->unused.len--;
		for (; i < s->unused.len; i++)
			s->unused.data[i] = s->unused.data[i + 1];
	}
	if (f->probed.len)
		uprobe_pins_forget(s->o.pins, f->key.inode);
	probe_set_lock(s);
	if (!f->replaced) {
		HASH_DEL(s->files, f);
		__atomic_fetch_sub(&s->nfiles, 1, __ATOMIC_RELAXED);
	}
	s->released += f->probed.len > 0;
	s->waiting -= f->refused;
	if (f->refused)
		free(f);
	else
		s->o.ops->release(s->o.arg, f);
	probe_set_unlock(s);
}

static int keep_unused(struct probe_set *s, struct probed_file *f)
{
	if (s->unused.len >= s->o.unused_max)
		release(s, s->unused.data[0]);
	return vec_push(&s->unused, f);
}

void probed_file_join(struct probe_set *s, struct probed_file *f)
{
	size_t left = 0;

	if (f->users++)
		return;
	vec_for_each(&s->unused, it) {
		if (*it != f)
			s->unused.data[left++] = *it;
	}
	s->unused.len = left;
}

void probed_file_leave(struct probe_set *s, struct probed_file *f)
{
	bool wanted = s->waiting && f->probed.len; /* its space is */

	if (!--f->users && (f->replaced || f->refused || wanted || keep_unused(s, f)))
		release(s, f);
}

void probed_files_release_unused(struct probe_set *s)
{
	while (s->unused.len)
		release(s, s->unused.data[s->unused.len - 1]);
}

/* ---- reading ---- */

static int read_elf(struct probe_set *s, struct elf_file *elf, const char *path,
		    struct probed_file **out)
{
	int err = s->o.ops->read(s->o.arg, elf, path, out);

	if (err == -ENOSPC && probe_set_make_space(s))
		err = s->o.ops->read(s->o.arg, elf, path, out);
	if (!err && *out)
		(*out)->program = elf_is_program(elf);
	if (err != -ENOSPC)
		return err;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->refused = true;
	s->waiting++;
	(*out)->refused_at = s->released;
	return 0;
}

/* Takes over `f`, also if it fails. */
static int add(struct probe_set *s, struct probed_file *f, const struct map_entry *e,
	       const char *path)
{
	f->key = key_of(e);
	f->module = module_set_find(s->o.modules, e);
	f->version = version_at(path);
	probe_set_lock(s);
	HASH_ADD(hh, s->files, key, sizeof(f->key), f);
	if (HASH_ADDED(f))
		__atomic_fetch_add(&s->nfiles, 1, __ATOMIC_RELAXED);
	else
		f->replaced = true; /* it is in no table */
	probe_set_unlock(s);
	if (!f->replaced && !keep_unused(s, f))
		return 0;
	release(s, f);
	return -ENOMEM;
}

static int read_mapped(struct probe_set *s, pid_t tgid, const struct map_entry *e,
		       struct probed_file **out)
{
	struct borrowed_module m;
	int err = 0;

	*out = NULL;
	if (!module_set_borrow(s->o.modules, tgid, e, &m))
		return 0;
	if (m.module->elf)
		err = read_elf(s, m.module->elf, e->path, out);
	module_set_give_back(s->o.modules, &m);
	return err;
}

/* Returns the file if it was read and is still the same. */
static struct probed_file *known_file(struct probe_set *s, const struct map_entry *e,
				      const char *path)
{
	const struct probed_file_key key = key_of(e);
	struct probed_file *f = file_by_key(s, &key);
	struct probed_file_version now;

	if (!f || f->users)
		return f;
	now = version_at(path);
	if (is_same_version(&f->version, &now))
		return f;
	release(s, f);
	return NULL;
}

int probed_file_of(struct probe_set *s, pid_t tgid, const struct map_entry *e,
		   struct probed_file **out)
{
	char path[MAPPED_FILE_PATH_SIZE];
	int err;

	mapped_file_path(tgid, e, path);
	*out = known_file(s, e, path);
	if (*out)
		return 0;
	err = read_mapped(s, tgid, e, out);
	if (err || !*out)
		return err;
	if ((*out)->refused)
		__atomic_fetch_add(&s->refused, 1, __ATOMIC_RELAXED);
	return add(s, *out, e, path);
}

int probed_file_read_again(struct probe_set *s, pid_t tgid, const struct map_entry *e,
			   struct probed_file **f)
{
	struct probed_file *refused = *f, *again;
	char path[MAPPED_FILE_PATH_SIZE];
	int err = read_mapped(s, tgid, e, &again);

	if (err || !again)
		return err;
	if (again->refused) {
		refused->refused_at = again->refused_at;
		s->waiting--;
		free(again);
		return 0;
	}
	/* Processes that have the old one find the new one when they are searched again. */
	probe_set_lock(s);
	HASH_DEL(s->files, refused);
	__atomic_fetch_sub(&s->nfiles, 1, __ATOMIC_RELAXED);
	refused->replaced = true;
	probe_set_unlock(s);
	*f = again;
	mapped_file_path(tgid, e, path);
	return add(s, again, e, path);
}

static int read_at(struct probe_set *s, const char *path, struct input_file *in,
		   const struct map_entry *e, struct probed_file **out)
{
	struct elf_file *elf = NULL;
	struct borrowed_module m;
	int err;

	if (module_set_borrow_number(s->o.modules, module_set_find(s->o.modules, e), &m)) {
		err = m.module->elf ? read_elf(s, m.module->elf, path, out) : -ENOEXEC;
		module_set_give_back(s->o.modules, &m);
		input_file_close(in);
		return err;
	}
	err = elf_file_open_input(in, &elf);
	if (!err)
		err = read_elf(s, elf, path, out);
	elf_file_free(elf);
	return err;
}

int probed_file_at(struct probe_set *s, const char *path, struct map_entry *e,
		   struct probed_file **out)
{
	struct input_file in;
	int err = regular_file_input(s->o.readers, path, &in);

	if (err)
		return err;
	/* the kernel would have to read it as well; once it is mapped, most of it has been read */
	if (in.served) {
		input_file_close(&in);
		return -EAGAIN;
	}
	e->inode = in.inode;
	e->dev_major = in.dev_major;
	e->dev_minor = in.dev_minor;
	*out = known_file(s, e, path);
	if (*out) {
		input_file_close(&in);
		return 0;
	}
	err = read_at(s, path, &in, e, out);
	return err ? err : add(s, *out, e, path);
}

/* ---- queries ---- */

/* A query changes nothing visible, so it may be const. */
void probe_set_lock(const struct probe_set *s)
{
	pthread_mutex_lock((pthread_mutex_t *)&s->lock);
}

void probe_set_unlock(const struct probe_set *s)
{
	pthread_mutex_unlock((pthread_mutex_t *)&s->lock);
}

void probe_set_visit(const struct probe_set *s, void (*fn)(void *arg, const struct probed_file *f),
		     void *arg)
{
	for (const struct probed_file *f = s->files; f; f = f->hh.next) {
		if (!f->refused)
			fn(arg, f);
	}
}
