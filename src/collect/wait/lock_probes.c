/* SPDX-License-Identifier: Apache-2.0 */
/* Places probes on lock functions: see lock_probes.h. */
#include "collect/wait/lock_probes.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bpf_shared.h"
#include "base/hash.h"
#include "base/vec.h"
#include "collect/probe/code_check.h"
#include "collect/probe/probe_site.h"
#include "elf/symbols.h"
#include "elf/text_relocations.h"
#include "elf/usdt.h"
#include "target/maps.h"
#include "target/module.h"
#include "target/translator.h"

#define PATH_SIZE 80
#define NAME_LONGEST 64
#define FOUND_MAX 256 /* limits a hostile file; a static program has some 30 */

static const struct hold_function {
	const char *name;
	u8 function, kind; /* enum lock_function, enum hold_kind */
} functions[] = {
	{"pthread_mutex_lock", HOLD_LOCK, HOLD_MUTEX},
	{"pthread_mutex_timedlock", HOLD_LOCK, HOLD_MUTEX},
	{"pthread_mutex_clocklock", HOLD_LOCK, HOLD_MUTEX},
	{"pthread_mutex_trylock", HOLD_TRY, HOLD_MUTEX},
	{"pthread_mutex_unlock", HOLD_UNLOCK, HOLD_MUTEX},
	{"pthread_cond_wait", HOLD_WAIT, HOLD_MUTEX},
	{"pthread_cond_timedwait", HOLD_WAIT, HOLD_MUTEX},
	{"pthread_cond_clockwait", HOLD_WAIT, HOLD_MUTEX},
	{"pthread_rwlock_rdlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_wrlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_timedrdlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_timedwrlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_clockrdlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_clockwrlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_tryrdlock", HOLD_TRY, HOLD_RWLOCK},
	{"pthread_rwlock_trywrlock", HOLD_TRY, HOLD_RWLOCK},
	{"pthread_rwlock_unlock", HOLD_UNLOCK, HOLD_RWLOCK},
	{"pthread_spin_lock", HOLD_LOCK, HOLD_SPIN},
	{"pthread_spin_trylock", HOLD_TRY, HOLD_SPIN},
	{"pthread_spin_unlock", HOLD_UNLOCK, HOLD_SPIN},
	{"sem_wait", HOLD_LOCK, HOLD_SEMAPHORE},
	{"sem_timedwait", HOLD_LOCK, HOLD_SEMAPHORE},
	{"sem_clockwait", HOLD_LOCK, HOLD_SEMAPHORE},
	{"sem_trywait", HOLD_TRY, HOLD_SEMAPHORE},
	{"sem_post", HOLD_UNLOCK, HOLD_SEMAPHORE},
};

struct hold_file {
	u64 inode;
	u32 dev_major, dev_minor;
	uprobe_places places; /* empty if the file is not a C library */
};

typedef VEC(struct hold_file *) hold_files;

struct hold_process {
	pid_t tgid;
	hold_files seen;
	uprobe_links links;
	UT_hash_handle hh;
};

struct lock_probes {
	struct hold_programs p;
	hold_files files;
	struct hold_process *processes;
	u32 nprobes;
};

/* ---- files ---- */

struct found {
	const struct hold_function *function;
	u64 vaddr, size;
};

struct reading {
	struct lock_probes *d;
	struct elf_file *elf;
	const char *path;
	bool musl; /* whose locks are laid out differently */
	struct hold_file *file;
	VEC(struct found) found;
};

static const struct hold_function *function_called(const char *name)
{
	size_t len = elf_name_length(name, NAME_LONGEST);

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (strlen(functions[i].name) == len && !strncmp(functions[i].name, name, len))
			return &functions[i];
	}
	return NULL;
}

/* Versions and tables name the same address several times. */
static int symbol_visited(void *arg, const struct elf_symbol *symbol)
{
	struct reading *in = arg;
	const struct hold_function *function;

	if (symbol->type != STT_FUNC)
		return 0;
	function = function_called(symbol->name);
	if (!function)
		return 0;
	vec_for_each(&in->found, f) {
		if (f->vaddr == symbol->vaddr)
			return 0;
	}
	if (in->found.len == FOUND_MAX)
		return 0;
	return vec_push(&in->found, (struct found){function, symbol->vaddr, symbol->size});
}

static u8 register_word(const struct probe_site *at, u32 argument)
{
	int offset = usdt_reg_pt_regs_offset(at->arg_reg[argument]);

	return offset < 0 ? 0xff : (u8)(offset / 8);
}

static int place_probe(struct reading *in, const struct found *f)
{
	bool waits = f->function->function == HOLD_WAIT;
	const struct probe_request request = {
		.args = waits ? PROBE_ARG_0 | PROBE_ARG_1 : PROBE_ARG_0,
		.moved_args = true,
		.purpose = PROBE_ENTRY,
		.kernel = in->d->p.kernel,
	};
	struct probe_site at;

	if (probe_site_in_file(in->elf, f->vaddr, f->size, &request, &at)) {
		log_warn(in->d->p.log, "no probe fits on %s of %s: its calls are not seen",
			 f->function->name, in->path);
		return 0;
	}
	log_info(in->d->p.log, "%s+%u: %s (%s)", f->function->name, at.offset, at.text,
		 probe_cost_name(at.cost));
	if (f->function->function == HOLD_TRY && f->function->kind == HOLD_SPIN && at.offset)
		return 0; /* it is too late to see whether the lock was free */
	return vec_push(&in->file->places,
			(struct uprobe_place){
				.offset = at.file_offset,
				.cookie = HOLD_COOKIE(f->function->function, f->function->kind,
						      register_word(&at, waits ? 1 : 0),
						      register_word(&at, 0)) |
					  (in->musl ? HOLD_OPAQUE : 0) |
					  (at.offset ? HOLD_BEGUN : 0) |
					  (at.cost == PROBE_COST_STEPPED ? HOLD_STEPPED : 0),
			});
}

static bool is_unreadable(int err)
{
	return err == -ENOENT || err == -EBADMSG || err == -E2BIG;
}

static int read_file(struct lock_probes *d, struct elf_file *elf, const char *path,
		     struct hold_file *file)
{
	struct reading in = {
		.d = d, .elf = elf, .path = path, .musl = strstr(path, "musl"), .file = file};
	int err = elf_symbols_visit(elf, ".dynsym", symbol_visited, &in);

	if (!err || is_unreadable(err))
		err = elf_symbols_visit(elf, ".symtab", symbol_visited, &in);
	if (is_unreadable(err))
		err = 0;
	/* The kernel would execute probed instructions as they are before the relocation. */
	if (in.found.len && elf_has_text_relocations(elf)) {
		log_warn(d->p.log,
			 "no probes in %s: the dynamic linker changes its code (text relocations)",
			 path);
		in.found.len = 0;
	}
	vec_for_each(&in.found, f) {
		if (!err)
			err = place_probe(&in, f);
	}
	vec_release(&in.found);
	return err;
}

static struct hold_file *file_of(const struct lock_probes *d, const struct map_entry *e)
{
	vec_for_each(&d->files, it) {
		struct hold_file *f = *it;

		if (f->inode == e->inode && f->dev_major == e->dev_major &&
		    f->dev_minor == e->dev_minor)
			return f;
	}
	return NULL;
}

static void file_free(struct hold_file *f)
{
	vec_release(&f->places);
	free(f);
}

/* *out is NULL if the file cannot be read. */
static int file_open(struct lock_probes *d, pid_t tgid, const struct map_entry *e,
		     struct hold_file **out)
{
	struct borrowed_module m;
	int err;

	*out = file_of(d, e);
	if (*out || !module_set_borrow(d->p.modules, tgid, e, &m))
		return 0;
	*out = calloc(1, sizeof(**out));
	err = *out ? 0 : -ENOMEM;
	if (!err) {
		(*out)->inode = e->inode;
		(*out)->dev_major = e->dev_major;
		(*out)->dev_minor = e->dev_minor;
		err = m.module->elf ? read_file(d, m.module->elf, e->path, *out) : 0;
		if (!err)
			err = vec_push(&d->files, *out);
		if (err)
			file_free(*out);
	}
	module_set_give_back(d->p.modules, &m);
	return err;
}

/* ---- processes ---- */

static struct hold_process *process_of(struct lock_probes *d, pid_t tgid)
{
	struct hold_process *p;

	HASH_FIND(hh, d->processes, &tgid, sizeof(tgid), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, d->processes, tgid, sizeof(p->tgid), p);
	if (HASH_ADDED(p))
		return p;
	free(p);
	return NULL;
}

static void process_free(struct lock_probes *d, struct hold_process *p)
{
	HASH_DEL(d->processes, p);
	uprobe_pins_detach(d->p.pins, &p->links);
	vec_release(&p->seen);
	free(p);
}

static bool seen_before(const struct hold_process *p, const struct hold_file *f)
{
	vec_for_each(&p->seen, it) {
		if (*it == f)
			return true;
	}
	return false;
}

/* The kernel accepts either all places of a link or none, so after a refusal they are attached one
 * by one, which costs only the refused place. */
static int attach_places(struct lock_probes *d, struct hold_process *p, const struct hold_file *f,
			 const struct map_entry *e, uprobe_links *links)
{
	char path[PATH_SIZE];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)p->tgid,
		 (unsigned long long)e->start, (unsigned long long)e->end);
	err = uprobe_pins_attach(d->p.pins, d->p.entry, UPROBE_ENTRY, d->p.links, path, p->tgid,
				 f->places.data, (u32)f->places.len, links);
	if (!err || err == -ENOENT)
		return err;
	vec_for_each(&f->places, place) {
		err = uprobe_pins_attach(d->p.pins, d->p.entry, UPROBE_ENTRY, d->p.links, path,
					 p->tgid, place, 1, links);
		if (err && err != -ENOTSUP && err != -EINVAL)
			return err;
		if (err)
			log_warn(d->p.log, "the kernel refuses a probe at %s+%#llx: %s", e->path,
				 (unsigned long long)place->offset, error_reason(err));
	}
	return 0;
}

/* Attaches all probes of a file through one of its mappings, or none. */
static int attach_file(struct lock_probes *d, struct hold_process *p, const struct hold_file *f,
		       const struct map_entry *e)
{
	uprobe_links links = {0};
	int err = f->places.len ? attach_places(d, p, f, e, &links) : 0;

	if (err == -ENOENT) { /* it was unmapped meanwhile, perhaps half way through */
		uprobe_pins_detach(d->p.pins, &links);
		return err;
	}
	if (links.len)
		__atomic_fetch_add(&d->nprobes, (u32)f->places.len, __ATOMIC_RELAXED);
	vec_for_each(&links, link) {
		if (vec_push(&p->links, *link))
			err = -ENOMEM; /* what is not recorded disappears when cprof ends */
	}
	vec_release(&links);
	return err;
}

/* A file may be mapped several times, and each of these mappings may disappear at any time. */
static int attach_mapped(struct lock_probes *d, struct hold_process *p, struct hold_file *f,
			 const struct map_entry *file, const map_vec *maps)
{
	int err = -ENOENT;

	vec_for_each(maps, e) {
		if (err == -ENOENT && e->executable && map_is_same_file(e, file))
			err = attach_file(d, p, f, e);
	}
	if (err != -ENOENT)
		return err;
	p->seen.len--; /* it is the last one; it may be mapped again */
	return 0;
}

static bool is_safe(const struct lock_probes *d, const struct hold_process *p,
		    const struct hold_file *f, const struct map_entry *e, const map_vec *maps)
{
	code_spans spans = {0};
	bool safe = true;

	vec_for_each(&f->places, place)
		safe &= !code_spans_add_place(&spans, place->offset);
	if (safe)
		safe = code_is_unchanged(d->p.readers, d->p.log, p->tgid, maps, e, &spans);
	vec_release(&spans);
	return safe;
}

static int add_entry(struct lock_probes *d, struct hold_process *p, const struct map_entry *e,
		     const map_vec *maps)
{
	struct hold_file *f;
	int err = file_open(d, p->tgid, e, &f);

	if (err || !f || seen_before(p, f))
		return err;
	err = vec_push(&p->seen, f);
	return err || !is_safe(d, p, f, e, maps) ? err : attach_mapped(d, p, f, e, maps);
}

int lock_probes_add_process(struct lock_probes *d, pid_t tgid, struct error *err)
{
	struct hold_process *p = process_of(d, tgid);
	map_vec maps = {0};
	int code = p ? maps_read(tgid, &maps) : -ENOMEM, refused = 0;

	if (!code && !maps.len)
		code = -ESRCH;
	if (!code)
		refused = translator_refuse_process(tgid, &maps, err);
	vec_for_each(&maps, e) {
		if (!code && !refused && e->executable && e->inode)
			code = add_entry(d, p, e, &maps);
	}
	maps_release(&maps);
	return code ? error_set(err, code, "cannot put probes into PID %d: %s", (int)tgid,
				error_reason(code))
		    : refused;
}

void lock_probes_forget(struct lock_probes *d, pid_t tgid)
{
	struct hold_process *p;

	HASH_FIND(hh, d->processes, &tgid, sizeof(tgid), p);
	if (p)
		process_free(d, p);
}

void lock_probes_forget_ended(struct lock_probes *d)
{
	struct hold_process *p, *next;

	HASH_ITER(hh, d->processes, p, next) {
		if (kill(p->tgid, 0) && errno == ESRCH)
			process_free(d, p);
	}
}

/* ---- creation and end ---- */

u32 lock_probes_count(const struct lock_probes *d)
{
	return __atomic_load_n(&d->nprobes, __ATOMIC_RELAXED);
}

int lock_probes_new(const struct hold_programs *programs, struct lock_probes **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->p = *programs;
	return 0;
}

void lock_probes_detach(struct lock_probes *d)
{
	struct hold_process *p, *next;
	VEC(pid_t) tgids = {0};

	HASH_ITER(hh, d->processes, p, next) {
		if (vec_push(&tgids, p->tgid))
			log_debug(d->p.log, "PID %d is not waited for", (int)p->tgid);
		process_free(d, p);
	}
	uprobe_pins_wait_gone(d->p.pins, tgids.data, tgids.len);
	vec_release(&tgids);
}

void lock_probes_free(struct lock_probes *d)
{
	if (!d)
		return;
	lock_probes_detach(d);
	vec_for_each(&d->files, f)
		file_free(*f);
	vec_release(&d->files);
	free(d);
}
