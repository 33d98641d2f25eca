/* SPDX-License-Identifier: Apache-2.0 */
/* Places probes on the functions of allocators: see alloc_probes.h. */
#include "collect/heap/alloc_probes.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/regular_file.h"
#include "collect/probe/probe_site.h"
#include "collect/probe/return_links.h"
#include "target/maps.h"
#include "target/module.h"

#define TEXT_SIZE 900

typedef VEC(struct probe_file *) probe_files;

struct probed_process {
	pid_t tgid;
	bool sampled; /* it has its own sampler, so no allocator is probed as well */
	probe_files seen;
	uprobe_links links;
	UT_hash_handle hh;
};

struct alloc_probes {
	struct heap_programs p;
	struct function_reader reader;
	probe_files files;
	struct probed_process *processes;
	uprobe_links links; /* for every process */
	u32 nprobes, nprocesses;
	char text[TEXT_SIZE]; /* about what was found */
	char searched[TEXT_SIZE]; /* about where nothing was found */
	pthread_mutex_t lock; /* guards `files`, to which one thread adds */
};

/* A query changes nothing visible, so it may be const. */
static void lock(const struct alloc_probes *d)
{
	pthread_mutex_lock((pthread_mutex_t *)&d->lock);
}

static void unlock(const struct alloc_probes *d)
{
	pthread_mutex_unlock((pthread_mutex_t *)&d->lock);
}

static void say(char text[TEXT_SIZE], const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(char text[TEXT_SIZE], const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list args;

	if (used + 3 >= TEXT_SIZE)
		return;
	if (used)
		used += (size_t)snprintf(text + used, TEXT_SIZE - used, "; ");
	va_start(args, fmt);
	vsnprintf(text + used, TEXT_SIZE - used, fmt, args);
	va_end(args);
}

/* ---- files ---- */

static struct probe_file *file_of(const struct alloc_probes *d, const struct map_entry *e)
{
	vec_for_each(&d->files, it) {
		struct probe_file *f = *it;

		if (f->inode == e->inode && f->dev_major == e->dev_major &&
		    f->dev_minor == e->dev_minor)
			return f;
	}
	return NULL;
}

static int file_add(struct alloc_probes *d, struct elf_file *elf, const struct map_entry *e,
		    struct probe_file **out)
{
	int err = probe_file_new(&d->reader, elf, e->path, out);

	if (err)
		return err;
	(*out)->inode = e->inode;
	(*out)->dev_major = e->dev_major;
	(*out)->dev_minor = e->dev_minor;
	lock(d);
	err = vec_push(&d->files, *out);
	unlock(d);
	if (err)
		probe_file_free(*out);
	else if ((*out)->searched)
		say(d->searched, "%s", (*out)->searched);
	return err;
}

static void say_found(struct alloc_probes *d, struct probe_file *f, u32 probes)
{
	__atomic_fetch_add(&d->nprobes, probes, __ATOMIC_RELAXED);
	if (!probes || !f->title)
		return;
	say(d->text, "%s, %u probes", f->title, probes);
	free(f->title); /* once is enough, however many processes have it */
	f->title = NULL;
}

/* ---- processes ---- */

static bool seen_before(const probe_files *files, const struct probe_file *f)
{
	vec_for_each(files, it) {
		if (*it == f)
			return true;
	}
	return false;
}

static void forget_file(struct probed_process *p, const struct probe_file *f)
{
	for (size_t i = 0; i < p->seen.len; i++) {
		if (p->seen.data[i] == f)
			p->seen.data[i] = p->seen.data[--p->seen.len];
	}
}

/* Returns a file's functions, reading them if necessary; NULL if it cannot be read. */
static int functions_of(struct alloc_probes *d, pid_t tgid, const struct map_entry *e,
			struct probe_file **out)
{
	struct borrowed_module m;
	int err = 0;

	*out = file_of(d, e);
	if (*out || !module_set_borrow(d->p.modules, tgid, e, &m))
		return 0;
	if (m.module->elf)
		err = file_add(d, m.module->elf, e, out);
	module_set_give_back(d->p.modules, &m);
	return err;
}

struct candidate {
	struct probe_file *file;
	const struct map_entry *entry;
};

typedef VEC(struct candidate) candidate_vec;

static int find_new(struct alloc_probes *d, struct probed_process *p, const map_vec *maps,
		    candidate_vec *out)
{
	int err = 0;

	vec_for_each(maps, e) {
		struct probe_file *f;

		if (err || !alloc_attach_wanted(&d->p, e))
			continue;
		err = functions_of(d, p->tgid, e, &f);
		if (err || !f || seen_before(&p->seen, f))
			continue;
		err = vec_push(&p->seen, f);
		if (!err)
			err = vec_push(out, (struct candidate){f, e});
	}
	return err;
}

/* Attaches all probes of a file through one of its mappings, or none. */
static int attach_through(struct alloc_probes *d, struct probed_process *p, struct probe_file *f,
			  const struct map_entry *e)
{
	char path[ATTACH_PATH_SIZE];
	uprobe_links links = {0};
	struct attach_target target = {.tgid = p->tgid, .path = path, .links = &links};
	int err;

	alloc_attach_path(path, p->tgid, e);
	err = alloc_attach(&d->p, f, &target);
	if (err == -ENOENT) { /* it was unmapped meanwhile, perhaps half way through */
		uprobe_pins_detach(d->p.pins, &links);
		return err;
	}
	say_found(d, f, target.attached);
	vec_for_each(&links, link) {
		if (vec_push(&p->links, *link))
			err = -ENOMEM; /* what is not recorded disappears when cprof ends */
	}
	vec_release(&links);
	return err;
}

static bool is_unchanged(struct alloc_probes *d, const struct probed_process *p,
			 const struct candidate *c, const map_vec *maps, const struct probe_file *f)
{
	return code_is_unchanged(d->p.readers, d->p.log, p->tgid, maps, c->entry, &f->probed);
}

/* A file may be mapped several times, and each of these mappings may disappear at any time. */
static int attach_somewhere(struct alloc_probes *d, struct probed_process *p,
			    const struct candidate *c, const map_vec *maps, struct probe_file *f)
{
	int err = -ENOENT;

	vec_for_each(maps, e) {
		if (err == -ENOENT && e->executable && map_is_same_file(e, c->entry))
			err = attach_through(d, p, f, e);
	}
	return err;
}

/* ---- return probes that others have at the same places ---- */

/* Detaches what was attached since there were `links` and `probes`. */
static void detach_since(struct alloc_probes *d, struct probed_process *p, size_t links, u32 probes)
{
	uprobe_links gone = {0};

	for (size_t i = links; i < p->links.len; i++) {
		if (vec_push(&gone, p->links.data[i]))
			return; /* both stay until the end */
	}
	p->links.len = links;
	__atomic_store_n(&d->nprobes, probes, __ATOMIC_RELAXED);
	uprobe_pins_detach(d->p.pins, &gone);
	/* Otherwise the kernel runs both programs for some calls. */
	uprobe_pins_wait_gone(d->p.pins, NULL, 0);
}

static int set_apart(struct alloc_probes *d, const struct probed_process *p,
		     const struct candidate *c)
{
	struct borrowed_module m;
	int err = -ENODATA;

	if (!module_set_borrow(d->p.modules, p->tgid, c->entry, &m))
		return err;
	lock(d);
	if (m.module->elf)
		err = probe_file_set_apart(&d->reader, m.module->elf, c->entry->path, c->file);
	unlock(d);
	module_set_give_back(d->p.modules, &m);
	return err;
}

/* Returns whether another recording was here first, so ours go elsewhere. Later ones see ours, and
 * two that come at once see which is older. */
static bool meets_older(struct alloc_probes *d, const struct probed_process *p,
			const struct probe_file *f, size_t before)
{
	int err;

	if (d->p.list_returns < 0 || f->apart || !f->allocs.len)
		return false;
	err = return_links_older(d->p.list_returns, d->p.session, p->tgid, p->links.data + before,
				 p->links.len - before);
	if (err > 0)
		log_info(d->p.log,
			 "another recording has return probes at the same places as PID "
			 "%d, whose probes go to others",
			 (int)p->tgid);
	return err > 0;
}

static int keep_apart(struct alloc_probes *d, struct probed_process *p, const struct candidate *c,
		      const map_vec *maps, size_t before, u32 probes)
{
	int err;

	if (!meets_older(d, p, c->file, before))
		return 0;
	err = set_apart(d, p, c);
	if (err || !is_unchanged(d, p, c, maps, c->file->apart))
		return 0;
	detach_since(d, p, before, probes);
	err = attach_somewhere(d, p, c, maps, c->file);
	if (!err)
		alloc_attach_sweep(&d->p, p->tgid, c->entry, &c->file->allocs);
	return err;
}

static void avoid_others(struct alloc_probes *d, const struct probed_process *p,
			 const struct candidate *c)
{
	const uprobe_places *places = &c->file->allocs;

	if (d->p.list_returns >= 0 && places->len && !c->file->apart &&
	    return_links_at(d->p.list_returns, d->p.session, p->tgid, c->entry, places->data,
			    places->len) > 0 &&
	    set_apart(d, p, c))
		log_info(d->p.log, "%s: each call has a return probe", c->entry->path);
}

static int attach_candidate(struct alloc_probes *d, struct probed_process *p,
			    const struct candidate *c, const map_vec *maps)
{
	const struct probe_file *apart;
	size_t before = p->links.len;
	u32 probes = alloc_probes_count(d);
	int err;

	avoid_others(d, p, c);
	apart = c->file->apart;
	/* Probes on only a part of an allocator would give wrong results. */
	if (!is_unchanged(d, p, c, maps, c->file) || (apart && !is_unchanged(d, p, c, maps, apart)))
		return 0;
	err = attach_somewhere(d, p, c, maps, c->file);
	if (!err && apart)
		alloc_attach_sweep(&d->p, p->tgid, c->entry, &c->file->allocs);
	if (!err && !apart)
		err = keep_apart(d, p, c, maps, before, probes);
	if (err == -ENOENT) { /* dlclose; it may be mapped again */
		forget_file(p, c->file);
		return 0;
	}
	return err;
}

/* The first look decides whether a process has its own sampler or gets probes on allocators. */
static int attach_new(struct alloc_probes *d, struct probed_process *p, const map_vec *maps)
{
	candidate_vec candidates = {0};
	int err = find_new(d, p, maps, &candidates);

	vec_for_each(&candidates, c)
		p->sampled |= c->file->sampler && !p->links.len;
	vec_for_each(&candidates, c) {
		if (!err && c->file->sampler == p->sampled)
			err = attach_candidate(d, p, c, maps);
	}
	vec_release(&candidates);
	return err;
}

static struct probed_process *process_of(struct alloc_probes *d, pid_t tgid)
{
	struct probed_process *p;

	HASH_FIND(hh, d->processes, &tgid, sizeof(tgid), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, d->processes, tgid, sizeof(p->tgid), p);
	if (HASH_ADDED(p)) {
		__atomic_fetch_add(&d->nprocesses, 1, __ATOMIC_RELAXED);
		return p;
	}
	free(p);
	return NULL;
}

int alloc_probes_add_process(struct alloc_probes *d, pid_t tgid, struct error *err)
{
	struct probed_process *p = process_of(d, tgid);
	map_vec maps = {0};
	int code = p ? maps_read(tgid, &maps) : -ENOMEM, refused = 0;

	if (!code)
		refused = alloc_attach_allowed(&d->p, tgid, &maps, err);
	if (!code && !refused)
		code = maps.len ? attach_new(d, p, &maps) : -ESRCH;
	maps_release(&maps);
	return code ? error_set(err, code, "cannot put probes into PID %d: %s", (int)tgid,
				error_reason(code))
		    : refused;
}

static void process_free(struct alloc_probes *d, struct probed_process *p)
{
	HASH_DEL(d->processes, p);
	__atomic_fetch_sub(&d->nprocesses, 1, __ATOMIC_RELAXED);
	uprobe_pins_detach(d->p.pins, &p->links);
	vec_release(&p->seen);
	free(p);
}

void alloc_probes_forget(struct alloc_probes *d, pid_t tgid)
{
	struct probed_process *p;

	HASH_FIND(hh, d->processes, &tgid, sizeof(tgid), p);
	if (p)
		process_free(d, p);
}

void alloc_probes_forget_ended(struct alloc_probes *d)
{
	struct probed_process *p, *next;

	HASH_ITER(hh, d->processes, p, next) {
		if (kill(p->tgid, 0) && errno == ESRCH)
			process_free(d, p);
	}
}

static int read_file(struct alloc_probes *d, const char *path, struct probe_file **out)
{
	struct map_entry e = {.path = (char *)path};
	struct elf_file *elf = NULL;
	struct borrowed_module m;
	struct input_file in;
	int err = regular_file_input(d->p.readers, path, &in);

	if (err)
		return err;
	/* the kernel would have to read it as well; once it is mapped, most of it has been read */
	if (in.served) {
		input_file_close(&in);
		return -EAGAIN;
	}
	e.inode = in.inode;
	e.dev_major = in.dev_major;
	e.dev_minor = in.dev_minor;
	if (module_set_borrow_number(d->p.modules, module_set_find(d->p.modules, &e), &m)) {
		input_file_close(&in);
		err = m.module->elf ? file_add(d, m.module->elf, &e, out) : -ENOEXEC;
		module_set_give_back(d->p.modules, &m);
		return err;
	}
	err = elf_file_open_input(&in, &elf);
	if (!err)
		err = file_add(d, elf, &e, out);
	elf_file_free(elf);
	return err;
}

static bool set_unmapped_apart(struct alloc_probes *d, const char *path, struct probe_file *f)
{
	struct elf_file *elf = NULL;
	struct input_file in;
	int err = regular_file_input(d->p.readers, path, &in);

	if (!err)
		err = elf_file_open_input(&in, &elf);
	lock(d);
	if (!err)
		err = probe_file_set_apart(&d->reader, elf, path, f);
	unlock(d);
	elf_file_free(elf);
	return !err;
}

/* The probes are there when it calls exec, and its files are not searched for them again. */
static int attach_for(struct alloc_probes *d, struct probed_process *p, struct probe_file *f,
		      struct attach_target *target)
{
	size_t before = p->links.len;
	int err = vec_push(&p->seen, f);

	target->tgid = p->tgid;
	target->links = &p->links;
	if (!err)
		err = alloc_attach(&d->p, f, target);
	if (err || !meets_older(d, p, f, before) || !set_unmapped_apart(d, target->path, f))
		return err;
	detach_since(d, p, before, alloc_probes_count(d));
	target->attached = 0;
	return alloc_attach(&d->p, f, target);
}

int alloc_probes_add_file(struct alloc_probes *d, const char *path, pid_t tgid, struct error *err)
{
	struct probed_process *p = tgid ? process_of(d, tgid) : NULL;
	struct attach_target target = {.path = path, .links = &d->links};
	struct probe_file *f = NULL;
	int code = tgid && !p ? -ENOMEM : read_file(d, path, &f);

	if (!code)
		code = p ? attach_for(d, p, f, &target) : alloc_attach(&d->p, f, &target);
	if (!code)
		say_found(d, f, target.attached);
	return code ? error_set(err, code, "cannot put probes into %s: %s", path,
				error_reason(code))
		    : 0;
}

/* ---- queries ---- */

const char *alloc_probes_text(const struct alloc_probes *d)
{
	return d->text[0] ? d->text : d->searched;
}

int alloc_probes_say_none(const struct alloc_probes *d, const char *title, struct error *err)
{
	const char *searched = alloc_probes_text(d);

	if (!*searched)
		return error_set(err, -ENOENT, "no allocator of %s can be probed", title);
	return error_set(err, -ENOENT,
			 "no allocator found in %s (looked for %s): name its functions with "
			 "--alloc malloc=NAME,free=NAME",
			 title, searched);
}

u32 alloc_probes_count(const struct alloc_probes *d)
{
	return __atomic_load_n(&d->nprobes, __ATOMIC_RELAXED);
}

/* Sessions of several processes meet as those of several recordings do. */
static u32 alloc_cost(const struct alloc_probes *d, const struct probe_file *f)
{
	bool shared = d->p.session >= 0 && f->allocs.len &&
		      __atomic_load_n(&d->nprocesses, __ATOMIC_RELAXED) > 1;

	if (f->apart && f->apart->alloc_ns)
		return f->apart->alloc_ns;
	return f->alloc_ns + (shared ? probe_return_ns() : 0);
}

void alloc_probes_cost(const struct alloc_probes *d, u32 *alloc_ns, u32 *free_ns)
{
	*alloc_ns = *free_ns = 0;
	lock(d);
	vec_for_each(&d->files, it) {
		u32 ns = alloc_cost(d, *it);

		*alloc_ns = ns > *alloc_ns ? ns : *alloc_ns;
		*free_ns = (*it)->free_ns > *free_ns ? (*it)->free_ns : *free_ns;
	}
	unlock(d);
}

const struct probe_file *alloc_probes_file(const struct alloc_probes *d, size_t index)
{
	const struct probe_file *f;

	lock(d);
	f = index < d->files.len ? d->files.data[index] : NULL;
	unlock(d);
	return f;
}

/* ---- creation and end ---- */

int alloc_probes_new(const struct heap_programs *programs, struct alloc_probes **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	pthread_mutex_init(&(*out)->lock, NULL);
	(*out)->p = *programs;
	(*out)->reader = (struct function_reader){.sites_fd = programs->sites_fd,
						  .live = programs->live,
						  .alone = programs->library,
						  .returns = programs->session < 0,
						  .kernel = programs->kernel,
						  .names = programs->names,
						  .log = programs->log};
	return 0;
}

void alloc_probes_detach(struct alloc_probes *d)
{
	struct probed_process *p, *next;
	VEC(pid_t) tgids = {0};

	/* All processes are done at once, because one after the other may take seconds. */
	HASH_ITER(hh, d->processes, p, next) {
		if (!vec_reserve(&d->links, d->links.len + p->links.len)) {
			vec_for_each(&p->links, link)
				d->links.data[d->links.len++] = *link;
			vec_release(&p->links);
		}
		if (vec_push(&tgids, p->tgid))
			log_debug(d->p.log, "PID %d is not waited for", (int)p->tgid);
		process_free(d, p);
	}
	uprobe_pins_detach(d->p.pins, &d->links);
	uprobe_pins_wait_gone(d->p.pins, tgids.data, tgids.len);
	vec_release(&tgids);
}

void alloc_probes_free(struct alloc_probes *d)
{
	if (!d)
		return;
	alloc_probes_detach(d);
	vec_for_each(&d->files, f)
		probe_file_free(*f);
	vec_release(&d->files);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
