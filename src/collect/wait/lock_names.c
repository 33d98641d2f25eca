/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that locks are in: see lock_names.h. */
#include "collect/wait/lock_names.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"
#include "elf/debug_file.h"
#include "symbol/data_symbol.h"

#define PAGE_MASK 4095ull
#define NAME_SIZE 256

struct placed_file { /* a file, and what must be taken off an address to have that of its ELF file */
	const struct module *module;
	u64 bias;
};

struct process {
	pid_t tgid;
	bool noted; /* its files are listed, if it could be read */
	VEC(struct placed_file) files;
	UT_hash_handle hh;
};

struct lock_id {
	u64 address, tgid;
};

struct lock_name {
	struct lock_id id;
	UT_hash_handle hh;
	char text[NAME_SIZE]; /* "": none */
};

struct lock_names {
	const struct module_set *modules;
	struct process *processes;
	struct lock_name *names;
	struct demangler *demangler;
};

int lock_names_new(const struct module_set *modules, struct lock_names **out)
{
	struct lock_names *names = calloc(1, sizeof(*names));
	int err = names ? demangler_new(&names->demangler) : -ENOMEM;

	if (err) {
		free(names);
		return err;
	}
	names->modules = modules;
	*out = names;
	return 0;
}

void lock_names_free(struct lock_names *names)
{
	struct process *p, *next_process;
	struct lock_name *n, *next_name;

	if (!names)
		return;
	HASH_ITER(hh, names->processes, p, next_process) {
		HASH_DEL(names->processes, p);
		vec_release(&p->files);
		free(p);
	}
	HASH_ITER(hh, names->names, n, next_name) {
		HASH_DEL(names->names, n);
		free(n);
	}
	demangler_free(names->demangler);
	free(names);
}

static struct process *process_of(struct lock_names *names, pid_t tgid)
{
	struct process *p;

	HASH_FIND(hh, names->processes, &tgid, sizeof(tgid), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, names->processes, tgid, sizeof(p->tgid), p);
	if (HASH_ADDED(p))
		return p;
	free(p);
	return NULL;
}

/* Mappings begin at whole pages, segments anywhere in one (gABI, "Program Header": p_align). */
static bool bias_of(const struct module *m, const struct map_entry *e, u64 *bias)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(m->elf, &segments);

	for (size_t i = 0; i < n; i++) {
		const struct elf_segment *s = &segments[i];
		u64 first = s->offset & ~PAGE_MASK;

		if (!(s->flags & PF_X) || e->offset < first || e->offset - first >= s->filesz)
			continue;
		*bias = e->start - (s->vaddr - s->offset + e->offset);
		return true;
	}
	return false;
}

static void add_file(struct lock_names *names, struct process *p, const struct map_entry *e)
{
	u32 number = module_set_find(names->modules, e);
	struct placed_file file = {.module = module_set_get(names->modules, number)};

	if (!file.module || !file.module->elf || !bias_of(file.module, e, &file.bias))
		return;
	(void)vec_push(&p->files, file); /* without memory its locks have no names */
}

void lock_names_note(struct lock_names *names, pid_t tgid)
{
	struct process *p = process_of(names, tgid);
	map_vec maps = {0};

	if (!p)
		return;
	p->noted = true;
	/* What is about to exit has no mappings any more. */
	if (!maps_read(tgid, &maps) && maps.len) {
		p->files.len = 0;
		vec_for_each(&maps, e) {
			if (e->executable && e->inode)
				add_file(names, p, e);
		}
	}
	maps_release(&maps);
}

static bool is_inside(const struct module *m, u64 vaddr)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(m->elf, &segments);

	for (size_t i = 0; i < n; i++) {
		if (vaddr >= segments[i].vaddr && vaddr - segments[i].vaddr < segments[i].memsz)
			return true;
	}
	return false;
}

static void name_in_file(struct demangler *d, const struct module *m, u64 vaddr, char *text)
{
	struct elf_file *debug;

	if (data_symbol_name(m->elf, vaddr, d, text, NAME_SIZE))
		return;
	text[0] = '\0';
	if (debug_file_find(m->elf, m->path, &m->root, &debug))
		return;
	if (!data_symbol_name(debug, vaddr, d, text, NAME_SIZE))
		text[0] = '\0';
	elf_file_free(debug);
}

static void look_up(struct lock_names *names, struct lock_name *n)
{
	struct process *p = process_of(names, (pid_t)n->id.tgid);

	if (p && !p->noted)
		lock_names_note(names, p->tgid);
	for (size_t i = 0; p && i < p->files.len; i++) {
		const struct placed_file *f = &p->files.data[i];
		u64 vaddr = n->id.address - f->bias;

		if (is_inside(f->module, vaddr)) {
			name_in_file(names->demangler, f->module, vaddr, n->text);
			return;
		}
	}
}

const char *lock_names_find(struct lock_names *names, pid_t tgid, u64 address)
{
	struct lock_id id = {.address = address, .tgid = (u64)tgid};
	struct lock_name *n;

	HASH_FIND(hh, names->names, &id, sizeof(id), n);
	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return NULL;
		n->id = id;
		HASH_ADD(hh, names->names, id, sizeof(n->id), n);
		if (!HASH_ADDED(n)) {
			free(n);
			return NULL;
		}
		look_up(names, n);
	}
	return n->text[0] ? n->text : NULL;
}
