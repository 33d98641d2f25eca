/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches the probes of one file to one process: see probe_candidate in probe_set.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "collect/probe/probe_set_impl.h"
#include "target/mapped_file.h"
#include "target/module.h"

int probe_candidate_open(struct probe_set *s, pid_t tgid, const struct map_entry *e)
{
	char path[MAPPED_FILE_PATH_SIZE];
	struct borrowed_module m;
	int fd;

	mapped_file_path(tgid, e, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0 || !module_set_borrow(s->o.modules, tgid, e, &m))
		return fd;
	if (m.module->elf)
		fd = fcntl(elf_file_fd(m.module->elf), F_DUPFD_CLOEXEC, 0);
	module_set_give_back(s->o.modules, &m);
	return fd;
}

/* Attaches all probes of a file through one of its mappings, or none. */
static int attach_through(struct probe_candidate *c, const char *path)
{
	struct probe_set *s = c->set;
	uprobe_links links = {0};
	struct attach_target t = {
		.pins = s->o.pins, .log = s->o.log, .tgid = c->tgid, .path = path, .links = &links};
	int err = s->o.ops->attach(s->o.arg, c->file, &t);

	if (vec_reserve(c->links, c->links->len + links.len))
		err = -ENOMEM;
	/* With -ENOENT it was unmapped meanwhile, perhaps half way through. */
	if (err == -ENOENT || err == -ENOMEM) {
		uprobe_pins_detach(s->o.pins, &links);
		return err;
	}
	c->attached += t.attached;
	__atomic_fetch_add(&s->probes, t.attached, __ATOMIC_RELAXED);
	vec_for_each(&links, link)
		c->links->data[c->links->len++] = *link;
	vec_release(&links);
	return err;
}

/* The descriptor stays when the process unmaps the file or calls exec. Without one, the file may
 * have several mappings, each of which may disappear at any time. */
int probe_candidate_attach(struct probe_candidate *c)
{
	char path[MAPPED_FILE_PATH_SIZE];
	int err = -ENOENT;

	if (!c->maps)
		return attach_through(c, c->entry->path);
	if (c->fd >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", c->fd);
		return attach_through(c, path);
	}
	vec_for_each(c->maps, e) {
		if (err != -ENOENT || !e->executable || !map_is_same_file(e, c->entry))
			continue;
		mapped_file_path(c->tgid, e, path);
		err = attach_through(c, path);
	}
	return err;
}

void probe_candidate_detach(struct probe_candidate *c)
{
	struct probe_set *s = c->set;

	__atomic_fetch_sub(&s->probes, c->attached, __ATOMIC_RELAXED);
	c->attached = 0;
	uprobe_pins_detach(s->o.pins, c->links);
	/* Otherwise the kernel runs both programs for some calls. */
	uprobe_pins_wait_gone(s->o.pins, NULL, 0);
}

bool probe_candidate_is_unchanged(const struct probe_candidate *c, const code_spans *spans)
{
	const struct probe_set_options *o = &c->set->o;

	return !c->maps || code_is_unchanged(o->readers, o->log, c->tgid, c->maps, c->entry, spans);
}

int probe_candidate_place(struct probe_candidate *c)
{
	return probe_candidate_is_unchanged(c, &c->file->probed) ? probe_candidate_attach(c) : 0;
}

int probe_candidate_read(const struct probe_candidate *c, int (*fn)(void *arg, struct elf_file *),
			 void *arg)
{
	struct module_set *modules = c->set->o.modules;
	struct elf_file *elf = NULL;
	struct borrowed_module m;
	struct input_file in;
	int err = -ENODATA;

	if (c->maps) {
		if (!module_set_borrow(modules, c->tgid, c->entry, &m))
			return err;
		if (m.module->elf)
			err = fn(arg, m.module->elf);
		module_set_give_back(modules, &m);
		return err;
	}
	err = regular_file_input(c->set->o.readers, c->entry->path, &in);
	if (!err)
		err = elf_file_open_input(&in, &elf);
	if (!err)
		err = fn(arg, elf);
	elf_file_free(elf);
	return err;
}
