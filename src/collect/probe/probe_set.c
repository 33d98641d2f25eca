/* SPDX-License-Identifier: Apache-2.0 */
/* Knows which processes have probes in which files: see probe_set.h. */
#include "collect/probe/probe_set.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/probe/probe_set_impl.h"
#include "profile/id_table.h"
#include "target/module.h"
#include "target/process.h"
#include "target/translator.h"

#define LOOKS 8u /* at one process, while it calls exec */

/* ---- files of a process ---- */

struct seen_file *probed_process_seen(const struct probed_process *p, const struct probed_file *f)
{
	vec_for_each(&p->seen, it) {
		if (it->file == f)
			return it;
	}
	return NULL;
}

int probed_process_see(struct probe_set *s, struct probed_process *p, struct probed_file *f)
{
	int err = vec_push(&p->seen, (struct seen_file){.file = f, .search = p->search});

	if (!err)
		probed_file_join(s, f);
	return err;
}

void probed_process_unsee(struct probe_set *s, struct probed_process *p, struct seen_file *seen)
{
	struct probed_file *f = seen->file;

	uprobe_pins_detach(s->o.pins, &seen->links);
	*seen = p->seen.data[--p->seen.len];
	probed_file_leave(s, f);
}

static bool has_links(const struct probed_process *p)
{
	vec_for_each(&p->seen, it) {
		if (it->links.len)
			return true;
	}
	return false;
}

/*
 * A file without probes may be another one when its number is mapped again. Links keep a file as it
 * is, and so they stay for when it is mapped again, unless their space is needed.
 */
static void drop_unmapped(struct probe_set *s, struct probed_process *p)
{
	for (size_t i = p->seen.len; i-- > 0;) {
		struct seen_file *seen = &p->seen.data[i];

		if (seen->search != p->search && !seen->expected && !seen->links.len)
			probed_process_unsee(s, p, seen);
	}
}

/* A search may be going on, so a file must have been missing in the one before. */
static void drop_missing(struct probe_set *s, struct probed_process *p)
{
	for (size_t i = p->seen.len; i-- > 0;) {
		struct seen_file *seen = &p->seen.data[i];

		if (p->search - seen->search > 1 && !seen->expected)
			probed_process_unsee(s, p, seen);
	}
}

/* ---- attaching ---- */

int probed_process_place(struct probe_set *s, struct probed_process *p, struct probe_candidate *c)
{
	int err;

	c->links = &probed_process_seen(p, c->file)->links;
	err = s->o.ops->place ? s->o.ops->place(s->o.arg, c) : probe_candidate_place(c);
	if (p->tgid && !p->told && c->links->len)
		p->told = uprobe_pins_begin_process(s->o.pins, p->tgid);
	return err;
}

static void end_telling(struct probe_set *s, struct probed_process *p)
{
	if (p->told)
		uprobe_pins_end_process(s->o.pins, p->tgid);
	p->told = false;
}

/* ---- processes ---- */

typedef VEC(struct probe_candidate) candidate_vec;

bool probe_set_wants(const struct probe_set *s, const struct map_entry *e)
{
	return e->executable && e->inode && (!s->o.ops->wanted || s->o.ops->wanted(s->o.arg, e));
}

/* Its functions may find space now, after other files have been released. */
static int read_again(struct probe_set *s, struct probed_process *p, const struct map_entry *e,
		      struct probed_file **f)
{
	struct probed_file *refused = *f;
	struct seen_file *seen = probed_process_seen(p, refused);
	int err;

	if (!refused->refused || !seen || refused->refused_at == s->released)
		return 0;
	err = probed_file_read_again(s, p->tgid, e, f);
	if (!err && *f != refused)
		probed_process_unsee(s, p, probed_process_seen(p, refused));
	return err;
}

static int add_candidate(struct probe_set *s, const struct probed_process *p, struct probed_file *f,
			 const struct map_entry *e, const map_vec *maps, candidate_vec *out)
{
	struct probe_candidate c = {.set = s, .tgid = p->tgid, .file = f, .entry = e, .maps = maps};

	c.fd = probe_candidate_open(s, p->tgid, e);
	if (!vec_push(out, c))
		return 0;
	if (c.fd >= 0)
		close(c.fd);
	return -ENOMEM;
}

static int find_one(struct probe_set *s, struct probed_process *p, const struct map_entry *e,
		    const map_vec *maps, candidate_vec *out)
{
	struct probed_file *f;
	struct seen_file *seen;
	int err = probed_file_of(s, p->tgid, e, &f);

	if (!err && f)
		err = read_again(s, p, e, &f);
	if (err || !f)
		return err;
	seen = probed_process_seen(p, f);
	if (seen) {
		seen->search = p->search;
		seen->expected = false;
		return 0;
	}
	err = probed_process_see(s, p, f);
	if (err || f->refused)
		return err;
	return add_candidate(s, p, f, e, maps, out);
}

static int find_new(struct probe_set *s, struct probed_process *p, const map_vec *maps,
		    candidate_vec *out)
{
	int err = 0;

	p->search++;
	vec_for_each(maps, e) {
		if (!err && probe_set_wants(s, e))
			err = find_one(s, p, e, maps, out);
	}
	if (!err)
		drop_unmapped(s, p);
	return err;
}

bool probed_file_is_everywhere(const struct probe_set *s, const struct probed_file *f)
{
	const pid_t all = 0;
	struct probed_process *p;
	const struct seen_file *seen;

	HASH_FIND(hh, s->processes, &all, sizeof(all), p);
	seen = p ? probed_process_seen(p, f) : NULL;
	return seen && seen->links.len;
}

/* An allocator of the program itself is found before that of any library. */
static bool is_of_program(const struct probe_candidate *c, const struct process_info *info)
{
	return !c->file->exclusive && c->file->probed.len && !strcmp(c->entry->path, info->exe);
}

static bool is_exclusive(struct probed_process *p, const candidate_vec *candidates)
{
	struct process_info info;
	bool found = false;

	vec_for_each(candidates, c)
		found |= c->file->exclusive;
	if (!found || has_links(p))
		return false;
	if (process_read(p->tgid, &info))
		return true;
	vec_for_each(candidates, c) {
		if (is_of_program(c, &info))
			return false;
	}
	return true;
}

/* An exec may have left a program without such a file, so all files without probes are tried
 * again. */
static void leave_exclusive(struct probe_set *s, struct probed_process *p, const map_vec *maps)
{
	if (!p->exclusive)
		return;
	vec_for_each(&p->seen, seen) {
		if (seen->file->exclusive && probed_file_is_mapped(seen->file, maps))
			return;
	}
	p->exclusive = false;
	for (size_t i = p->seen.len; i-- > 0;) {
		struct seen_file *seen = &p->seen.data[i];

		if (!seen->expected && !seen->links.len)
			probed_process_unsee(s, p, seen);
	}
}

/* The first search that finds an exclusive file decides whether only such files are probed. */
static int attach_new(struct probe_set *s, struct probed_process *p, const map_vec *maps)
{
	candidate_vec candidates = {0};
	int err;

	leave_exclusive(s, p, maps);
	err = find_new(s, p, maps, &candidates);
	p->exclusive |= is_exclusive(p, &candidates);
	vec_for_each(&candidates, c) {
		int one = -ECANCELED;

		if (c->file->exclusive != p->exclusive || probed_file_is_everywhere(s, c->file))
			continue;
		if (!err)
			one = probed_process_place(s, p, c);
		/* The next search tries again what was closed by dlclose, and what had no turn. */
		if (one == -ENOENT || one == -ENOMEM || one == -ECANCELED)
			probed_process_unsee(s, p, probed_process_seen(p, c->file));
		p->missed |= one == -ENOENT;
		if (!err && one != -ENOENT)
			err = one;
	}
	vec_for_each(&candidates, c) {
		if (c->fd >= 0)
			close(c->fd);
	}
	vec_release(&candidates);
	return err;
}

struct probed_process *probed_process_of(struct probe_set *s, pid_t tgid)
{
	struct probed_process *p;

	HASH_FIND(hh, s->processes, &tgid, sizeof(tgid), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, s->processes, tgid, sizeof(p->tgid), p);
	if (HASH_ADDED(p)) {
		__atomic_fetch_add(&s->nprocesses, tgid != 0, __ATOMIC_RELAXED);
		return p;
	}
	free(p);
	return NULL;
}

int probe_set_allows(struct probe_set *s, pid_t tgid, const map_vec *maps, struct error *err)
{
	return s->o.ops->allowed ? s->o.ops->allowed(s->o.arg, tgid, maps, err)
				 : translator_refuse_process(tgid, maps, err);
}

int probe_set_say_failed(struct error *err, pid_t tgid, int code)
{
	return error_set(err, code, "cannot put probes into PID %d: %s", (int)tgid,
			 error_reason(code));
}

/* An exec moves the code (ASLR). */
static void note_layout(struct probe_set *s, struct probed_process *p, const map_vec *maps)
{
	u64 layout = 0;

	vec_for_each(maps, e) {
		if (e->executable)
			layout = hash_bytes(layout, &e->start, sizeof(e->start));
	}
	s->layouts += layout != p->layout;
	p->layout = layout;
}

int probe_set_add_mapped(struct probe_set *s, pid_t tgid, const map_vec *maps, struct error *err)
{
	struct probed_process *p = probed_process_of(s, tgid);
	int code = p ? 0 : -ENOMEM, refused = 0;

	if (!code)
		refused = probe_set_allows(s, tgid, maps, err);
	if (!code && !refused) {
		s->searched = p;
		note_layout(s, p, maps);
		code = maps->len ? attach_new(s, p, maps) : -ESRCH;
		probe_set_say_moved(s, p, maps);
		s->searched = NULL;
	}
	return code ? probe_set_say_failed(err, tgid, code) : refused;
}

static int look_once(struct probe_set *s, pid_t tgid, struct error *err)
{
	map_vec maps = {0};
	int code = maps_read(tgid, &maps);

	code = code ? probe_set_say_failed(err, tgid, code)
		    : probe_set_add_mapped(s, tgid, &maps, err);
	maps_release(&maps);
	return code;
}

/* Returns whether a file was unmapped before it had its probes, perhaps by an exec. Reading a file
 * takes long, but it is known the next time. */
static bool has_missed(struct probe_set *s, pid_t tgid)
{
	struct probed_process *p;
	bool missed;

	HASH_FIND(hh, s->processes, &tgid, sizeof(tgid), p);
	missed = p && p->missed;
	if (p)
		p->missed = false;
	return missed;
}

int probe_set_add_process(struct probe_set *s, pid_t tgid, struct error *err)
{
	int code = look_once(s, tgid, err);

	for (u32 i = 1; i < LOOKS && !code && has_missed(s, tgid); i++)
		code = look_once(s, tgid, err);
	return code;
}

static void process_free(struct probe_set *s, struct probed_process *p)
{
	HASH_DEL(s->processes, p);
	end_telling(s, p);
	__atomic_fetch_sub(&s->nprocesses, p->tgid != 0, __ATOMIC_RELAXED);
	while (p->seen.len)
		probed_process_unsee(s, p, &p->seen.data[p->seen.len - 1]);
	vec_release(&p->seen);
	free(p);
}

void probe_set_forget(struct probe_set *s, pid_t tgid)
{
	struct probed_process *p;

	HASH_FIND(hh, s->processes, &tgid, sizeof(tgid), p);
	if (p)
		process_free(s, p);
}

void probe_set_forget_ended(struct probe_set *s)
{
	struct probed_process *p, *next;

	HASH_ITER(hh, s->processes, p, next) {
		if (p->tgid && p != s->searched && kill(p->tgid, 0) && errno == ESRCH)
			process_free(s, p);
	}
}

static bool is_zombie(pid_t tgid)
{
	struct process_info info;

	return tgid && !process_read(tgid, &info) && info.zombie;
}

bool probe_set_make_space(struct probe_set *s)
{
	struct probed_process *p, *next;
	u32 before = s->released;

	probe_set_forget_ended(s);
	HASH_ITER(hh, s->processes, p, next) {
		if (p != s->searched && is_zombie(p->tgid))
			process_free(s, p);
		else
			drop_missing(s, p);
	}
	probed_files_release_unused(s);
	if (s->released == before)
		return false;
	/* Programs at old places look for what is in their space. */
	uprobe_pins_wait_gone(s->o.pins, NULL, 0);
	return true;
}

/* ---- creation, end and queries ---- */

int probe_set_new(const struct probe_set_options *opt, struct probe_set **out)
{
	struct probe_set *s = calloc(1, sizeof(*s));

	*out = s;
	if (!s)
		return -ENOMEM;
	s->o = *opt;
	if (!s->o.unused_max)
		s->o.unused_max = PROBE_SET_UNUSED_MAX;
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

/* Moves links, so that all are detached at once: one after the other may take seconds. */
static void gather_links(struct probed_process *p, uprobe_links *all)
{
	vec_for_each(&p->seen, seen) {
		if (vec_reserve(all, all->len + seen->links.len))
			continue;
		vec_for_each(&seen->links, link)
			all->data[all->len++] = *link;
		vec_release(&seen->links);
	}
}

void probe_set_detach(struct probe_set *s)
{
	struct probed_process *p, *next;
	uprobe_links links = {0};
	VEC(pid_t) tgids = {0};

	HASH_ITER(hh, s->processes, p, next) {
		gather_links(p, &links);
		end_telling(s, p);
		if (p->tgid && vec_push(&tgids, p->tgid))
			log_debug(s->o.log, "PID %d is not waited for", (int)p->tgid);
	}
	uprobe_pins_detach(s->o.pins, &links);
	uprobe_pins_wait_gone(s->o.pins, tgids.data, tgids.len);
	vec_release(&tgids);
	HASH_ITER(hh, s->processes, p, next)
		process_free(s, p);
}

void probe_set_free(struct probe_set *s)
{
	if (!s)
		return;
	probe_set_detach(s);
	probed_files_release_unused(s);
	vec_release(&s->unused);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void probe_set_stats(const struct probe_set *s, struct probe_set_stats *out)
{
	*out = (struct probe_set_stats){
		.probes = __atomic_load_n(&s->probes, __ATOMIC_RELAXED),
		.processes = __atomic_load_n(&s->nprocesses, __ATOMIC_RELAXED),
		.files = __atomic_load_n(&s->nfiles, __ATOMIC_RELAXED),
		.refused = __atomic_load_n(&s->refused, __ATOMIC_RELAXED),
	};
}
