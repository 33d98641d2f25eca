/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the variables that locks are in: see lock_names.h. */
#include "collect/wait/lock_names.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"
#include "elf/debug_file.h"
#include "symbol/data_symbol.h"

#define PAGE_MASK 4095ull
#define NAME_SIZE 256

struct placed_file {
	u32 number; /* of its module */
	u64 bias; /* what to subtract from an address to have that of the ELF file */
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
	char text[]; /* "" if there is none */
};

struct lock_names {
	struct module_set *modules;
	struct process *processes;
	struct lock_name *names;
	struct demangler *demangler;
};

int lock_names_new(struct module_set *modules, struct lock_names **out)
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

static void process_free(struct lock_names *names, struct process *p)
{
	HASH_DEL(names->processes, p);
	vec_release(&p->files);
	free(p);
}

static void forget_names(struct lock_names *names)
{
	struct lock_name *n, *next;

	HASH_ITER(hh, names->names, n, next) {
		HASH_DEL(names->names, n);
		free(n);
	}
}

void lock_names_free(struct lock_names *names)
{
	struct process *p, *next;

	if (!names)
		return;
	HASH_ITER(hh, names->processes, p, next)
		process_free(names, p);
	forget_names(names);
	demangler_free(names->demangler);
	free(names);
}

/* Returns the oldest process that has ended, or else the oldest one. */
static struct process *oldest_process(const struct lock_names *names)
{
	struct process *p, *next;

	HASH_ITER(hh, names->processes, p, next) {
		if (kill(p->tgid, 0) && errno == ESRCH)
			return p;
	}
	return names->processes;
}

static struct process *process_of(struct lock_names *names, pid_t tgid)
{
	struct process *p;

	HASH_FIND(hh, names->processes, &tgid, sizeof(tgid), p);
	if (p)
		return p;
	if (HASH_COUNT(names->processes) >= LOCK_NAMES_PROCESSES_MAX)
		process_free(names, oldest_process(names));
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

/* Mappings begin at whole pages, and segments anywhere in one (gABI, "Program Header": p_align). */
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
	struct placed_file file = {.number = module_set_find(names->modules, e)};
	struct borrowed_module m;
	bool placed;

	if (!module_set_borrow_number(names->modules, file.number, &m))
		return;
	placed = m.module->elf && bias_of(m.module, e, &file.bias);
	module_set_give_back(names->modules, &m);
	if (placed)
		(void)vec_push(&p->files, file); /* without memory its locks have no names */
}

void lock_names_note(struct lock_names *names, pid_t tgid)
{
	struct process *p = process_of(names, tgid);
	map_vec maps = {0};

	if (!p)
		return;
	p->noted = true;
	/* A process that is about to exit has no mappings any more. */
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

/* Returns true if the address is in this file, whether it has a name there or not. */
static bool look_in(struct lock_names *names, const struct placed_file *f, u64 address, char *text)
{
	struct borrowed_module m;
	bool inside;

	if (!module_set_borrow_number(names->modules, f->number, &m))
		return false;
	inside = m.module->elf && is_inside(m.module, address - f->bias);
	if (inside)
		name_in_file(names->demangler, m.module, address - f->bias, text);
	module_set_give_back(names->modules, &m);
	return inside;
}

static void look_up(struct lock_names *names, const struct lock_id *id, char *text)
{
	struct process *p = process_of(names, (pid_t)id->tgid);

	text[0] = '\0';
	if (p && !p->noted)
		lock_names_note(names, p->tgid);
	for (size_t i = 0; p && i < p->files.len; i++) {
		if (look_in(names, &p->files.data[i], id->address, text))
			return;
	}
}

static struct lock_name *add_name(struct lock_names *names, const struct lock_id *id)
{
	char text[NAME_SIZE];
	struct lock_name *n;

	look_up(names, id, text);
	if (HASH_COUNT(names->names) >= LOCK_NAMES_MAX)
		forget_names(names);
	n = calloc(1, sizeof(*n) + strlen(text) + 1);
	if (!n)
		return NULL;
	n->id = *id;
	strcpy(n->text, text);
	HASH_ADD(hh, names->names, id, sizeof(n->id), n);
	if (HASH_ADDED(n))
		return n;
	free(n);
	return NULL;
}

const char *lock_names_find(struct lock_names *names, pid_t tgid, u64 address)
{
	struct lock_id id = {.address = address, .tgid = (u64)tgid};
	struct lock_name *n;

	HASH_FIND(hh, names->names, &id, sizeof(id), n);
	if (!n)
		n = add_name(names, &id);
	return n && n->text[0] ? n->text : NULL;
}

size_t lock_names_processes(const struct lock_names *names)
{
	return HASH_COUNT(names->processes);
}
