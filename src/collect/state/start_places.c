/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where C libraries keep start routines: see start_places.h. */
#include "collect/state/start_places.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "elf/symbols.h"
#include "target/maps.h"
#include "target/pid_space.h"

#define DESCRIPTION "_thread_db_pthread_start_routine"

struct known_module {
	u64 id; /* struct module.id; 0 if there was none */
	u32 place;
};

struct start_places {
	struct bpf_session *session;
	struct module_set *modules;
	int map_fd;
	u64 seen; /* modules that the set had at the last update */
	struct known_module *known; /* MODULE_MAX of them, by number */
	pid_t tgid; /* whose mappings these are; 0 for none */
	map_vec maps;
};

/* ---- libraries ---- */

struct search {
	struct elf_file *elf;
	u32 place;
};

static int visit_symbol(void *arg, const struct elf_symbol *symbol)
{
	const size_t length = strlen(DESCRIPTION);
	struct search *s = arg;
	struct bytes at;
	u32 field[3]; /* its size in bits, how many there are, and its offset */

	if (elf_name_length(symbol->name, length + 1) != length ||
	    strncmp(symbol->name, DESCRIPTION, length) != 0)
		return 0;
	at = elf_file_loaded(s->elf, symbol->vaddr, sizeof(field));
	if (at.len != sizeof(field))
		return 0;
	memcpy(field, at.data, sizeof(field));
	if (field[0] == 64 && field[2] < CREATED_START_MAX)
		s->place = field[2];
	return 1;
}

/* Only programs without dynamic symbols may contain the library. */
static u32 place_in_file(struct elf_file *elf)
{
	struct search s = {.elf = elf, .place = CREATED_START_NONE};
	int err = elf_symbols_visit(elf, ".dynsym", visit_symbol, &s);

	if (err == -ENOENT)
		err = elf_symbols_visit(elf, ".symtab", visit_symbol, &s);
	return err == 1 ? s.place : CREATED_START_NONE;
}

static bool may_have_threads(const struct module *m)
{
	const char *slash = strrchr(m->path, '/'), *name = slash ? slash + 1 : m->path;

	return !strstr(name, ".so") || !strncmp(name, "libc", 4) ||
	       !strncmp(name, "libpthread", 10);
}

static u32 place_in_module(struct start_places *p, u32 number)
{
	struct borrowed_module b;
	u32 place = CREATED_START_NONE;

	if (!module_set_borrow_number(p->modules, number, &b))
		return place;
	if (strstr(b.module->path, "musl"))
		place = CREATED_START_ON_STACK;
	else if (b.module->elf && may_have_threads(b.module))
		place = place_in_file(b.module->elf);
	module_set_give_back(p->modules, &b);
	return place;
}

/* A number may belong to another module now. */
static void update_module(struct start_places *p, u32 number, u64 id)
{
	struct known_module *known = &p->known[number];
	u32 before = known->id ? known->place : CREATED_START_NONE;

	known->id = id;
	known->place = place_in_module(p, number);
	if (known->place == before)
		return;
	if (known->place == CREATED_START_NONE)
		bpf_map_delete_elem(p->map_fd, &number);
	else
		bpf_map_update_elem(p->map_fd, &number, &known->place, BPF_ANY);
}

void start_places_update(struct start_places *p)
{
	struct module_set_stats now;

	module_set_stats(p->modules, &now);
	if (now.modules == p->seen)
		return;
	p->seen = now.modules;
	for (u32 number = MODULE_FIRST_FILE; number < MODULE_MAX; number++) {
		const struct module *m = module_set_get(p->modules, number);

		if (m && m->id != p->known[number].id)
			update_module(p, number, m->id);
	}
}

/* ---- threads ---- */

static const struct map_entry *mapping_at(const struct start_places *p, u64 address)
{
	vec_for_each(&p->maps, e) {
		if (address >= e->start && address < e->end)
			return e;
	}
	return NULL;
}

/* Returns where a process' library has the start routines of its threads. */
static u32 place_of_process(const struct start_places *p)
{
	vec_for_each(&p->maps, e) {
		u32 number = e->executable && e->inode ? bpf_session_module(p->session, e)
						       : MODULE_NONE;

		if (number >= MODULE_FIRST_FILE && number < MODULE_MAX && p->known[number].id &&
		    p->known[number].place < CREATED_START_MAX)
			return p->known[number].place;
	}
	return CREATED_START_NONE;
}

static bool read_word(pid_t tgid, u64 address, u64 *word)
{
	struct iovec local = {word, sizeof(*word)};
	struct iovec remote = {(void *)(uintptr_t)address, sizeof(*word)};

	return process_vm_readv(tgid, &local, 1, &remote, 1, 0) == sizeof(*word);
}

void start_places_rest(struct start_places *p)
{
	maps_release(&p->maps);
	p->tgid = 0;
}

static void open_process(struct start_places *p, pid_t tgid)
{
	if (p->tgid == tgid)
		return;
	start_places_rest(p);
	p->tgid = tgid;
	if (maps_read(tgid, &p->maps))
		maps_release(&p->maps); /* it has ended: no start routine is known */
}

u64 start_places_find(struct start_places *p, const struct created_record *thread)
{
	const struct map_entry *e;
	u32 place, number;
	pid_t tgid;
	u64 start;

	if (pid_from_proc(thread->thread.tgid, &tgid))
		return 0;
	open_process(p, tgid);
	place = place_of_process(p);
	if (place == CREATED_START_NONE || !read_word(tgid, thread->thread_pointer + place, &start))
		return 0;
	e = mapping_at(p, start);
	if (!e || !e->executable || !e->inode)
		return 0;
	number = bpf_session_module(p->session, e);
	return number < MODULE_FIRST_FILE ? 0 : FRAME(number, start - e->start + e->offset);
}

/* ---- creation and end ---- */

int start_places_new(struct bpf_session *s, int map_fd, struct start_places **out)
{
	struct start_places *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->known = calloc(MODULE_MAX, sizeof(*p->known));
	if (!p->known) {
		free(p);
		return -ENOMEM;
	}
	p->session = s;
	p->modules = bpf_session_modules(s);
	p->map_fd = map_fd;
	*out = p;
	return 0;
}

void start_places_free(struct start_places *p)
{
	if (!p)
		return;
	start_places_rest(p);
	free(p->known);
	free(p);
}
