/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of allocators, with probes on them: see heap_doors.h. */
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
#include "target/maps.h"
#include "target/module.h"
#include "target/process.h"

#define TEXT_SIZE 900

typedef VEC(struct door_file *) door_files;

struct door_process {
	pid_t tgid;
	bool sampled; /* by a sampler of its own: no allocator is probed, too */
	door_files seen;
	uprobe_links links;
	UT_hash_handle hh;
};

struct heap_doors {
	struct heap_programs p;
	struct door_reader reader;
	door_files files;
	struct door_process *processes;
	uprobe_links links; /* for every process */
	u32 nprobes;
	char text[TEXT_SIZE]; /* of what was found */
	char searched[TEXT_SIZE]; /* where nothing was */
	pthread_mutex_t lock; /* of `files`, which one thread adds to */
};

/* Asking changes nothing that one asks for. */
static void lock(const struct heap_doors *d)
{
	pthread_mutex_lock((pthread_mutex_t *)&d->lock);
}

static void unlock(const struct heap_doors *d)
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

/* ---- attaching ---- */

/* Where probes go: to one process (tgid 0: to all), through a path that the kernel can follow. */
struct door_goal {
	pid_t tgid;
	const char *path;
	uprobe_links *links;
	u32 attached;
};

/* The kernel takes all places of a link or none: one that it refuses costs that place only. */
static int attach_all(struct heap_doors *d, struct door_goal *goal, int prog, enum uprobe_type type,
		      bool links, const uprobe_places *places)
{
	int err;

	if (!places->len)
		return 0;
	err = uprobe_pins_attach(d->p.pins, prog, type, links, goal->path, goal->tgid, places->data,
				 (u32)places->len, goal->links);
	if (!err)
		goal->attached += (u32)places->len;
	if (!err || err == -ENOENT || err == -ESRCH)
		return err;
	err = 0;
	vec_for_each(places, place) {
		int one = uprobe_pins_attach(d->p.pins, prog, type, links, goal->path, goal->tgid,
					     place, 1, goal->links);

		goal->attached += !one;
		if (one)
			log_warn(d->p.log, "the kernel refuses a probe at %s+%#llx: %s", goal->path,
				 (unsigned long long)place->offset, error_reason(one));
		if (one && one != -ENOTSUP && one != -EINVAL)
			err = one;
	}
	return err;
}

static int attach_allocs(struct heap_doors *d, const uprobe_places *places, struct door_goal *goal)
{
	const struct heap_programs *p = &d->p;
	int err;

	if (p->session >= 0)
		return attach_all(d, goal, p->session, UPROBE_SESSION, true, places);
	err = attach_all(d, goal, p->returns, UPROBE_RETURN, p->links, places);
	return err ? err : attach_all(d, goal, p->entry, UPROBE_ENTRY, p->links, places);
}

static int attach_file(struct heap_doors *d, const struct door_file *f, struct door_goal *goal)
{
	const struct heap_programs *p = &d->p;
	int err;

	/* Frees before allocations: a block must not end unseen. */
	err = attach_all(d, goal, p->frees, UPROBE_ENTRY, p->links, &f->frees);
	if (!err)
		err = attach_all(d, goal, p->weighed, UPROBE_ENTRY, p->links, &f->weighed);
	/* Returns before calls, so that every call which is sampled is seen to return. */
	if (!err)
		err = attach_all(d, goal, p->results, UPROBE_ENTRY, p->links, &f->results);
	if (!err)
		err = attach_all(d, goal, p->entry, UPROBE_ENTRY, p->links, &f->entries);
	if (!err)
		err = attach_allocs(d, &f->allocs, goal);
	return err;
}

/* ---- files ---- */

static struct door_file *file_of(const struct heap_doors *d, const struct map_entry *e)
{
	vec_for_each(&d->files, it) {
		struct door_file *f = *it;

		if (f->inode == e->inode && f->dev_major == e->dev_major &&
		    f->dev_minor == e->dev_minor)
			return f;
	}
	return NULL;
}

static int file_add(struct heap_doors *d, struct elf_file *elf, const struct map_entry *e,
		    struct door_file **out)
{
	int err = door_file_new(&d->reader, elf, e->path, out);

	if (err)
		return err;
	(*out)->inode = e->inode;
	(*out)->dev_major = e->dev_major;
	(*out)->dev_minor = e->dev_minor;
	lock(d);
	err = vec_push(&d->files, *out);
	unlock(d);
	if (err)
		door_file_free(*out);
	else if ((*out)->searched)
		say(d->searched, "%s", (*out)->searched);
	return err;
}

static void say_found(struct heap_doors *d, struct door_file *f, u32 probes)
{
	__atomic_fetch_add(&d->nprobes, probes, __ATOMIC_RELAXED);
	if (!probes || !f->title)
		return;
	say(d->text, "%s, %u probes", f->title, probes);
	free(f->title); /* once is enough, however many processes have it */
	f->title = NULL;
}

/* ---- processes ---- */

static bool is_wanted(const struct heap_doors *d, const struct map_entry *e)
{
	const char *base;

	if (!e->executable || !e->inode)
		return false;
	if (!d->p.library)
		return true;
	base = strrchr(e->path, '/');
	return !strcmp(e->path, d->p.library) || (base && !strcmp(base + 1, d->p.library));
}

static bool seen_before(const door_files *files, const struct door_file *f)
{
	vec_for_each(files, it) {
		if (*it == f)
			return true;
	}
	return false;
}

/* It may be mapped again. */
static void unsee(struct door_process *p, const struct door_file *f)
{
	for (size_t i = 0; i < p->seen.len; i++) {
		if (p->seen.data[i] == f)
			p->seen.data[i] = p->seen.data[--p->seen.len];
	}
}

/* A file's doors, read when nobody has read them yet; NULL: it cannot be read. */
static int doors_of(struct heap_doors *d, pid_t tgid, const struct map_entry *e,
		    struct door_file **out)
{
	struct module *m;
	int err = 0;

	*out = file_of(d, e);
	if (*out || module_open_entry(d->p.readers, tgid, e, &m))
		return 0;
	if (m->elf)
		err = file_add(d, m->elf, e, out);
	module_free(m);
	return err;
}

struct candidate {
	struct door_file *file;
	const struct map_entry *entry;
};

typedef VEC(struct candidate) candidate_vec;

static int find_new(struct heap_doors *d, struct door_process *p, const map_vec *maps,
		    candidate_vec *out)
{
	int err = 0;

	vec_for_each(maps, e) {
		struct door_file *f;

		if (err || !is_wanted(d, e))
			continue;
		err = doors_of(d, p->tgid, e, &f);
		if (err || !f || seen_before(&p->seen, f))
			continue;
		err = vec_push(&p->seen, f);
		if (!err)
			err = vec_push(out, (struct candidate){f, e});
	}
	return err;
}

#define PATH_SIZE 80

static void mapped_path(char path[PATH_SIZE], const struct door_process *p,
			const struct map_entry *e)
{
	snprintf(path, PATH_SIZE, "/proc/%d/map_files/%llx-%llx", (int)p->tgid,
		 (unsigned long long)e->start, (unsigned long long)e->end);
}

static int attach_candidate(struct heap_doors *d, struct door_process *p, const struct candidate *c)
{
	char path[PATH_SIZE];
	struct door_goal goal = {.tgid = p->tgid, .path = path, .links = &p->links};
	int err;

	mapped_path(path, p, c->entry);
	err = attach_file(d, c->file, &goal);
	say_found(d, c->file, goal.attached);
	/* It was unmapped (dlclose) since we looked, perhaps half way through. */
	if (err == -ENOENT) {
		unsee(p, c->file);
		return 0;
	}
	return err;
}

/* The first look decides whether a process is sampled by its own sampler or by its allocators. */
static int attach_new(struct heap_doors *d, struct door_process *p, const map_vec *maps)
{
	candidate_vec candidates = {0};
	int err = find_new(d, p, maps, &candidates);

	vec_for_each(&candidates, c)
		p->sampled |= c->file->sampler && !p->links.len;
	vec_for_each(&candidates, c) {
		if (!err && c->file->sampler == p->sampled)
			err = attach_candidate(d, p, c);
	}
	vec_release(&candidates);
	return err;
}

static struct door_process *process_of(struct heap_doors *d, pid_t tgid)
{
	struct door_process *p;

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

/* Whether this kernel has the fix for filters cannot be tried without risking the target. */
static int refuse_to_kill(const struct heap_doors *d, pid_t tgid, struct error *err)
{
	if ((d->p.kernel & PROBE_KERNEL_RETURNS_FILTERED) && !d->p.force &&
	    process_filters_syscalls(tgid))
		return error_set(
			err, -EPERM,
			"cannot put probes into PID %d: it has a seccomp filter, which may kill it "
			"for that on kernels 6.11 to 6.13 (if yours has the remedy: --force)",
			(int)tgid);
	if ((d->p.kernel & PROBE_KERNEL_RETURNS_SHADOWED) && process_has_shadow_stack(tgid))
		return error_set(err, -EPERM,
				 "cannot put probes into PID %d: it has a shadow stack, which "
				 "would kill it for that on kernels 6.6 to 6.10",
				 (int)tgid);
	return 0;
}

int heap_doors_add_process(struct heap_doors *d, pid_t tgid, struct error *err)
{
	struct door_process *p = process_of(d, tgid);
	map_vec maps = {0};
	int code = refuse_to_kill(d, tgid, err);

	if (code)
		return code;
	code = p ? maps_read(tgid, &maps) : -ENOMEM;
	if (!code)
		code = maps.len ? attach_new(d, p, &maps) : -ESRCH;
	maps_release(&maps);
	return code ? error_set(err, code, "cannot put probes into PID %d: %s", (int)tgid,
				error_reason(code))
		    : 0;
}

static void process_free(struct heap_doors *d, struct door_process *p)
{
	HASH_DEL(d->processes, p);
	uprobe_pins_detach(d->p.pins, &p->links);
	vec_release(&p->seen);
	free(p);
}

void heap_doors_forget(struct heap_doors *d, pid_t tgid)
{
	struct door_process *p;

	HASH_FIND(hh, d->processes, &tgid, sizeof(tgid), p);
	if (p)
		process_free(d, p);
}

void heap_doors_forget_ended(struct heap_doors *d)
{
	struct door_process *p, *next;

	HASH_ITER(hh, d->processes, p, next) {
		if (kill(p->tgid, 0) && errno == ESRCH)
			process_free(d, p);
	}
}

static int read_file(struct heap_doors *d, const char *path, struct door_file **out)
{
	struct map_entry e = {.path = (char *)path};
	struct elf_file *elf = NULL;
	struct input_file in;
	int err = regular_file_input(d->p.readers, path, &in);

	if (err)
		return err;
	if (in.served) { /* the kernel would have to read it, too: once it is mapped, most of it has been */
		input_file_close(&in);
		return -EAGAIN;
	}
	e.inode = in.inode;
	e.dev_major = in.dev_major;
	e.dev_minor = in.dev_minor;
	err = elf_file_open_input(&in, &elf);
	if (!err)
		err = file_add(d, elf, &e, out);
	elf_file_free(elf);
	return err;
}

/* The probes are there when it execs, and its files are not looked at for them again. */
static int attach_for(struct heap_doors *d, struct door_process *p, struct door_file *f,
		      struct door_goal *goal)
{
	int err = vec_push(&p->seen, f);

	goal->tgid = p->tgid;
	goal->links = &p->links;
	return err ? err : attach_file(d, f, goal);
}

int heap_doors_add_file(struct heap_doors *d, const char *path, pid_t tgid, struct error *err)
{
	struct door_process *p = tgid ? process_of(d, tgid) : NULL;
	struct door_goal goal = {.path = path, .links = &d->links};
	struct door_file *f = NULL;
	int code = tgid && !p ? -ENOMEM : read_file(d, path, &f);

	if (!code)
		code = p ? attach_for(d, p, f, &goal) : attach_file(d, f, &goal);
	if (!code)
		say_found(d, f, goal.attached);
	return code ? error_set(err, code, "cannot put probes into %s: %s", path,
				error_reason(code))
		    : 0;
}

/* ---- what was found ---- */

const char *heap_doors_text(const struct heap_doors *d)
{
	return d->text[0] ? d->text : d->searched;
}

u32 heap_doors_count(const struct heap_doors *d)
{
	return __atomic_load_n(&d->nprobes, __ATOMIC_RELAXED);
}

void heap_doors_cost(const struct heap_doors *d, u32 *alloc_ns, u32 *free_ns)
{
	*alloc_ns = *free_ns = 0;
	lock(d);
	vec_for_each(&d->files, it) {
		*alloc_ns = (*it)->alloc_ns > *alloc_ns ? (*it)->alloc_ns : *alloc_ns;
		*free_ns = (*it)->free_ns > *free_ns ? (*it)->free_ns : *free_ns;
	}
	unlock(d);
}

const struct door_file *heap_doors_file(const struct heap_doors *d, size_t index)
{
	const struct door_file *f;

	lock(d);
	f = index < d->files.len ? d->files.data[index] : NULL;
	unlock(d);
	return f;
}

/* ---- life ---- */

int heap_doors_new(const struct heap_programs *programs, struct heap_doors **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	pthread_mutex_init(&(*out)->lock, NULL);
	(*out)->p = *programs;
	(*out)->reader = (struct door_reader){.sites_fd = programs->sites_fd,
					      .live = programs->live,
					      .alone = programs->library,
					      .returns = programs->session < 0,
					      .kernel = programs->kernel,
					      .names = programs->names,
					      .log = programs->log};
	return 0;
}

void heap_doors_detach(struct heap_doors *d)
{
	struct door_process *p, *next;
	VEC(pid_t) tgids = {0};

	/* All at once: one after the other takes seconds where many processes are. */
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

void heap_doors_free(struct heap_doors *d)
{
	if (!d)
		return;
	heap_doors_detach(d);
	vec_for_each(&d->files, f)
		door_file_free(*f);
	vec_release(&d->files);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
